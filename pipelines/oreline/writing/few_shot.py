"""Few-shot: queries in the manner of 2 to 8 examples of the user's own task (Promptagator, arXiv 2209.11755, §3.1)."""

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import ValidationError

from oreline import files, prompting
from oreline.errors import RecipeError
from oreline.ids import sha256_json
from oreline.llm.requests import Request
from oreline.prompting.prompt import Input
from oreline.recipe.settings import Example, FewShot, Llm, Recipe
from oreline.recipe.settings.few_shot import FEWEST_EXAMPLES, MOST_EXAMPLES
from oreline.records import Pair, Query, Reject
from oreline.scripts import one_line, shortened
from oreline.writing.answers import FewShotAnswer
from oreline.writing.chain import Answers, answer_of, ask, follows
from oreline.writing.fret import SHOWN_TOKENS
from oreline.writing.rows import lineage_of, query_of
from oreline.writing.work import Work, Written

INPUTS = ("task", "example", "title", "document")
"""What the prompt may declare as its inputs."""

EXAMPLE_TOKENS = 1_000
"""An example's document is shown up to here, in estimated tokens."""

_MOST_BYTES = 2**20


@dataclass(frozen=True)
class FewShotChain:
    """The writer retrieval/few_shot, of one round: `count` draws of one prompt per document, one query each."""

    name: str
    prompt: prompting.Prompt
    settings: FewShot
    examples: tuple[Example, ...]
    count: int

    @property
    def prompts(self) -> tuple[prompting.Prompt, ...]:
        """Its one prompt."""
        return (self.prompt,)

    @property
    def calls(self) -> tuple[float, ...]:
        """One call per draw."""
        return (float(self.count),)

    @property
    def digests(self) -> dict[str, str]:
        """The digest of the examples: others, other queries."""
        return {"examples": sha256_json([each.model_dump() for each in self.examples])}

    def requests(self, llm: Llm, work: Work, before: Answers) -> Iterator[Request]:
        """Yields the draws."""
        if before:
            return
        document = work.documents[0]
        inputs: dict[str, Input] = {
            "task": self.settings.task,
            "example": [_shown(each) for each in self.examples],
            "title": document.title or "",
            "document": shortened(document.text, SHOWN_TOKENS),
        }
        for draw in range(self.count):
            yield ask(self.prompt, llm, work, inputs, place=draw, draw=draw)

    def usable(self, request: Request, text: str) -> bool:
        """Says whether an answer follows the schema."""
        del request  # all its requests are answered alike
        return follows(FewShotAnswer, text)

    def rows(self, work: Work, answered: Answers) -> Written:
        """Returns the draws' queries; of equal ones the first stays."""
        queries: dict[str, Query] = {}
        rejects: list[Reject] = []
        document = work.documents[0]
        for draw, each in enumerate(answered[0]):
            answer = answer_of(FewShotAnswer, work, each)
            if isinstance(answer, Reject):
                rejects.append(answer)
                continue
            query = query_of(
                document.dataset,
                answer.query,
                lineage_of(work, each, 0, {"draw": draw}),
                task_type=self.settings.task_type,
                instruction=self.settings.instruction or self.settings.task,
                lang=document.lang,
            )
            queries.setdefault(query.query_hash, query)
        pairs = [Pair(each.query_id, work.unit, "positive", "seed") for each in queries.values()]
        return Written(tuple(queries.values()), tuple(pairs), rejects=tuple(rejects))


def few_shot(name: str, recipe: Recipe) -> FewShotChain:
    """Returns the chain of retrieval/few_shot; raises RecipeError for examples that cannot be used, PromptError."""
    settings = recipe.synthesize.few_shot
    if settings is None:
        raise RecipeError(
            f"synthesize.few_shot: {name} follows examples of your task, and there are none; add "
            "few_shot: {task: who searches for what, examples: [{query: ..., document: ...}, ...]}"
        )
    prompt = prompting.load(prompting.source_of(recipe.prompts, "retrieval/few_shot"), FewShotAnswer, INPUTS)
    listed = settings.examples
    examples = read_examples(listed) if isinstance(listed, str) else tuple(listed)
    return FewShotChain(name, prompt, settings, examples, recipe.synthesize.per_document)


def read_examples(path: str) -> tuple[Example, ...]:
    """Returns the examples of a file, one JSON object a line.

    Raises RecipeError, which names file and line, if it cannot be read or holds fewer than 2 or more than 8.
    """
    where = f"synthesize.few_shot.examples: {path}"
    try:
        body = files.read_bytes(path)
        lines = body[:_MOST_BYTES].decode().splitlines()
    except FileNotFoundError as error:
        raise RecipeError(f"{where}: there is no such file") from error
    except UnicodeDecodeError as error:
        raise RecipeError(f"{where}: not UTF-8 at byte {error.start}; save it as UTF-8") from error
    if len(body) > _MOST_BYTES:
        raise RecipeError(f"{where}: {len(body):,} bytes; {MOST_EXAMPLES} examples at most need a smaller file")
    found = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            found.append(_example(f"{where}:{number}", line))
    if not FEWEST_EXAMPLES <= len(found) <= MOST_EXAMPLES:
        raise RecipeError(f"{where}: {len(found)} examples; expected {FEWEST_EXAMPLES} to {MOST_EXAMPLES}, one a line")
    return tuple(found)


def _example(where: str, line: str) -> Example:
    try:
        return Example.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "the line"
        expected = 'a line is {"query": "...", "document": "..."}, perhaps with "title"'
        raise RecipeError(f"{where}: {key}: {first['msg']}; {expected}") from error


def _shown(example: Example) -> str:
    title = [f"Title: {one_line(example.title)}"] if example.title else []
    document = shortened(example.document.strip(), EXAMPLE_TOKENS)
    return "\n".join([*title, f"Document: {document}", f"Query: {example.query.strip()}"])
