"""Cases: a query with the documents that are judged for it, and what is found out about each of them."""

from collections.abc import Iterable
from dataclasses import dataclass

from oreline.judging.grades import verdict_of
from oreline.recipe.settings import GRADING, STRONG, Judge
from oreline.records import Judgement, LikelihoodSource


@dataclass(frozen=True)
class Case:
    """A query as it is shown, the documents judged for it, and which of them are its labelled positives."""

    query_id: str
    query: str
    instruction: str
    doc_ids: list[str]
    positives: list[str]


@dataclass(frozen=True)
class Found:
    """What a scorer says about a document of a query.

    Either a `value`, or the `reject` code and the sentence `detail` that stand for it. `source` is what a likelihood
    rests on. `request_key` is that of the call that really was about the document, however long ago; `payload` the raw
    answer that cannot be used.
    """

    query_id: str
    doc_id: str
    scorer: str
    value: float | None = None
    reason: str | None = None
    model: str | None = None
    request_key: str | None = None
    source: LikelihoodSource | None = None
    reject: str | None = None
    detail: str | None = None
    payload: str | None = None

    @property
    def unit(self) -> str:
        """The unit that it is about."""
        return unit_id(self.query_id, self.doc_id, self.scorer)


def unit_id(query_id: str, doc_id: str, scorer: str) -> str:
    """Returns the id of a unit of judge: query, document and scorer, tabs between them. It is never taken apart."""
    return f"{query_id}\t{doc_id}\t{scorer}"


def stated_verdict(found: Found, settings: Judge) -> str | None:
    """Returns the verdict that a value stands for, None where its scorer states none."""
    if found.value is None:
        return None
    kind = found.scorer.removesuffix(STRONG)
    if kind in GRADING:
        return verdict_of(found.value)
    measured = settings.cross_encoder
    if kind != "cross_encoder" or measured is None or measured.relevant_from is None:
        return None
    if found.value >= measured.relevant_from:
        return "relevant"
    partly = measured.partly_from is not None and found.value >= measured.partly_from
    return "partly_relevant" if partly else "irrelevant"


def judgements_of(found: Iterable[Found], settings: Judge) -> list[Judgement]:
    """Returns the rows of what has a value."""
    return [
        Judgement(
            query_id=each.query_id,
            doc_id=each.doc_id,
            scorer=each.scorer,
            value=each.value,
            verdict=stated_verdict(each, settings),
            reason=each.reason,
            model=each.model,
            request_key=each.request_key,
            likelihood_source=each.source,
        )
        for each in found
        if each.value is not None
    ]
