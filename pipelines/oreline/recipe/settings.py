"""Every key of a recipe, with its type, its default and a sentence. `schemas/recipe.schema.json` mirrors this file."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from oreline.ids import Json
from oreline.records import Content, TaskType

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=1)]
CountOrZero = Annotated[int, Field(ge=0)]
OPERATIONAL: dict[str, Json] = {"operational": True}
"""Marks a key that cannot change what comes out: it enters no fingerprint."""

SourceFormat = Literal["jsonl", "parquet", "csv", "tsv", "beir", "markdown", "text", "python-docs"]


class Settings(BaseModel):
    """A section of the recipe: strict types, no unknown keys, no change after reading."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )


class Columns(Settings):
    """Which columns of a table source hold what; a column that is not named here goes into `metadata`."""

    id: str | None = None
    """Column with the row's own id; default: `_id`, `id` or `doc_id` if there is one."""
    title: str | None = None
    """Column with the title; default: `title` if there is one."""
    text: str | None = None
    """Column with the text; default: `text`, `content`, `body`, `passage` or `document`, whichever comes first."""
    query: str | None = None
    """Column with a query of which the row's text is a positive; default: `query` or `anchor` if there is one."""
    positive: str | None = None
    """Column with the positive's text, if it is not in `text`; default: `positive` if there is one."""
    negative: str | None = None
    """Column with a known negative's text, or a list of them; default: `negative` if there is one."""
    lang: str | None = None
    """Column with the language code; default: `lang` if there is one."""


class Chunking(Settings):
    """How a long document is cut: at headings first, then at paragraphs and sentences."""

    tokens: Count = 400
    """Budget of a chunk, title left out, in estimated tokens (4 characters, or 1 for scripts without spaces)."""
    enabled: bool = True
    """Whether to chunk at all."""


class Source(Settings):
    """One source of documents, and perhaps queries and pairs."""

    path: str
    """File, folder or glob; local or any file system that Beam knows (`gs://...`). `stdlib` for python-docs."""
    format: SourceFormat | None = None
    """Default: guessed from the path."""
    dataset: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")] | None = None
    """Name in all ids; default: the path's last name."""
    columns: Columns = Columns()
    """Column mapping, for jsonl, parquet, csv and tsv."""
    chunking: Chunking | None = None
    """Default: on with 400 tokens for markdown, text and python-docs, off elsewhere. An error where there are pairs."""
    content: Content | None = None
    """`text` or `code`; default: text."""
    parent: str | None = None
    """Column, or regular expression over the own id whose first group is the parent's id: its chunks are siblings."""
    group: str | None = None
    """Column or regular expression, as `parent`: equal values mark equivalent documents, such as translations."""
    split: str | list[str] | None = None
    """Qrels files to read, by name without `.tsv`; default: all."""
    positive_from: float = 1.0
    """Least grade of a positive; between 0 and this, a pair is `partial`; at 0 or less, a known negative."""
    task_type: TaskType = "retrieval"
    """Task of this source's own queries."""
    instruction: str | None = None
    """Instruction of this source's own queries."""
    lang: str | None = None
    """Language of documents and queries that state none."""
    limit: Count | None = None
    """At most this many documents, chosen by a hash of the id; default: all."""
    reject_share: Share = 0.01
    """Largest share of unreadable rows; above it the stage stops."""
    max_tokens: Count = 100_000
    """Longer documents are rejected when they are not chunked, in estimated tokens."""


class Llm(Settings):
    """The model that writes, rates and judges."""

    provider: Literal["gemini"] = "gemini"
    """Who is asked."""
    model: str
    """The model's name, as the provider has it."""
    base_url: str | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Another address of the provider's protocol."""
    server: str | None = None
    """Name of the server behind `base_url`; it enters the journal's keys instead of the address."""
    temperature: float | None = None
    """Sampling temperature; default: the provider's."""
    max_output_tokens: Count = 2048
    """Longest answer."""
    attempts: Count = 2
    """Answers asked for at most when earlier ones cannot be used."""
    concurrency: Count = Field(default=32, json_schema_extra=OPERATIONAL)
    """Calls in flight, over all workers."""
    workers: Count = Field(default=1, json_schema_extra=OPERATIONAL)
    """Processes that call."""
    timeout: Annotated[float, Field(gt=0)] = Field(default=120.0, json_schema_extra=OPERATIONAL)
    """Seconds until a call is given up and tried again."""
    budget_usd: Annotated[float, Field(ge=0)] | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """The run stops before it spends more; default: 5 dollars where the model's price is known."""
    budget_tokens: CountOrZero | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """The run stops before it uses more prompt and output tokens."""


