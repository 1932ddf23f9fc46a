"""Configure, then write: one call chooses who asks for a document and how, another writes that person's query.

Qwen3-Embedding (arXiv 2506.05176, appendix): the personas nearest to the document are candidates; the model chooses one
of them with the kind and difficulty of the question; the query is written under this configuration. There the length
and the language are given; here the length is chosen within a range, and the language is the document's or drawn.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from oreline import ids, prompting
from oreline.ids import Json
from oreline.languages import is_code
from oreline.llm.requests import Answered, Request
from oreline.prompting.prompt import Input
from oreline.recipe.settings import Llm, Persona, Recipe
from oreline.records import Document, Pair, Query, Reject, TaskType
from oreline.scripts import one_line, shortened
from oreline.writing.chain import Answers, answer_of, ask, check_prompt_ids, rejected
from oreline.writing.fret import SHOWN_TOKENS
from oreline.writing.persona_answers import (
    PersonaConfiguration,
    PersonaConfigurations,
    PersonaQuery,
    QuestionType,
)
from oreline.writing.persona_bank import Nearest, PersonaBank, load_bank
from oreline.writing.rows import KIND, lineage_of, query_of
from oreline.writing.work import Work, Written

CONFIGURE_INPUTS = (
    "title",
    "document",
    "persona",
    "count",
    "question_types",
    "difficulties",
    "words",
    "language",
)
"""What the prompt of the first round may declare as its inputs."""
WRITE_INPUTS = ("title", "document", "persona", "need", "question_type", "difficulty", "length", "language")
"""What the prompt of the second round may declare as its inputs."""

TASKS: dict[QuestionType, tuple[TaskType, str]] = {
    "keyword": ("retrieval", "Given search terms, find a document that gives what is looked for."),
    "factual": ("question_answering", "Given a question, find a passage that contains the answer."),
    "summary": ("retrieval", "Given a request for an overview, find a document that gives the main points."),
    "judgement": (
        "question_answering",
        "Given a question whether something holds, find a passage that lets one decide.",
    ),
    "background": (
        "question_answering",
        "Given a question about reasons or causes, find a passage that explains them.",
    ),
}
"""The task type and the instruction of each kind of query."""


@dataclass(frozen=True)
class PersonaChain:
    """The writer retrieval/persona, of two rounds: `count` configurations in one call, then a call for each."""

    name: str
    configure: prompting.Prompt
    write: prompting.Prompt
    bank: PersonaBank
    settings: Persona
    count: int

    @property
    def prompts(self) -> tuple[prompting.Prompt, ...]:
        """The prompt that configures, and the one that writes."""
        return self.configure, self.write

    @property
    def calls(self) -> tuple[float, ...]:
        """One call to configure, then one for each query."""
        return 1.0, float(self.count)

    @property
    def digests(self) -> dict[str, str]:
        """The digest of the bank: other personas, other queries."""
        return {"personas": self.bank.digest}

    def requests(self, llm: Llm, work: Work, before: Answers) -> Iterator[Request]:
        """Yields the request for configurations, then one for each of them."""
        document = work.documents[0]
        nearest = self._nearest(document)
        if not before:
            inputs: dict[str, Input] = {**_shown(document), "persona": nearest.personas, **self._choices(document)}
            yield ask(self.configure, llm, work, inputs)
        elif len(before) == 1:
            chosen, _ = self._configurations(work, before)
            for place, each in enumerate(chosen):
                given: dict[str, Input] = {
                    **_shown(document),
                    "persona": nearest.personas[each.persona - 1],
                    "need": one_line(each.need),
                    "question_type": each.question_type,
                    "difficulty": each.difficulty,
                    "length": each.length,
                    "language": each.language,
                }
                yield ask(self.write, llm, work, given, place=place)

    def usable(self, request: Request, text: str) -> bool:
        """Says whether an answer follows the schema of its round and chooses only from what was offered."""
        if request.prompt_id == self.write.id:
            return not isinstance(prompting.parse(PersonaQuery, text), prompting.Unusable)
        answer = prompting.parse(PersonaConfigurations, text)
        return not isinstance(answer, prompting.Unusable) and any(
            self._is_offered(each) for each in answer.configurations
        )

    def rows(self, work: Work, answered: Answers) -> Written:
        """Returns one query per configuration, none twice."""
        chosen, rejects = self._configurations(work, answered)
        queries: dict[str, Query] = {}
        for place, (configuration, only) in enumerate(zip(chosen, answered[1], strict=True)):
            query = self._query(work, place, configuration, only)
            if isinstance(query, Reject):
                rejects.append(query)
            else:
                queries.setdefault(query.query_hash, query)
        pairs = [Pair(each.query_id, work.unit, "positive", "seed") for each in queries.values()]
        return Written(tuple(queries.values()), tuple(pairs), rejects=tuple(rejects))

    def _query(self, work: Work, place: int, chosen: PersonaConfiguration, answered: Answered) -> Query | Reject:
        answer = answer_of(PersonaQuery, work, answered)
        if isinstance(answer, Reject):
            return answer
        document = work.documents[0]
        nearest = self._nearest(document)
        drawn: dict[str, Json] = {
            "persona": nearest.personas[chosen.persona - 1],
            "personas_sharing_words": nearest.shared,
            "need": one_line(chosen.need),
            KIND: chosen.question_type,
            "difficulty": chosen.difficulty,
            "length": chosen.length,
            "language": chosen.language,
        }
        task_type, instruction = TASKS[chosen.question_type]
        return query_of(
            document.dataset,
            answer.query,
            lineage_of(work, answered, place, drawn),
            task_type=task_type,
            instruction=instruction,
            lang=chosen.language,
        )

    def _configurations(self, work: Work, answered: Answers) -> tuple[list[PersonaConfiguration], list[Reject]]:
        """Returns the first `count` configurations that were offered, languages set, or why there is none."""
        (only,) = answered[0]
        answer = answer_of(PersonaConfigurations, work, only)
        if isinstance(answer, Reject):
            return [], [answer]
        languages = self._languages(work.documents[0])
        offered = [each for each in answer.configurations if self._is_offered(each)][: self.count]
        if not offered:
            return [], [rejected(work, only, "it chooses nothing that was offered")]
        return [
            each.model_copy(update={"language": languages[place]}) if languages else each
            for place, each in enumerate(offered)
        ], []

    def _is_offered(self, chosen: PersonaConfiguration) -> bool:
        fewest, most = self.settings.words
        return (
            chosen.persona <= min(self.settings.candidates, len(self.bank.rows))
            and chosen.question_type in self.settings.question_types
            and chosen.difficulty in self.settings.difficulties
            and fewest <= chosen.length <= most
        )

    def _languages(self, document: Document) -> list[str]:
        """Returns the language of each query, or nothing if the model is to tell that of the document."""
        if self.settings.languages is None:
            return [document.lang] * self.count if document.lang and is_code(document.lang) else []
        listed = self.settings.languages
        draws = (ids.seeded_fraction(0, self.name, document.doc_id, f"language {place}") for place in range(self.count))
        return [listed[int(draw * len(listed))] for draw in draws]

    def _choices(self, document: Document) -> dict[str, Input]:
        """Returns what may be chosen; lists in an order drawn by the document's id, as models favour the first."""
        languages = self._languages(document)
        told = ", then ".join(languages) if len(set(languages)) > 1 else "".join(languages[:1])
        return {
            "count": self.count,
            "question_types": ", ".join(self._mixed(document, "type", self.settings.question_types)),
            "difficulties": ", ".join(self._mixed(document, "difficulty", self.settings.difficulties)),
            "words": " to ".join(str(each) for each in self.settings.words),
            "language": told or "the document's own",
        }

    def _mixed(self, document: Document, what: str, offered: Sequence[str]) -> list[str]:
        return sorted(offered, key=lambda each: ids.seeded_fraction(0, self.name, document.doc_id, what, each))

    def _nearest(self, document: Document) -> Nearest:
        """Returns the personas for a document in the order in which they are shown, which tells nothing."""
        found = self.bank.nearest(document.doc_id, f"{document.title or ''}\n{document.text}", self.settings.candidates)
        return Nearest(tuple(self._mixed(document, "persona", found.personas)), found.shared)


def persona(name: str, recipe: Recipe) -> PersonaChain:
    """Returns the chain of retrieval/persona.

    Raises RecipeError for a bank that cannot be read, PromptError for a prompt that cannot be used.
    """
    settings = recipe.synthesize.persona
    configure = prompting.source_of(recipe.prompts, "retrieval/persona_configure")
    write = prompting.source_of(recipe.prompts, "retrieval/persona_write")
    prompts = (
        prompting.load(configure, PersonaConfigurations, CONFIGURE_INPUTS),
        prompting.load(write, PersonaQuery, WRITE_INPUTS),
    )
    check_prompt_ids(prompts)
    return PersonaChain(
        name,
        *prompts,
        load_bank(settings.personas),
        settings,
        recipe.synthesize.per_document,
    )


def _shown(document: Document) -> dict[str, Input]:
    return {"title": document.title or "", "document": shortened(document.text, SHOWN_TOKENS)}
