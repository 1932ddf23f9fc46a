"""Rows of labelled texts: each is a query and a document; positives share its class, known negatives have another."""

from collections.abc import Sequence
from dataclasses import dataclass

from oreline.ids import Json, seeded_fraction
from oreline.llm.requests import Answered
from oreline.records import Document, Pair, Query, Reject
from oreline.writing.chain import rejected
from oreline.writing.generated import generated_document, place_of
from oreline.writing.rows import KIND, lineage_of, query_of
from oreline.writing.work import Work, Written


@dataclass(frozen=True)
class Parents:
    """What texts are conditioned on: who writes, about what, in which language, and what was drawn besides.

    `keys` are those of the calls that listed person and subject.
    """

    person: str
    subject: str
    keys: tuple[str, str]
    language: str
    drawn: dict[str, str]

    def to_json(self) -> dict[str, Json]:
        """Returns what is kept with each row."""
        return {
            "person": self.person,
            "person_key": self.keys[0],
            "subject": self.subject,
            "subject_key": self.keys[1],
            "language": self.language,
            **self.drawn,
        }


@dataclass(frozen=True)
class Labelled:
    """A text with its class: the entry `number`, from 0, of an answer."""

    answered: Answered
    number: int
    label: str
    text: str
    parents: Parents


@dataclass(frozen=True)
class _Row:
    query: Query
    document: Document
    subject: str


def written(work: Work, dataset: str, instruction: str, texts: Sequence[Labelled], seed: int) -> Written:
    """Returns the rows of a draw.

    A positive is a text of the same class about another thing, where there is one, a negative one of another class
    about the same thing: so the class tells them apart, and not the thing. Equal texts are one; a text without a
    fellow is a document without a query. With no query at all there is a reject.
    """
    rows: dict[str, _Row] = {}
    for each in texts:
        row = _row(work, dataset, instruction, each)
        rows.setdefault(row.query.query_hash, row)
    kept = list(rows.values())
    queries: list[Query] = []
    pairs: list[Pair] = []
    for row in kept:
        fellow = _nearest(row, [other for other in kept if _same(row, other)], seed, same_subject=False)
        if fellow is None:
            continue
        queries.append(row.query)
        pairs.append(Pair(row.query.query_id, fellow.document.doc_id, "positive", "class"))
        others = [other for other in kept if other.query.group != row.query.group]
        other = _nearest(row, others, seed, same_subject=True)
        if other is not None:
            pairs.append(Pair(row.query.query_id, other.document.doc_id, "negative", "class"))
    documents = tuple(row.document for row in kept)
    if queries or not texts:
        return Written(tuple(queries), tuple(pairs), documents if queries else ())
    detail = f"{len(kept)} texts, and no two of one class"
    return Written(rejects=(rejected(work, texts[0].answered, detail, "no_class_fellow"),))


def _row(work: Work, dataset: str, instruction: str, labelled: Labelled) -> _Row:
    told: dict[str, Json] = {KIND: labelled.label, **labelled.parents.to_json()}
    query = query_of(
        dataset,
        labelled.text,
        lineage_of(work, labelled.answered, labelled.number, told),
        task_type="classification",
        instruction=instruction,
        lang=labelled.parents.language,
        group=labelled.label,
    )
    document = generated_document(
        dataset,
        labelled.text,
        labelled.answered,
        str(labelled.number),
        lang=labelled.parents.language,
        metadata={"writer": work.writer, **told},
        group=labelled.label,
    )
    return _Row(query, document, str(place_of(labelled.answered.request)))


def _same(row: _Row, other: _Row) -> bool:
    return other is not row and other.query.group == row.query.group


def _nearest(row: _Row, others: Sequence[_Row], seed: int, *, same_subject: bool) -> _Row | None:
    """Returns one of the others, drawn by hash from those about the same thing, or another; from all if none is."""
    fitting = [other for other in others if (other.subject == row.subject) == same_subject] or others
    return min(
        fitting,
        key=lambda other: seeded_fraction(seed, "fellow", row.query.query_id, other.query.query_id),
        default=None,
    )


def no_fellow(work: Work, detail: str) -> Reject:
    """Returns the reject of a text that has no other of its class."""
    return Reject(work.unit, "documents", "no_class_fellow", detail)
