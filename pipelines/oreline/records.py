"""The tables' row types: what stands in a Parquet file of each table, column by column.

`schemas/<table>.schema.json` mirrors these classes (`make schemas`); `oreline.tables.schema` gives the Arrow schema.
Every type here is a frozen dataclass whose fields are columns, in order. `str | None` is a nullable column.
"""

from dataclasses import dataclass, field
from typing import Literal, TypeVar, cast

Content = Literal["text", "code"]
DocumentOrigin = Literal["source", "generated"]
QueryOrigin = Literal["human", "synthetic", "extractive"]
TaskType = Literal[
    "retrieval",
    "question_answering",
    "fact_checking",
    "sentence_similarity",
    "classification",
    "clustering",
    "code_retrieval",
    "summarization",
    "bitext",
]
Label = Literal["positive", "partial", "negative"]
PairSource = Literal["human", "seed", "generated", "class", "relabel"]
Side = Literal["document", "query"]
Fate = Literal["merged", "passed_over", "dropped"]
BenchmarkRole = Literal["query", "relevant", "other", "text"]
BenchmarkMatch = Literal["exact", "contains", "contained", "near"]
Shortage = Literal["corpus", "spare", "judged"]
LikelihoodSource = Literal["exact", "graded"]


T = TypeVar("T")


def column(doc: str, *, unit: str | None = None, default: T | None = None, required: bool = False) -> T:
    """Declares a column with the sentence that `schemas/` and `oreline show` print about it."""
    metadata = {"doc": doc} | ({"unit": unit} if unit else {})
    if required:
        return cast("T", field(metadata=metadata))
    return cast("T", field(default=default, metadata=metadata))


@dataclass(frozen=True)
class Document:
    """One searchable or trainable text: a document, or a chunk of one."""

    doc_id: str = column("`<dataset>/<own id>`; a chunk's own id is `<parent>#<position>`.", required=True)
    dataset: str = column("Name of the dataset.", required=True)
    text: str = column("The body, as read.", required=True)
    content_hash: str = column("sha256 of the normalised title and text.", required=True)
    text_hash: str = column("sha256 of the normalised text.", required=True)
    title: str | None = column("The title; rendered before the text by the encoder's document prefix.")
    content: Content = column("What normalisation may ignore: case and punctuation count in code.", default="text")
    lang: str | None = column("ISO 639 code as the source states it.")
    parent_id: str | None = column("The document that this one was cut or derived from; siblings share it.")
    position: int | None = column("Place among the chunks of the parent, from 0.", unit="chunks")
    group: str | None = column("Documents of one group and dataset say the same thing, e.g. translations.")
    origin: DocumentOrigin = column("Whether it stood in a source or was written by a stage.", default="source")
    searchable: bool = column("Whether it belongs to the corpus that is mined.", default=True)
    tokens: int | None = column("Estimated length of the text.", unit="tokens")
    metadata: str | None = column("The source's other fields, as JSON.")


@dataclass(frozen=True)
class Lineage:
    """Where a written query came from."""

    writer: str = column("Name of the writer, as in the recipe.", required=True)
    doc_ids: list[str] = column("Documents that the writer was shown.", required=True)
    prompt_id: str | None = column("Id of the prompt file.")
    prompt_version: int | None = column("Version of the prompt file.")
    model: str | None = column("Model that answered.")
    request_key: str | None = column("Key of the answer in the journal.")
    attempt: int | None = column("Attempt whose answer was used, from 0.")
    place: int | None = column("Place of the query within the answer, from 0.")
    drawn: str | None = column("What was drawn or chosen for it, such as a persona or a length, as JSON.")


@dataclass(frozen=True)
class Rating:
    """The rater's verdict on a query."""

    grade: int = column("Would somebody type this? 0 (nobody) to 3 (surely).", required=True)
    reason: str | None = column("The rater's reason.")
    model: str | None = column("Model that rated.")
    request_key: str | None = column("Key of the answer in the journal.")


@dataclass(frozen=True)
class Query:
    """One query of a person, a model or an extractive writer."""

    query_id: str = column("`<dataset>/<own id>`.", required=True)
    dataset: str = column("Name of the dataset.", required=True)
    query: str = column("The query's text, without prefix.", required=True)
    query_hash: str = column("sha256 of the query after NFKC, case folding and white space.", required=True)
    task_type: TaskType = column("Drives the encoder's prefixes.", default="retrieval")
    instruction: str | None = column("What is to be found, in free text.")
    lang: str | None = column("ISO 639 code.")
    split: str = column("Split of the dataset.", default="train")
    origin: QueryOrigin = column("Who wrote it.", default="human")
    group: str | None = column("Class label, for classification data.")
    lineage: Lineage | None = column("How it was written; null for a human's.")
    rating: Rating | None = column("The rater's verdict; null if it was not rated.")
    logprob: float | None = column(
        "Mean log-probability of the tokens that wrote it, natural logarithm, to 4 digits; null if it is not known."
    )
    unsafe: str | None = column("What the safety question found; null if it found nothing or was not asked.")


