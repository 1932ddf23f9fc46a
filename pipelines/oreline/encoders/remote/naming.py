"""What a service's vectors are known by: the identity of an encoder that computes elsewhere."""

from oreline.encoders.identity import cut_dimension
from oreline.encoders.prefixes import prefixes_of
from oreline.errors import CallError
from oreline.ids import Json, sha256_json
from oreline.recipe.settings import Encoder

_DIMENSIONS = {
    "gemini-embedding-001": 3072,
    "gemini-embedding-2": 3072,
    "gemini-embedding-2-preview": 3072,
    "text-embedding-3-large": 3072,
    "text-embedding-3-small": 1536,
    "text-embedding-ada-002": 1536,
}
"""How long vectors come, for the services' own models."""


def plain_model(model: str) -> str:
    """Returns a model's name as the service shows it; a `models/` before it makes no difference."""
    return model.removeprefix("models/")


def service_name(settings: Encoder) -> str:
    """Returns the provider's name, or with `base_url` that of the server behind it too.

    Raises CallError if there is a `base_url` without a `server`: its vectors would pass for the provider's own.
    """
    if settings.base_url is None:
        return settings.provider
    if not settings.server:
        raise CallError(
            f"encoder.base_url is {settings.base_url}, but encoder.server is not set; give the server a name, it "
            "stands for the address in the vectors' identity"
        )
    return f"{settings.provider}:{settings.server}"


def service_identity(settings: Encoder) -> tuple[str, int]:
    """Returns (digest, dimension): sha256 over service, model, dimension and whether it is told tasks.

    Nothing is asked of the service. Raises CallError if the vectors' length is not known without asking.
    """
    name = service_name(settings)
    model = plain_model(settings.model)
    own = _DIMENSIONS.get(model)
    if own is None and settings.dimension is None:
        raise CallError(
            f"encoder.dimension is not set, and how long the vectors of {settings.model} are is not known; set it to "
            "their length, or to less to cut them"
        )
    dimension = cut_dimension(settings, own) if own is not None else settings.dimension or 0
    tasks = bool(prefixes_of(settings).document_task)
    body: dict[str, Json] = {"service": name, "model": model, "dimension": dimension, "tasks": tasks}
    return sha256_json(body), dimension
