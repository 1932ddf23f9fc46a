"""Scores for (query, document)."""

from typing import Annotated, Literal

from pydantic import Field

from oreline.recipe.settings.base import OPERATIONAL, Count, Settings
from oreline.recipe.settings.llm import Llm

Scorer = Literal["listwise", "graded", "likelihood", "cross_encoder"]
"""Who may score; see `Judge.scorers`."""

GRADING = ("listwise", "graded")
"""The scorers whose values are grades from 0 to 3."""

STRONG = "/strong"
"""Ends the name of the scorer whose verdicts decide over the others' in a cascade."""


class Likelihood(Settings):
    """How likely a query is, given a document."""

    source: Literal["auto", "exact", "graded"] = "auto"
    """exact: the log-probability of the query's tokens, which a vLLM server gives; graded: a grade from 0 to 10; auto:
    exact for models behind a server of one's own (`base_url`), else graded. Write graded for one that is no vLLM."""
    of: Literal["token", "query"] = "token"
    """What an exact value is the log-probability of: the query's tokens on average, or the whole query, their sum."""


class CrossEncoder(Settings):
    """A model that reads query and document together, on this machine or behind a reranking server."""

    model: str
    """A hub id or a folder; with `server`, the model's name there, which marks its scores in the cache."""
    server: str | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Address of a reranking server, such as http://localhost:8000; default: the model is loaded here."""
    protocol: Literal["rerank", "tei"] = "rerank"
    """How the server is spoken to: rerank as vLLM, Jina and Cohere have it (a path that ends in /rerank), tei as
    Hugging Face's Text Embeddings Inference."""
    key_variable: str | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Environment variable that holds the server's key; default: it is sent none."""
    with_instruction: bool = False
    """Whether the query's instruction stands before it, on a line of its own; for models that were trained so."""
    scores: Literal["model", "raw"] = "model"
    """model: as the model's own configuration makes them, often by a sigmoid; raw: its logits. A server has a say."""
    relevant_from: float | None = None
    """Score from which a document is relevant; default: scores without verdicts."""
    partly_from: float | None = None
    """Score from which a document is partly relevant; default: none is."""
    max_tokens: Count | None = None
    """Query and document together are cut here; default: the model's own limit."""
    batch: Count = 32
    """Pairs in one pass of the model; documents in one call to a server."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """Number format in which the model computes here."""
    device: str = Field(default="auto", json_schema_extra=OPERATIONAL)
    """`auto`, `cpu`, `cuda` or `cuda:1`."""
    concurrency: Count = Field(default=8, json_schema_extra=OPERATIONAL)
    """Most calls to the server in flight, per worker."""
    timeout: Annotated[float, Field(gt=0)] = Field(default=60.0, json_schema_extra=OPERATIONAL)
    """Seconds until a call to the server is given up and tried again."""
    call_attempts: Count = Field(default=6, json_schema_extra=OPERATIONAL)
    """How often a call to the server is tried."""


class Cascade(Settings):
    """A strong judge, asked about what the others flag; its verdict decides over theirs."""

    llm: Llm
    """The strong model."""
    ask_again: Literal["relevant", "partly"] = "relevant"
    """Which documents it is asked about. relevant: those that are no labelled positive and that the others find
    relevant, and labelled positives that they do not; partly: those found partly relevant as well."""
    scorer: Literal["listwise", "graded"] | None = None
    """How it is asked; default: as the first of `scorers` that grades, else listwise."""


class Judge(Settings):
    """Scores for (query, document)."""

    enabled: bool = True
    """Whether the stage runs; it is skipped where a scorer needs an LLM and there is none."""
    scorers: list[Scorer] = Field(default=["listwise"], min_length=1)
    """Who scores. listwise: one call per query; graded: one call per document; likelihood: of the query, given the
    document; cross_encoder: its own section. Ranks by several are fused."""
    top_k: Annotated[int, Field(ge=1, le=25)] = 20
    """How many of the pool are shown."""
    llm: Llm | None = None
    """A model for this stage alone."""
    likelihood: Likelihood = Likelihood()
    """For the scorer likelihood."""
    cross_encoder: CrossEncoder | None = None
    """For the scorer cross_encoder."""
    cascade: Cascade | None = None
    """A strong judge for what the scorers flag; default: none."""

    @property
    def asked(self) -> tuple[Scorer, ...]:
        """The scorers that call a model, in the recipe's order."""
        return tuple(each for each in self.scorers if each != "cross_encoder")

    @property
    def deciding(self) -> tuple[Scorer, ...]:
        """The scorers that state verdicts, in the recipe's order."""
        measured = self.cross_encoder is not None and self.cross_encoder.relevant_from is not None
        return tuple(each for each in self.scorers if each in GRADING or (each == "cross_encoder" and measured))

    @property
    def strong(self) -> Literal["listwise", "graded"]:
        """How the strong judge of the cascade is asked."""
        if self.cascade is not None and self.cascade.scorer is not None:
            return self.cascade.scorer
        return "graded" if next((each for each in self.scorers if each in GRADING), None) == "graded" else "listwise"
