"""Which texts go into a call together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from oreline.encoders.remote.service import MOST_CALL_TOKENS
from oreline.encoders.tasks import split_task
from oreline.llm.budget import most_tokens


@dataclass(frozen=True)
class Batch:
    """Texts of one task, with their places."""

    places: list[int]
    texts: list[str]
    task: str

    @property
    def most_tokens(self) -> int:
        """The tokens of all texts together, at most."""
        return sum(map(most_tokens, self.texts))

    def halves(self) -> "list[Batch]":
        """Returns the batch in two parts."""
        middle = len(self.places) // 2
        return [
            Batch(self.places[:middle], self.texts[:middle], self.task),
            Batch(self.places[middle:], self.texts[middle:], self.task),
        ]


def batches(strings: Sequence[str], most_texts: int, *, tasks: bool) -> Iterator[Batch]:
    """Yields the texts of strings, task by task, in their order; `tasks` says whether strings state one."""
    told = [split_task(string) if tasks else ("", string) for string in strings]
    for task in sorted({task for task, _ in told}):
        batch, tokens = Batch([], [], task), 0
        for place, (own, text) in enumerate(told):
            if own != task:
                continue
            size = most_tokens(text)
            if batch.places and (len(batch.places) == most_texts or tokens + size > MOST_CALL_TOKENS):
                yield batch
                batch, tokens = Batch([], [], task), 0
            batch.places.append(place)
            batch.texts.append(text)
            tokens += size
        yield batch
