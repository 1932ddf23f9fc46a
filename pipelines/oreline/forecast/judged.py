"""What judge is expected to ask while its inputs are not there: per scorer, how often, and how long its prompts are."""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from oreline.chunking.tokens import estimate_tokens
from oreline.forecast.flow import Flow, graded_per_query
from oreline.forecast.ranges import ZERO, Range, total
from oreline.job import Job
from oreline.judging.blocks import prepared
from oreline.judging.cases import Case
from oreline.judging.instructions import instruction_of
from oreline.judging.scorers import ModelScorer, model_scorers, usable
from oreline.judging.shown import MOST_SHOWN
from oreline.judging.task import first_requests
from oreline.judging.texts import DOCUMENT_TOKENS, TITLE_TOKENS, shown_document, shown_query
from oreline.llm.requests import Request
from oreline.prompting.prompt import Input
from oreline.recipe.settings import Llm, Recipe
from oreline.records import Query

FLAGGED = {"relevant": Range(0.0, 0.15, 0.6), "partly": Range(0.0, 0.35, 1.0)}
"""Share of the judged documents that a cheap judge flags for a strong one, by `judge.cascade.ask_again`. Of the nearest
four 0.39 to 0.47 were relevant on two large sets (NV-Retriever, arXiv:2407.15831); most queries have one or none."""

FLAGGED_QUERIES = Range(0.0, 0.5, 1.0)
"""Share of queries with a flagged document; RLHN (arXiv:2505.16967, table 1) saw 0.13 to 0.81."""

_SAMPLED = 8
_TAGS = 9
_NEIGHBOURS = Range(0.75, 1.0, 1.3)


@dataclass
class CountedJudging:
    """The first round of judge, which counts the queries that it came to, and those about which it asks anything.

    Where most verdicts are stored already, requests say little about how many queries were gone through for them.
    """

    queries: int = 0
    asking: int = 0

    def render(self, job: Job, block: bytes) -> Iterator[Request]:
        """Yields the requests of a block."""
        scorers = model_scorers(job.recipe)
        for part in prepared(job, block):
            for case in part.cases:
                self.queries += 1
                requests = list(first_requests(part, case, scorers))
                self.asking += bool(requests)
                yield from requests

    def usable(self, request: Request, text: str) -> bool:
        """Says whether an answer follows its schema."""
        return usable(request, text)

    def expected(self, queries: int) -> int:
        """Returns about how many of so many queries something would be asked."""
        return round(queries * self.asking / max(1, self.queries))


def requests_of_scorer(recipe: Recipe, flow: Flow, scorer: ModelScorer) -> Range:
    """Returns how many requests a scorer of the first round is expected to make."""
    queries, graded = flow.people + flow.written, graded_per_query(recipe, flow)
    return queries * _calls(scorer, graded)


def flagged_share(recipe: Recipe) -> Range:
    """Returns which share of the judged documents is expected to be flagged; none without a cascade."""
    return ZERO if recipe.judge.cascade is None else FLAGGED[recipe.judge.cascade.ask_again]


def flagged_requests(recipe: Recipe, flow: Flow, scorer: ModelScorer) -> Range:
    """Returns how many requests the strong judge is expected to make about what is flagged."""
    queries = flow.people + flow.written
    if scorer.kind == "listwise":
        return queries * FLAGGED_QUERIES
    return queries * graded_per_query(recipe, flow) * flagged_share(recipe)


def shown_of_scorer(recipe: Recipe, flow: Flow, scorer: ModelScorer, *, strong: bool = False) -> Range:
    """Returns how many documents a request of a scorer is expected to show."""
    if scorer.kind != "listwise":
        return Range.exactly(1)
    graded = graded_per_query(recipe, flow)
    if not strong:
        return graded.at_most(MOST_SHOWN)
    share = flagged_share(recipe)
    return Range(1, max(1.0, graded.expected * share.expected), max(1.0, graded.high * share.high))


def prompt_of_scorer(scorer: ModelScorer, model: Llm, flow: Flow, asked: tuple[Range, Range], shown: Range) -> Range:
    """Returns the estimated tokens of a scorer's prompt to a model; `asked` are those of query and instruction."""
    prompt = scorer.prompt_of(model)
    empty: dict[str, Input] = {"instruction": "", "query": "", "document": [], "count": 1}
    if scorer.kind != "listwise":
        empty["document"] = ""
    rendered = prompt.render({name: value for name, value in empty.items() if name in prompt.inputs})
    overhead = Range.exactly(estimate_tokens((rendered.system or "") + rendered.user))
    return total([*asked, overhead, shown * (_NEIGHBOURS * _shown_tokens(flow) + Range.exactly(_TAGS))])


def sample_of_scorer(recipe: Recipe, flow: Flow, scorer: ModelScorer, queries: Sequence[Query]) -> list[Request]:
    """Returns requests like those to come, about documents that are known by now."""
    texts = {each.doc_id: shown_document(each.title, each.text) for each in flow.sample[:64]}
    shown = list(texts)[: recipe.judge.top_k if scorer.kind == "listwise" else 1]
    return [
        request
        for query in queries[:_SAMPLED]
        for request in scorer.requests(
            Case(query.query_id, shown_query(query.query), instruction_of(query), shown, []), shown, texts
        )
    ]


def _calls(scorer: ModelScorer, graded: Range) -> Range:
    if scorer.kind != "listwise":
        return graded
    return Range(*(-(-documents // MOST_SHOWN) for documents in (graded.low, graded.expected, graded.high)))


def _shown_tokens(flow: Flow) -> float:
    """Returns how many tokens of a document a judge is shown, on average."""
    lengths = [
        min(each.tokens or 0, DOCUMENT_TOKENS) + min(estimate_tokens(each.title or ""), TITLE_TOKENS)
        for each in flow.sample
    ]
    return statistics.fmean(lengths) if lengths else float(DOCUMENT_TOKENS)