@dataclass(frozen=True)
class Pair:
    """One judgement: how a document relates to a query."""

    query_id: str = column("The query.", required=True)
    doc_id: str = column("The document.", required=True)
    label: Label = column("positive, partial (neither positive nor negative) or negative.", required=True)
    source: PairSource = column("Who says so.", required=True)
    grade: float | None = column("The judgement's own value, where it is graded.")


@dataclass(frozen=True)
class FurtherVector:
    """The same text's vector by one of `mine.encoders`."""

    miner: str = column("Name of the miner that searches this encoder's vectors.", required=True)
    vector_key: str = column("Key in that encoder's store.", required=True)


@dataclass(frozen=True)
class VectorRow:
    """One text that has a vector in the store."""

    id: str = column("doc_id or query_id.", required=True)
    side: Side = column("Which of the two.", required=True)
    vector_key: str = column("Key in the store: sha256 of the encoder's identity and the rendered text.", required=True)
    others: list[FurtherVector] | None = column("By further encoders, sorted by miner; null if there are none.")


@dataclass(frozen=True)
class Scored:
    """A document with its exact rank and score for a query."""

    doc_id: str = column("The document.", required=True)
    rank: int = column("1 + the documents ahead of it that are not positives of the query.", required=True)
    score: float = column(
        "Reference score: float64 dot product of stored unit vectors, -1 to 1; or the score of a file.", required=True
    )


@dataclass(frozen=True)
class Hit:
    """What one miner said about a pool document."""

    miner: str = column("Name of the miner.", required=True)
    rank: int = column("Rank in that miner's list, from 1, positives and excluded documents left out.", required=True)
    score: float | None = column("That miner's score; null for an imported list that has an order and no scores.")


@dataclass(frozen=True)
class PoolEntry:
    """A document that may become a negative."""

    doc_id: str = column("The document.", required=True)
    score: float = column("The reference miner's score, -1 to 1 for a dense one.", required=True)
    hits: list[Hit] = column("Each miner that found it; empty for a spare one.", required=True)


@dataclass(frozen=True)
class Candidate:
    """What mining found for one query."""

    query_id: str = column("The query.", required=True)
    positives: list[Scored] = column("All positives, exactly ranked and scored.", required=True)
    known: list[Scored] = column("All known negatives, exactly ranked and scored.", required=True)
    pool: list[PoolEntry] = column("top_k and spare documents, best reference score first.", required=True)


@dataclass(frozen=True)
class Judgement:
    """One scorer's verdict on (query, document)."""

    query_id: str = column("The query.", required=True)
    doc_id: str = column("The document.", required=True)
    scorer: str = column("Name of the scorer.", required=True)
    value: float = column(
        "The scorer's value: listwise and graded 0 to 3; likelihood see likelihood_source; cross_encoder its score.",
        required=True,
    )
    verdict: str | None = column("relevant, partly_relevant or irrelevant, where the scorer says so.")
    reason: str | None = column("The scorer's reason.")
    model: str | None = column("Model that answered.")
    request_key: str | None = column("Key of the answer in the journal that graded this document, now or before.")
    likelihood_source: LikelihoodSource | None = column(
        "What a likelihood is: exact, the log-probability of the query given the document; graded, a grade of 0 to 10."
    )


@dataclass(frozen=True)
class TriplePositive:
    """A positive of a training row."""

    doc_id: str = column("The document.", required=True)
    content_hash: str = column("Its content, to mask equal texts in a batch.", required=True)
    source: PairSource = column("Who says that it is positive.", required=True)
    score: float | None = column("Reference score.")
    grade: float | None = column("The judge's grade, 0 to 3; else the pair's own.")


@dataclass(frozen=True)
class TripleNegative:
    """A hard negative of a training row."""

    doc_id: str = column("The document.", required=True)
    content_hash: str = column("Its content, to mask equal texts in a batch.", required=True)
    miner: str = column("Who found it; `known` for given ones.", required=True)
    rank: int | None = column("Rank in that miner's list, from 1.")
    score: float | None = column("Reference score.")
    grade: float | None = column("The judge's grade, 0 to 3.")
    fused: float | None = column("Reciprocal-rank-fusion score over the scorers.")


