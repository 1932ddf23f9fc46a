"""The models that write, rate and judge."""

from typing import Annotated, Literal, Self, cast

from pydantic import Field, model_validator

from oreline.recipe.settings.base import OPERATIONAL, Count, CountOrZero, Settings

HarmCategory = Literal["harassment", "hate_speech", "sexually_explicit", "dangerous_content", "civic_integrity"]
Threshold = Literal["off", "none", "only_high", "medium_and_above", "low_and_above"]


class TokenPrice(Settings):
    """What a model costs, in US dollars per million tokens."""

    input: Annotated[float, Field(ge=0)]
    """A token of the prompt."""
    output: Annotated[float, Field(ge=0)]
    """A token of the answer, thinking included."""
    cached: Annotated[float, Field(ge=0)] | None = None
    """A token of the prompt that the provider had cached; default: as any other."""
    batch: Annotated[float, Field(ge=0, le=1)] | None = None
    """Share of the price that batch mode costs; default: there is none."""


class ModelSettings(Settings):
    """One model: where it is, how it is asked, and how fast."""

    provider: Literal["gemini", "openai"] = "gemini"
    """Who is asked: Gemini, or OpenAI, or with `base_url` any server that speaks its protocol (vLLM, Ollama)."""
    model: str
    """The model's name, as the provider has it."""
    share: Annotated[float, Field(gt=0)] = 1.0
    """This model's part of the work beside `further_models`, relative to theirs."""
    base_url: str | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Another address of the provider's protocol, for openai with its /v1; without it, the provider itself."""
    server: str | None = None
    """Name of the server behind `base_url`; it enters the journal's keys instead of the address."""
    project: str | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Google Cloud project; with it Gemini is called through Vertex AI, by the machine's default credentials."""
    location: str | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Region of Vertex AI; default: global."""
    key_variable: str | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Environment variable that holds the key, which never stands in a recipe itself; default: the provider's own, none
    for openai with `base_url`."""
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    """Sampling temperature; default: the provider's. Gemini from 3.5 Flash-Lite and 3.6 on takes it and does not heed
    it."""
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    """Nucleus sampling; default: the provider's. The same Gemini models do not heed it."""
    seed: int | None = None
    """Seed of the provider's sampling, where it has one; default: none."""
    thinking_budget: Annotated[int, Field(ge=-1)] | None = None
    """Most tokens of thinking, 0 for none, -1 for as many as the model likes; default: the provider's. OpenAI itself
    takes 0 alone; Gemini takes it beside no `thinking_level`."""
    thinking_level: Literal["minimal", "low", "medium", "high"] | None = None
    """How much a model thinks that takes a level instead of a budget; default: the provider's."""
    safety: dict[HarmCategory, Threshold] | None = None
    """Gemini's safety filters; default: the provider's."""
    logprobs: bool = False
    """Whether the log-probabilities of an answer's tokens are asked for and kept; Gemini has them before 3 alone,
    OpenAI's models only while they do not think, and a recipe that asks others for them is refused."""
    max_output_tokens: Count = 2048
    """Longest answer, thinking left out. Providers count thinking against the limit that is sent to them, so room is
    added: `thinking_budget`, or 2,048 to 32,768 by `thinking_level`, or 16,384; for an openai server behind `base_url`
    only if one of the two is set, as its context may be small."""
    concurrency: Count = Field(default=32, json_schema_extra=OPERATIONAL)
    """Most calls in flight, over all workers; fewer while the provider is overloaded."""
    requests_per_minute: Count | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Most calls per minute, over all workers; default: no limit but the provider's."""
    tokens_per_minute: Count | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Most prompt and output tokens per minute, over all workers; default: no limit but the provider's."""
    timeout: Annotated[float, Field(gt=0)] = Field(default=120.0, json_schema_extra=OPERATIONAL)
    """Seconds until a call is given up and tried again."""
    call_attempts: Count = Field(default=6, json_schema_extra=OPERATIONAL)
    """How often a call is tried that gets no reply: overload, timeouts, broken connections."""
    call_seconds: Annotated[float, Field(gt=0)] = Field(default=300.0, json_schema_extra=OPERATIONAL)
    """Seconds after which such a call is not tried again."""
    price: TokenPrice | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """What the model costs; default: as in the dated price file, if it knows the model."""

    def __hash__(self) -> int:
        # Settings hash field by field, and the safety filters and further models are no hashable fields.
        return hash(self.model_dump_json())


class Llm(ModelSettings):
    """The model that writes, rates and judges; `further_models` share its work."""

    further_models: list[ModelSettings] = Field(default=[])
    """More models, each with a part of the documents; a key that one leaves out is as in the section itself. But share
    and price are its own, so are address and key where it names provider, base_url or project, and so is its thinking
    where it names a budget or a level."""
    attempts: Count = 2
    """Answers asked for at most when earlier ones cannot be used."""
    workers: Count = Field(default=1, json_schema_extra=OPERATIONAL)
    """Processes that call."""
    budget_usd: Annotated[float, Field(ge=0)] | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """The run stops before more is spent on this output; default: 5 dollars where the models' prices are known."""
    budget_tokens: CountOrZero | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """The run stops before more prompt and output tokens are used for this output."""

    @model_validator(mode="before")
    @classmethod
    def _inherit(cls, section: object) -> object:
        """Gives further models what they leave out, so that each stands on its own in the recipe as run."""
        further = section.get("further_models") if isinstance(section, dict) else None
        if not isinstance(further, list):
            return section
        own = {name: value for name, value in cast("dict[str, object]", section).items() if name in _INHERITED}
        return {**cast("dict[str, object]", section), "further_models": [_completed(each, own) for each in further]}

    def members(self) -> tuple[Self, ...]:
        """Returns the models of the section, each as a section of its own without further ones."""
        names = ModelSettings.model_fields
        return (
            self.model_copy(update={"further_models": []}),
            *(
                self.model_copy(update={"further_models": [], **{name: getattr(each, name) for name in names}})
                for each in self.further_models
            ),
        )


_INHERITED = frozenset(ModelSettings.model_fields) - {"model", "share", "price"}
_THINKING = frozenset({"thinking_budget", "thinking_level"})
_ADDRESS = frozenset({"base_url", "server", "project", "location", "key_variable", "safety"})


def _completed(further: object, own: dict[str, object]) -> object:
    if not isinstance(further, dict):
        return further
    elsewhere = bool({"provider", "base_url", "project"} & set(further))
    kept = {name: value for name, value in own.items() if not (elsewhere and name in _ADDRESS)}
    if _THINKING & set(further):  # a budget and a level exclude each other
        kept = {name: value for name, value in kept.items() if name not in _THINKING}
    return {**kept, **further}
