"""From a recipe's model to its provider: which one it is, whose key it takes, and what stands in its way."""

from oreline.errors import CallError
from oreline.llm.budget import effective_budget
from oreline.llm.identity import provider_identity
from oreline.llm.keys import gemini_key
from oreline.llm.providers import Provider
from oreline.recipe.settings import Llm


def open_provider(llm: Llm) -> Provider:
    """Returns the provider of a recipe's model; raises CallError if its key is not set."""
    from oreline.llm.gemini import Gemini

    _, key = gemini_key()
    return Gemini(llm, key)


def key_variable(llm: Llm) -> str:
    """Returns the environment variable whose key is used, for the run to say; raises CallError if none is set."""
    if llm.provider != "gemini":
        raise CallError(f"llm.provider {llm.provider!r} is not known; expected gemini")
    return gemini_key()[0]


def problems(llm: Llm) -> list[str]:
    """Returns a sentence for each thing that would keep a model from being called: for the preflight."""
    found = []
    for check in (key_variable, provider_identity, effective_budget):
        try:
            check(llm)
        except CallError as error:
            found.append(str(error))
    return found