@dataclass(frozen=True)
class Triple:
    """One training row: a query, its positives and its hard negatives."""

    query_id: str = column("The query.", required=True)
    query_hash: str = column("The query's text, to mask equal queries in a batch.", required=True)
    dataset: str = column("Name of the dataset.", required=True)
    split: str = column("Split of the dataset.", required=True)
    positives: list[TriplePositive] = column("At least one.", required=True)
    negatives: list[TripleNegative] = column("At most `select.negatives`, known ones first.", required=True)
    weight: float = column("Sampling weight.", default=1.0)
    group: str | None = column("Class label, for classification data.")
    short: Shortage | None = column("Why the row has fewer negatives than asked for.")
    lineage: Lineage | None = column("How the query was written; null for a human's.")


@dataclass(frozen=True)
class FateRow:
    """What became of a unit that a stage did not keep."""

    unit_id: str = column("The unit; what that is depends on the stage.", required=True)
    fate: Fate = column(
        "merged into another, passed over by a rule, or dropped (then it is a reject too).", required=True
    )
    into: str | None = column("What it was merged into.")


@dataclass(frozen=True)
class Reject:
    """A dropped row, with the reason."""

    row_id: str = column("The row's id; `<dataset>/<path>:<line or row>` for one that cannot be parsed.", required=True)
    table: str = column("The table that it would have stood in.", required=True)
    reason: str = column("A fixed code; see `oreline show --rejects`.", required=True)
    detail: str = column("A sentence that states what was found.", required=True)
    by: str | None = column("Which duplicate, rule or answer.")
    payload: str | None = column("The row itself, as text, cut at 10,000 characters.")


@dataclass(frozen=True)
class Contamination:
    """One match of a training row with a text of a benchmark."""

    row_id: str = column("The training document or query.", required=True)
    table: Literal["documents", "queries"] = column("The table that it stands in.", required=True)
    benchmark: str = column("Name of the benchmark.", required=True)
    test_row: str = column("The text in the benchmark: `queries/<id>`, `corpus/<id>`, `<file>:<line>`.", required=True)
    role: BenchmarkRole = column(
        "A test query, a document relevant in the qrels, another document, or a text that is query and document.",
        required=True,
    )
    match: BenchmarkMatch = column(
        "The training row equals the test text, contains it, is contained in it, or is nearly the same.", required=True
    )
    share: float = column(
        "Share of the shorter text's words in shared runs, 0 to 1; Jaccard similarity for `near`.", required=True
    )
    dropped: bool = column("Whether the training row was dropped for a match; else it is only reported.", required=True)
    text: str = column("The training row's text, cut.", required=True)
    test_text: str = column("The test text, cut.", required=True)
    equal_rows: int = column("Rows of the benchmark that have this text and role.", required=True)
    task: str | None = column("The benchmark's MTEB task.")


@dataclass(frozen=True)
class Signature:
    """What dedup remembers of a document, kept or dropped, so that a later corpus can be compared with it."""

    doc_id: str = column("The document.", required=True)
    dataset: str = column("Its dataset.", required=True)
    content: Content = column("What normalisation may ignore.", required=True)
    content_hash: str = column("sha256 of the normalised title and text.", required=True)
    cluster: str | None = column("Smallest doc_id of its cluster, known documents included; null if it is alone.")
    keeper: str | None = column("The document that it was dropped for; null if it was kept.")
    signature: bytes | None = column("MinHash values, uint32 little-endian; null for a text shorter than a shingle.")
    shingles: bytes | None = column(
        "Sorted distinct hashes of its n-grams, uint32 little-endian; null unless dedup.remember is shingles."
    )


ROW_TYPES: dict[str, type] = {
    "documents": Document,
    "queries": Query,
    "pairs": Pair,
    "vectors": VectorRow,
    "candidates": Candidate,
    "judgements": Judgement,
    "triples": Triple,
    "signatures": Signature,
    "fates": FateRow,
    "rejects": Reject,
    "contamination": Contamination,
}
"""Every table's row type, by the name that it has in recipes, folders and code."""

ID_COLUMN: dict[str, str] = {
    "documents": "doc_id",
    "queries": "query_id",
    "pairs": "query_id",
    "vectors": "id",
    "candidates": "query_id",
    "judgements": "query_id",
    "triples": "query_id",
    "signatures": "doc_id",
    "fates": "unit_id",
    "rejects": "row_id",
    "contamination": "row_id",
}
"""The column whose hashes a part sums up, so that books can be balanced."""