class Encoder(Settings):
    """The model whose vectors are searched: the one that is being trained."""

    model: str = "minilm"
    """`minilm` for the packaged weights, a hub id, or a folder."""
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """auto: bfloat16 on a GPU or where the CPU computes it natively, else float32."""
    max_tokens: Count | None = None
    """Texts are cut here; default: the model's own limit."""
    device: str = Field(default="auto", json_schema_extra=OPERATIONAL)
    """`auto`, `cpu`, `cuda` or `cuda:1`."""
    threads: Count | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """CPU threads per worker; default: all cores, divided by the workers."""
    query_prefix: str | None = None
    """Before every query; default: by the registry of model families."""
    document_prefix: str | None = None
    """Before every document; may hold `{title}`; default: by the registry."""


class Dedup(Settings):
    """Near-duplicate documents, by MinHash over word n-grams."""

    enabled: bool = True
    """Whether the stage runs."""
    threshold: Share = 0.8
    """Jaccard similarity from which documents are near-duplicates."""
    ngram: Count = 5
    """Words per shingle."""
    bands: Count = 14
    """Bands of the signature."""
    rows: Count = 8
    """Rows of a band: bands x rows permutations."""


class Synthesize(Settings):
    """Queries written from documents."""

    enabled: bool = True
    """Whether the stage runs."""
    writers: Annotated[list[str], Field(min_length=1)] | None = None
    """Writers; default: retrieval/fret with an LLM, else extractive/title and extractive/inverse_cloze."""
    per_document: Count = 2
    """Queries an LLM writer writes for a document."""
    sample: Count | None = None
    """About how many documents are written for, chosen by a hash of the id; default: all."""
    datasets: list[str] | None = None
    """Datasets that are written for; default: all if `writers` is set, else those that bring no pairs."""
    llm: Llm | None = None
    """A model for this stage alone."""


class Rater(Settings):
    """The LLM that rates queries: would somebody type this?"""

    prompt: str = "filter/rater"
    """The prompt."""
    keep_from: Annotated[int, Field(ge=0, le=3)] = 2
    """Least grade, 0 to 3, of a query that stays."""
    human: bool = False
    """Whether human queries are rated too."""
    llm: Llm | None = None
    """A model for the rater alone."""


class Filter(Settings):
    """Noisy and repeated queries."""

    enabled: bool = True
    """Whether the stage runs."""
    rules: Literal["default", "none"] = "default"
    """The free rules: words, language, repeated characters, verbatim copy. Human queries are exempt."""
    min_words: CountOrZero = 2
    """Fewest words of a written query; 4 characters count as a word in scripts without spaces."""
    max_words: Count = 120
    """Most words of a written query."""
    duplicates: Literal["drop", "keep"] = "drop"
    """Whether near-duplicate queries with equal positives are dropped. Equal queries are always merged."""
    rater: Rater | None = Rater()
    """The rater; skipped without an LLM; null switches it off."""


class PercentCeiling(Settings):
    """A negative scores less than r - (1 - p)|r|, r the lowest score among the row's positives (NV-Retriever)."""

    percent_of_positive: Share = 0.95
    """The share p."""


class MarginCeiling(Settings):
    """A negative scores less than r - margin."""

    margin: Annotated[float, Field(ge=0.0, le=2.0)]
    """The margin, in cosine similarity."""


class ScoreCeiling(Settings):
    """A negative scores less than a fixed value."""

    score: Annotated[float, Field(ge=-1.0, le=1.0)]
    """The value, in cosine similarity."""


Ceiling = PercentCeiling | MarginCeiling | ScoreCeiling | Literal["none"]


class Mine(Settings):
    """Search for hard negatives."""

    miners: Annotated[list[Literal["dense"]], Field(min_length=1)] = ["dense"]
    """Who searches; the first is the reference."""
    top_k: Annotated[int, Field(ge=1, le=1000)] = 100
    """Candidates per query."""
    within: Literal["dataset", "all"] | list[str] = "dataset"
    """What is searched for a query: its dataset, everything, or the datasets listed."""
    ceiling: Ceiling = PercentCeiling()
    """Below it the spare documents are found."""
    spare: CountOrZero = 20
    """Best documents below the ceiling that each query gets besides the top k."""


class Judge(Settings):
    """Scores for (query, document)."""

    enabled: bool = True
    """Whether the stage runs; it is skipped without an LLM."""
    scorers: Annotated[list[Literal["listwise"]], Field(min_length=1)] = ["listwise"]
    """Who scores."""
    top_k: Annotated[int, Field(ge=1, le=25)] = 20
    """How many of the pool are shown."""
    llm: Llm | None = None
    """A model for this stage alone."""


class RoundTrip(Settings):
    """A positive should be found again by its own query (Promptagator)."""

    rank: Count = 20
    """Largest rank of a positive that passes."""
    action: Literal["annotate", "drop", "off"] = "annotate"
    """What happens to a query whose best positive fails."""


class Gates(Settings):
    """What a query must pass."""

    round_trip: RoundTrip = RoundTrip()
    """By exact rank."""
    positive_grade: Annotated[int, Field(ge=0, le=3)] = 2
    """Least grade of a positive, where a judge graded it."""


