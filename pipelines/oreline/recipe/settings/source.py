"""Where the corpus comes from."""

from typing import Annotated, Literal

from pydantic import Field

from oreline.recipe.settings.base import OPERATIONAL, Count, Settings, Share
from oreline.records import Content, TaskType

SourceFormat = Literal["jsonl", "parquet", "csv", "tsv", "beir", "markdown", "text", "python-docs", "code"]


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
    label: str | None = None
    """Column with the class label, text or a whole number, for rows of texts without queries: it becomes the
    documents' group, so that texts of one class are no negatives of each other (writer classification/labelled)."""


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
    """Default: guessed from the path; `code`, functions and classes of source files, is never guessed."""
    dataset: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")] | None = None
    """Name in all ids; default: the path's last name."""
    columns: Columns = Columns()
    """Column mapping, for jsonl, parquet, csv and tsv."""
    chunking: Chunking | None = None
    """Default: on with 400 tokens for markdown, text, python-docs and code, off elsewhere. An error with pairs.

    For code the tokens are those above which a class is cut into its methods, and a function into parts.
    """
    content: Content | None = None
    """`text` or `code`; default: code for the format code, else text."""
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
    mteb_task: str | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Name of the MTEB task that this is the training data of: a model trained on it is not zero-shot there."""
    limit: Count | None = None
    """At most this many documents, chosen by a hash of the id; default: all."""
    reject_share: Share = 0.01
    """Largest share of unreadable rows; above it the stage stops."""
    max_tokens: Count = 100_000
    """Longer documents are rejected when they are not chunked, in estimated tokens."""

    @property
    def holds(self) -> Content:
        """What its documents hold: `content`, default filled in."""
        return self.content or ("code" if self.format == "code" else "text")
