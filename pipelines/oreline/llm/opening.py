"""From a recipe's model to its provider: which one it is, whose key it takes, and what stands in its way."""

import importlib.util
from typing import TYPE_CHECKING

from google.auth.credentials import Credentials

from oreline.errors import CallError
from oreline.llm.budget import effective_budget
from oreline.llm.identity import provider_identity
from oreline.llm.keys import GEMINI_VARIABLES, OPENAI_VARIABLES, SecretKey, find_key
from oreline.llm.providers import Embedder, Provider
from oreline.llm.providers.capabilities import capabilities, unmet
from oreline.recipe.settings import Llm, ModelSettings

if TYPE_CHECKING:
    from oreline.llm.providers.gemini import Gemini
    from oreline.llm.providers.openai import OpenAi

__all__ = ["access_told", "capabilities", "open_embedder", "open_provider", "problems"]

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"


def open_provider(model: ModelSettings) -> Provider:
    """Returns the provider of a recipe's model; raises CallError if its key, credentials or package is not there."""
    return _open(model)


def open_embedder(model: ModelSettings) -> Embedder:
    """Returns the same for a model that makes vectors."""
    return _open(model)


def _open(model: ModelSettings) -> "Gemini | OpenAi":
    if model.provider == "openai":
        _require_openai()
        from oreline.llm.providers.openai import OpenAi

        return OpenAi(model, _openai_key(model)[1])

    from oreline.llm.providers.gemini import developer_api, vertex_ai

    if model.project is not None:
        return vertex_ai(model, model.project, _google_credentials())
    return developer_api(model, _gemini_key(model)[1])


def access_told(model: ModelSettings) -> str:
    """Returns how a model is reached, for the run to say: whose key or credentials, never what they are.

    Raises CallError if they are not there.
    """
    if model.provider == "openai":
        _require_openai()
        name, _ = _openai_key(model)
        return "no key" if name is None else f"key from {name}"
    if model.project is not None:
        _google_credentials()
        return f"default Google credentials, project {model.project}"
    return f"key from {_gemini_key(model)[0]}"


def problems(llm: Llm, *, access: bool = True) -> list[str]:
    """Returns a sentence for each thing that would keep a section's models from being called: for the preflight.

    Without `access` neither keys nor credentials are looked for.
    """
    found: list[str] = []
    for member in llm.members():
        for check in (access_told, provider_identity) if access else (provider_identity,):
            try:
                check(member)
            except CallError as error:
                found.append(str(error))
        found.extend(unmet(member))
    try:
        effective_budget(llm)
    except CallError as error:
        found.append(str(error))
    return list(dict.fromkeys(found))


def _gemini_key(model: ModelSettings) -> tuple[str, SecretKey]:
    return find_key("Gemini", [model.key_variable] if model.key_variable else GEMINI_VARIABLES)


def _openai_key(model: ModelSettings) -> tuple[str | None, SecretKey | None]:
    """Returns the variable and its key; a server of one's own gets OpenAI's only if `key_variable` says so."""
    if model.key_variable:
        return find_key(model.server or "OpenAI", [model.key_variable])
    if model.base_url is not None:
        return None, None
    return find_key("OpenAI", OPENAI_VARIABLES)


def _require_openai() -> None:
    if importlib.util.find_spec("openai") is None:
        raise CallError("llm.provider is openai, but the extra is missing: pip install 'oreline[openai]'")


def _google_credentials() -> Credentials:
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError

    try:
        credentials, _ = google.auth.default(scopes=[_SCOPE])
    except (DefaultCredentialsError, OSError, AttributeError) as error:  # the last: JSON, but no object
        raise CallError(
            f"no Google credentials for Vertex AI ({error}); run `gcloud auth application-default login`, or name a "
            "service account's file in the environment variable GOOGLE_APPLICATION_CREDENTIALS"
        ) from None
    return credentials
