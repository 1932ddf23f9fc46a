"""The quality question: does a human-annotated document serve its query?

Gemini Embedding (arXiv 2503.07891, data filtering) takes wrong positives and negatives out of human sets so. The
model is not told how a document is labelled: it grades, and the grade is compared with the label.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from oreline import prompting
from oreline.filters.books import Withdrawn, withdraw
from oreline.filters.equal import TRAIN
from oreline.filters.judged import JudgedQuery
from oreline.filters.questions import AnswersOf, Unanswered, answer_of, request_about
from oreline.job import Job, StageWriter
from oreline.judging.answers import GRADED_INPUTS, GradedAnswer
from oreline.judging.instructions import instruction_of
from oreline.llm.requests import Request
from oreline.prompting.prompt import Prompt
from oreline.recipe.settings import Llm, Quality, Recipe
from oreline.records import Pair, Query, Reject
from oreline.scripts import one_line, shortened

DOCUMENT_TOKENS = 1_500
"""A document is shown up to here, in estimated tokens."""

_QUERY_TOKENS = 1_000
_TITLE_TOKENS = 40


@dataclass(frozen=True)
class QualityQuestion:
    """Does the document serve the query? Asked about pairs that a person labelled, of queries of split train."""

    settings: Quality
    name: str = "quality"

    def prompt(self, recipe: Recipe) -> Prompt:
        """Reads the prompt."""
        source = prompting.source_of(recipe.prompts, self.settings.prompt)
        return prompting.load(source, GradedAnswer, GRADED_INPUTS)

    def requests(self, job: Job, llm: Llm, queries: Sequence[JudgedQuery]) -> Iterator[Request]:
        """Yields a request per pair that is checked and whose document is there."""
        prompt = self.prompt(job.recipe)
        checked = [(judged.query, pair) for judged in queries for pair in self._checked(judged)]
        texts = _texts(job, {pair.doc_id for _, pair in checked})
        for query, pair in checked:
            if pair.doc_id in texts:
                yield pair_request(prompt, llm, query, pair.doc_id, texts[pair.doc_id])

    def settle(self, queries: Sequence[JudgedQuery], answers: AnswersOf, writer: StageWriter) -> list[JudgedQuery]:
        """Makes wrong pairs partial, and those without a usable answer; drops queries that have no positive left."""
        gone: dict[str, list[Withdrawn]] = {}
        cleared = []
        for judged in queries:
            if judged.query.split != TRAIN:
                writer.count("unchecked_evaluation_pairs", len(judged.pairs))
            found = {pair: self._finding(pair, answers) for pair in self._checked(judged)}
            wrong = {pair: finding for pair, finding in found.items() if finding is not None}
            gone[judged.query.query_id] = [finding for pair, finding in wrong.items() if pair.label == "positive"]
            negatives = [(pair, finding) for pair, finding in wrong.items() if pair.label == "negative"]
            for _, finding in negatives:
                query = judged.query
                detail = f"{finding.doc_id}: {finding.detail}"
                writer.reject(Reject(query.query_id, "pairs", finding.reason, detail, finding.by, query.query))
            partial = {pair for pair, _ in negatives}
            pairs = tuple(replace(pair, label="partial") if pair in partial else pair for pair in judged.pairs)
            cleared.append(replace(judged, pairs=pairs))
        return withdraw(writer, cleared, gone)

    def _checked(self, judged: JudgedQuery) -> list[Pair]:
        query, settings = judged.query, self.settings
        if query.split != TRAIN or (settings.datasets is not None and query.dataset not in settings.datasets):
            return []
        asked = {"positive": settings.positives_from, "negative": settings.negatives_below, "partial": None}
        return [pair for pair in judged.pairs if pair.source == "human" and asked[pair.label] is not None]

    def _finding(self, pair: Pair, answers: AnswersOf) -> Withdrawn | None:
        """Returns why a pair does not stay as it is labelled, or None."""
        answered = answers.get((pair.query_id, pair.doc_id))
        if answered is None:
            return None
        key, answer = answered.request.key, answer_of(GradedAnswer, answered)
        if isinstance(answer, Unanswered):
            return Withdrawn(pair.doc_id, answer.reason, answer.detail, key)
        least, most = self.settings.positives_from, self.settings.negatives_below
        told = f"graded {answer.grade}, filter.quality"
        reason = one_line(answer.reason) or "-"
        if pair.label == "positive" and least is not None and answer.grade < least:
            return Withdrawn(pair.doc_id, "wrong_positive", f"{told}.positives_from is {least}: {reason}", key)
        if pair.label == "negative" and most is not None and answer.grade >= most:
            return Withdrawn(pair.doc_id, "wrong_negative", f"{told}.negatives_below is {most}: {reason}", key)
        return None


def pair_request(prompt: Prompt, llm: Llm, query: Query, doc_id: str, document: tuple[str | None, str]) -> Request:
    """Returns the request about a query and a document, (title, text)."""
    title, text = document
    body = shortened(text, DOCUMENT_TOKENS)
    inputs = {
        "instruction": instruction_of(query),
        "query": shortened(query.query, _QUERY_TOKENS),
        "document": f"{shortened(one_line(title), _TITLE_TOKENS)}\n{body}" if title else body,
    }
    return request_about(prompt, llm, "quality", [query.query_id, doc_id], inputs)


def _texts(job: Job, doc_ids: set[str]) -> Mapping[str, tuple[str | None, str]]:
    """Returns title and text by id, texts only as far as they can be shown: whole ones may be long."""
    if not doc_ids:
        return {}
    found = job.lookup("documents", "doc_id", doc_ids, ("doc_id", "title", "text"))
    rows = zip(*(found.column(name).to_pylist() for name in ("doc_id", "title", "text")), strict=True)
    return {doc_id: (title, text[: 4 * DOCUMENT_TOKENS + 1]) for doc_id, title, text in rows}
