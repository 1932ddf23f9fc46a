"""The encoder whose vectors are searched."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from oreline.recipe.settings.base import OPERATIONAL, Count, CountOrZero, Settings

_Device = Annotated[str, Field(pattern=r"^(cpu|mps|cuda:\d+)$")]
Devices = Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")] | Annotated[list[_Device], Field(min_length=1)]
_HEEDED_BY: Mapping[str, Sequence[str]] = {
    "local": ("max_tokens", "precision", "attention", "compile"),
    "gemini and openai": (
        "base_url", "server", "key_variable", "texts_per_call", "concurrency", "requests_per_minute",
        "tokens_per_minute", "timeout", "call_attempts", "call_seconds", "price", "budget_usd", "budget_tokens",
    ),
    "gemini": ("project", "location"),
    "local and gemini and openai": ("query_prefix", "document_prefix"),
}  # fmt: skip
"""Keys that only some providers heed; `device` and `threads` are for the search too."""


class Encoder(Settings):
    """The model whose vectors are searched: the one that is being trained."""

    model: str = "minilm"
    """`minilm` for the packaged weights, a hub id, or a folder; elsewhere the name by which the service knows it."""
    provider: Literal["local", "gemini", "openai", "file"] = "local"
    """Where vectors come from: a model on this machine; Gemini; OpenAI, or with `base_url` any server that speaks its
    protocol (Text Embeddings Inference, vLLM); or files of vectors."""
    dimension: Count | None = None
    """Vectors are cut to so many numbers and made unit vectors again, which a Matryoshka model is trained for; default:
    the model's own length. A server behind `base_url` is not asked for it, so there it says how long vectors are."""
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """auto: bfloat16 on a GPU or where the CPU computes it natively, else float32."""
    max_tokens: Count | None = None
    """Texts are cut here; default: the model's own limit."""
    attention: Literal["auto", "packed", "padded"] = "auto"
    """packed: texts of a batch stand one behind the other, without padding, where the model allows it; a run's manifest
    says where it does not. padded: as sentence-transformers computes. auto: packed on a GPU, padded elsewhere."""
    compile: Literal["auto", "on", "off"] = "auto"
    """Compile the model's layers with torch.compile, which takes some seconds at the start. auto: on a GPU."""
    device: Devices = Field(default="auto", json_schema_extra=OPERATIONAL)
    """`auto` (all GPUs, else the CPU), `cpu`, `cuda` (all GPUs), `cuda:1`, `mps`, or a list such as [cuda:0, cuda:1]:
    a copy of the model on each, which share the texts."""
    threads: Count | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """CPU threads per worker; default: all cores, divided by the workers."""
    query_prefix: str | None = None
    """Before every query; default: by the registry of model families."""
    document_prefix: str | None = None
    """Before every document; may hold `{title}`; default: by the registry."""

    document_vectors: list[str] = Field(default=[])
    """Files of the documents' vectors, for provider file: Parquet with the columns id and vector, or a .npy with the
    ids in a .txt beside it, one per line. Ids are doc_ids."""
    query_vectors: list[str] = Field(default=[])
    """Files of the queries' vectors, likewise. Ids are query_ids."""
    base_url: str | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Another address of the provider's protocol, for openai with its /v1; without it, the provider itself."""
    server: str | None = None
    """Name of the server behind `base_url`; it enters the vectors' identity instead of the address."""
    project: str | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Google Cloud project; with it Gemini is called through Vertex AI, by the machine's default credentials."""
    location: str | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Region of Vertex AI; default: global."""
    key_variable: str | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Environment variable that holds the key, which never stands in a recipe itself; default: the provider's own, none
    for openai with `base_url`."""
    texts_per_call: Count | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Most texts of one call; default: 64, 32 for a server behind `base_url`, 1 on Vertex AI."""
    concurrency: Count = Field(default=8, json_schema_extra=OPERATIONAL)
    """Most calls in flight, over all workers; fewer while the provider is overloaded."""
    requests_per_minute: Count | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Most calls per minute, over all workers; default: no limit but the provider's."""
    tokens_per_minute: Count | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Most tokens per minute, over all workers; default: no limit but the provider's."""
    timeout: Annotated[float, Field(gt=0)] = Field(default=120.0, json_schema_extra=OPERATIONAL)
    """Seconds until a call is given up and tried again."""
    call_attempts: Count = Field(default=6, json_schema_extra=OPERATIONAL)
    """How often a call is tried that gets no reply: overload, timeouts, broken connections."""
    call_seconds: Annotated[float, Field(gt=0)] = Field(default=300.0, json_schema_extra=OPERATIONAL)
    """Seconds after which such a call is not tried again."""
    price: Annotated[float, Field(ge=0)] | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """US dollars per million tokens; default: as in the dated price file, if it knows the model."""
    budget_usd: Annotated[float, Field(ge=0)] | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """A run of embed stops before it spends more on this encoder, whose vectors are kept; default: 5 dollars where the
    price is known, none for a server behind `base_url`."""
    budget_tokens: CountOrZero | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """A run of embed stops before it sends more tokens."""

    def __hash__(self) -> int:
        # Settings hash field by field, and lists have no hash.
        return hash(self.model_dump_json())

    @model_validator(mode="after")
    def _of_its_provider(self) -> Self:
        """Refuses keys that the provider would not heed."""
        files = bool(self.document_vectors or self.query_vectors)
        if self.provider == "file" and not files:
            raise ValueError("names no file of vectors; list them in document_vectors and query_vectors")
        if self.provider != "file" and files:
            raise ValueError(f"names files of vectors, but its provider is {self.provider}; set provider to file")
        if self.provider in ("gemini", "openai") and "model" not in self.model_fields_set:
            raise ValueError(f"names no model; write the name by which {self.provider} knows it")
        for what, keys in _HEEDED_BY.items():
            if self.provider not in what.split(" and "):
                self._refuse(keys, what)
        if self.server is not None and self.base_url is None:
            raise ValueError("has a server, which names what stands behind base_url; set base_url, or leave it out")
        return self

    def _refuse(self, keys: Sequence[str], heeded_by: str) -> None:
        """Refuses keys that are not what they are without being set."""
        fields = type(self).model_fields
        for key in keys:
            if getattr(self, key) != fields[key].default:
                raise ValueError(f"has {key}, which only the provider {heeded_by} heeds; leave it out")

    @field_validator("device")
    @classmethod
    def _of_one_kind(cls, device: str | list[str]) -> str | list[str]:
        """Copies share the texts of a batch evenly, so they stand on equal devices; a GPU holds one."""
        if isinstance(device, list):
            if len({each.partition(":")[0] for each in device}) > 1:
                raise ValueError("names devices of several kinds; name GPUs or cpu")
            if "cpu" not in device and len(set(device)) < len(device):
                raise ValueError("names a device twice")
        return device