class Relabel(Settings):
    """What a judge's verdicts may do to positives, by the query's origin."""

    synthetic: Literal["best", "add", "keep"] = "best"
    """best: the best-judged document becomes the positive; add: relevant ones join; keep: nothing."""
    human: Literal["best", "add", "keep"] = "keep"
    """As above, for human queries."""
    extractive: Literal["best", "add", "keep"] = "keep"
    """As above, for extractive ones."""


class Select(Settings):
    """Which rows are made, and which negatives they get."""

    gates: Gates = Gates()
    """What a query must pass: round trip and grade."""
    relabel: Relabel = Relabel()
    """What verdicts do to positives."""
    ceiling: Ceiling = PercentCeiling()
    """What a negative must score less than."""
    window: Annotated[list[Count], Field(min_length=2, max_length=2)] = [1, 10]
    """First and last eligible rank that is picked from."""
    pick: Literal["hardest", "random", "lowest_ranked"] = "random"
    """Which of the window; lowest_ranked needs judged candidates."""
    negatives: CountOrZero = 4
    """Negatives per row; 0 makes pairs and skips embed, mine and judge."""
    near_equal: Share | None = 0.95
    """Word-5-gram Jaccard with a positive from which a document is no negative; null switches the rule off."""
    siblings: Literal["judge", "exclude", "allow"] = "judge"
    """Other chunks of a positive's parent; `judge`: eligible only if a judge found them irrelevant."""
    shortage: Literal["keep", "drop"] = "keep"
    """What happens to rows with fewer negatives than asked for."""


class Export(Settings):
    """Files for a trainer."""

    formats: list[Literal["sentence-transformers", "jsonl"]] = ["sentence-transformers"]
    """What is written."""
    positives: Literal["expand", "first"] = "expand"
    """One row per positive, or only the first."""
    short_rows: Literal["group", "drop"] = "group"
    """Rows with fewer negatives: a file per width, or none."""
    prefixes: bool = False
    """Whether texts carry the encoder's prefixes; leave it off for trainers that add them."""


class StageBeam(Settings):
    """Beam options of one stage."""

    workers: Count | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Local worker processes of this stage."""
    options: list[str] = Field(default=[], json_schema_extra=OPERATIONAL)
    """Further Beam options, as on a command line."""


class Beam(Settings):
    """Where and on how many workers stages run."""

    runner: Literal["local", "dataflow"] = Field(default="local", json_schema_extra=OPERATIONAL)
    """`local` is this machine."""
    workers: Count = Field(default=1, json_schema_extra=OPERATIONAL)
    """Local worker processes."""
    options: list[str] = Field(default=[], json_schema_extra=OPERATIONAL)
    """Further Beam options of every stage, as on a command line."""
    stages: dict[str, StageBeam] = Field(default={}, json_schema_extra=OPERATIONAL)
    """Overrides by stage."""


class Recipe(Settings):
    """A whole recipe."""

    output: str = Field(json_schema_extra=OPERATIONAL)
    """Folder of the run."""
    sources: Annotated[list[Source], Field(min_length=1)]
    """Where the corpus comes from; a bare path is short for {path: ...}."""
    cache: str | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Folder of answers and vectors; default: `<output>/_cache`; may be shared by recipes."""
    seed: int = 13
    """Seed of every draw."""
    llm: Llm | None = None
    """The model; without one, no model is called."""
    encoder: Encoder = Encoder()
    """The model whose vectors are searched."""
    dedup: Dedup = Dedup()
    """Stage dedup."""
    synthesize: Synthesize = Synthesize()
    """Stage synthesize."""
    filter: Filter = Filter()
    """Stage filter."""
    mine: Mine = Mine()
    """Stage mine."""
    judge: Judge = Judge()
    """Stage judge."""
    select: Select = Select()
    """Stage select."""
    export: Export = Export()
    """Stage export."""
    beam: Beam = Field(default=Beam(), json_schema_extra=OPERATIONAL)
    """How it runs."""

    @property
    def cache_folder(self) -> str:
        """The cache, default filled in."""
        return self.cache or f"{self.output.rstrip('/')}/_cache"

    def llm_of(self, stage: Literal["synthesize", "filter", "judge"]) -> Llm | None:
        """Returns the model that a stage calls, or None if it calls none."""
        own = {
            "synthesize": self.synthesize.llm,
            "filter": self.filter.rater.llm if self.filter.rater else None,
            "judge": self.judge.llm,
        }[stage]
        return own or self.llm

    def writers(self) -> Sequence[str]:
        """Returns the writers of `synthesize`, default filled in."""
        if self.synthesize.writers is not None:
            return self.synthesize.writers
        if self.llm_of("synthesize") is not None:
            return ["retrieval/fret"]
        return ["extractive/title", "extractive/inverse_cloze"]
