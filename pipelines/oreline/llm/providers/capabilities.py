"""What a model can do, as far as it is known before it is asked."""

from oreline.llm.providers.protocol import Capabilities
from oreline.llm.providers.sampling import thinks
from oreline.recipe.settings import ModelSettings

_LOGGING_GEMINIS = ("gemini-1", "gemini-2")
"""From 3 on, Gemini gives no log-probabilities, on either API."""

_UNSAMPLED_GEMINIS = ("gemini-3.5-flash-lite", "gemini-3.6-", "gemini-3.7-", "gemini-3.8-")
"""They take temperature and top_p and do not heed them, as Google's pages on these models say (November 2026)."""


def capabilities(model: ModelSettings) -> Capabilities:
    """Returns what a model can do. A server behind `base_url` is believed to know what vLLM knows."""
    own = model.base_url is not None
    if model.provider == "gemini":
        name = model.model.removeprefix("models/")
        return Capabilities(
            generated_logprobs=name.startswith(_LOGGING_GEMINIS) or not name.startswith("gemini-"),
            prompt_logprobs=False,
            counts_tokens=True,
            batch=not own,
        )
    return Capabilities(
        generated_logprobs=own or not thinks(model.model) or model.thinking_budget == 0,
        prompt_logprobs=own,
        counts_tokens=own,
        batch=not own,
    )


def unmet(model: ModelSettings) -> list[str]:
    """Returns a sentence for each setting that asks for what the model cannot do."""
    if not model.logprobs or capabilities(model).generated_logprobs:
        return []
    problem = (
        f"llm.logprobs is on, but {model.provider} {model.model} gives no log-probabilities of what it writes; "
        "leave it out, or name a model that gives them, such as one that a vLLM server holds"
    )
    return [problem]


def unheeded(model: ModelSettings) -> list[str]:
    """Returns a sentence for the settings that the model is known to take without heeding them."""
    if model.provider != "gemini" or not model.model.removeprefix("models/").startswith(_UNSAMPLED_GEMINIS):
        return []
    names = [f"llm.{name}" for name in ("temperature", "top_p") if getattr(model, name) is not None]
    if not names:
        return []
    said = f"gemini {model.model} does not heed {' and '.join(names)}"
    return [f"{said}; leave it out, as another value would ask for every answer anew and change none"]
