"""What a model's answers are known by in the journal: its provider, or the name of the server behind an address."""

from oreline.errors import CallError
from oreline.recipe.settings import ModelSettings


def provider_identity(model: ModelSettings) -> str:
    """Returns the name that enters keys: the provider's, or that of the server behind `base_url`.

    Raises CallError if there is a `base_url` without a `server`: its answers would pass for the provider's own.
    """
    if model.base_url is None:
        return model.provider
    if not model.server:
        raise CallError(
            f"llm.base_url is {model.base_url}, but llm.server is not set; give the server a name, "
            "it stands for the address in the journal's keys"
        )
    return f"{model.provider}:{model.server}"
