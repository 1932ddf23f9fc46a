"""The model that writes, rates and judges."""

from typing import Annotated, Literal

from pydantic import Field

from oreline.recipe.settings.base import OPERATIONAL, Count, CountOrZero, Settings


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
