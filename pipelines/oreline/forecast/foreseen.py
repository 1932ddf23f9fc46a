"""The rounds of writers before they run: each as far as the journal holds the answers that it builds on."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from oreline.job import Job
from oreline.llm.attempts import Ask, Settled
from oreline.llm.requests import Answered, Request
from oreline.llm.sharing import assigned
from oreline.recipe.settings import Llm
from oreline.writing.chain import CompanionChain
from oreline.writing.task import Writing

Unit = tuple[str, str]


@dataclass(frozen=True)
class Waiting:
    """Works of a writer whose requests in a round cannot be known yet, given to one of the section's models.

    `steps` is by how many rounds of answers they are away: 1 if only those of the round before are missing, 0 for the
    works of a writer whose documents are not known yet.
    """

    writer: str
    member: int
    number: int
    steps: int


@dataclass
class Foreseen:
    """What a run would ask in a round: the requests of works all of whose earlier requests the journal settles.

    The works of others are counted in `waiting`, for this round and all later ones.
    """

    writing: Writing
    llm: Llm
    number: int = 0
    waiting: Counter[Waiting] = field(default_factory=Counter)
    _asked: dict[Unit, list[list[Request]]] = field(default_factory=dict)
    _settled: dict[str, Settled] = field(default_factory=dict)

    def render(self, job: Job, block: bytes) -> Iterator[Request]:
        """Yields the requests of the round `number` that can be known."""
        del job  # the writers have it
        for work in self.writing.works(block, without=self.companions):
            unit, chain = (work.writer, work.unit), self.writing.chains[work.writer]
            rounds = self._asked.get(unit, [])
            if self.number >= len(chain.calls) or len(rounds) != self.number:
                continue
            before = [[self._settled.get(request.key) for request in each] for each in rounds]
            if any(None in each for each in before):
                self._wait(work.writer, assigned(self.llm, work.unit)[0])
                continue
            answers = [[_answered(request, self._settled[request.key]) for request in each] for each in rounds]
            requests = []
            for request in chain.requests(self.llm, work, answers):
                requests.append(replace(request, system=None, prompt="", answer_schema=""))
                yield request
            # Not reached for a work that was cut: it stands for itself in the scale.
            self._asked.setdefault(unit, []).append(requests)

    def usable(self, request: Request, text: str) -> bool:
        """Says whether an answer follows the schema of its writer and round."""
        return self.writing.usable(request, text)

    def see(self, key: str, verdict: Settled | Ask) -> None:
        """Takes what the journal says of a request of this round."""
        if isinstance(verdict, Settled):
            self._settled[key] = verdict

    @property
    def companions(self) -> frozenset[str]:
        """Writers whose works are found only when the stage runs."""
        return frozenset(name for name, each in self.writing.chains.items() if isinstance(each, CompanionChain))

    def _wait(self, writer: str, member: int) -> None:
        for later in range(self.number, len(self.writing.chains[writer].calls)):
            self.waiting[Waiting(writer, member, later, later - self.number + 1)] += 1


def _answered(request: Request, settled: Settled) -> Answered:
    return Answered(request, settled.answer, settled.reject, settled.detail)
