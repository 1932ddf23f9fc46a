"""Benchmarks that must not be trained on."""

from typing import Annotated, Literal

from pydantic import Field

from oreline.recipe.settings.base import Settings

BenchmarkFormat = Literal["beir", "mteb", "text"]


class BenchmarkColumns(Settings):
    """Which columns of an `mteb` file hold what; a column may hold one text or a list of them.

    Naming any column here replaces the defaults. A column that a row lacks is an error.
    """

    query: list[str] | None = None
    """Columns with test queries; default: `query` and `queries`."""
    relevant: list[str] | None = None
    """Columns with documents that answer the row's query; default: `positive`, `pos`, `positives`."""
    other: list[str] | None = None
    """Columns with documents that do not; default: `negative`, `neg`, `negatives`."""
    text: list[str] | None = None
    """Columns with texts that are both; default: `text`, `texts`, `sentence1`, `sentence2`, `sentences`, `sent1`,
    `sent2`, `human_summaries`, `machine_summaries`."""


class Benchmark(Settings):
    """One evaluation set."""

    path: str
    """A BEIR folder, a file or folder of JSON lines, of Parquet, or of plain text; local or remote."""
    format: BenchmarkFormat | None = None
    """`beir`: corpus, queries and qrels (tsv, jsonl or Parquet); `mteb`: rows with texts, pairs or a query and its
    documents; `text`: plain text. Default: guessed from the path."""
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")] | None = None
    """Name in reports; default: the path's last name."""
    task: str | None = None
    """Name of the MTEB task, to compare with `sources[].mteb_task`."""
    split: str | list[str] | None = None
    """Qrels of a BEIR folder that are tested with, by name; default: all but `train`."""
    relevant_from: float = 1.0
    """Least grade of a relevant document."""
    columns: BenchmarkColumns = BenchmarkColumns()
    """Column mapping, for `mteb`."""
    unit: Literal["line", "file"] | None = None
    """What is one text, for `text`; default: a line of a file, a whole file of a folder."""


class Decontaminate(Settings):
    """Evaluation sets, and what happens to training rows that match them."""

    against: list[Benchmark] = Field(default=[])
    """The evaluation sets; a bare path is short for {path: ...}. Without one, nothing is compared."""
    queries: Literal["drop", "report"] = "drop"
    """What happens to training queries that match a test query or a relevant document."""
    documents: Literal["relevant", "all", "report"] = "relevant"
    """Which documents are dropped: those that match a relevant one, those that match anything, or none."""
    ngram: Annotated[int, Field(ge=3, le=64)] = 8
    """Fewest words of a run that two texts share for the run to count; shorter texts match as a whole only."""
    containment: Annotated[float, Field(gt=0.0, le=1.0)] = 0.6
    """Share of the shorter text's words in shared runs from which it counts as contained in the longer one."""
    near: Annotated[float, Field(gt=0.0, le=1.0)] | None = 0.8
    """Jaccard similarity of character 5-grams from which texts of up to 64 words match; null: not compared."""
