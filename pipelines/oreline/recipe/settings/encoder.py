"""The encoder whose vectors are searched."""

from typing import Literal

from pydantic import Field

from oreline.recipe.settings.base import OPERATIONAL, Count, Settings


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
