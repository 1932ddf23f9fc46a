"""The service behind a remote encoder: its client, and how much of a recipe's texts one call may hold."""

from oreline.encoders.remote.naming import plain_model
from oreline.errors import CallError
from oreline.llm.budget import DEFAULT_DOLLARS, Budget
from oreline.llm.opening import access_told, open_embedder
from oreline.llm.prices import Price, Rates, price
from oreline.llm.providers import Embedder
from oreline.recipe.settings import Encoder, ModelSettings

MOST_CALL_TOKENS = 200_000
"""Of all texts of a call together, at most as they are estimated: OpenAI takes 300,000."""

_TEXTS = 64
_SERVER_TEXTS = 32
"""Text Embeddings Inference takes no more unless it is told to."""
_READ = {"gemini-embedding-001": 2_048, "gemini-embedding-2": 8_192, "gemini-embedding-2-preview": 8_192}


def model_settings(settings: Encoder) -> ModelSettings:
    """Returns an encoder's service as the providers of models take it."""
    return ModelSettings(
        provider="gemini" if settings.provider == "gemini" else "openai",
        model=settings.model,
        base_url=settings.base_url,
        server=settings.server,
        project=settings.project,
        location=settings.location,
        key_variable=settings.key_variable,
        concurrency=settings.concurrency,
        timeout=settings.timeout,
        call_attempts=settings.call_attempts,
        call_seconds=settings.call_seconds,
    )


def open_service(settings: Encoder) -> Embedder:
    """Returns the client; raises CallError if its key, credentials or package is not there."""
    try:
        return open_embedder(model_settings(settings))
    except CallError as error:
        raise CallError(said_of_encoder(str(error))) from None


def access(settings: Encoder) -> str:
    """Returns whose key or credentials are used, never what they are; raises CallError if they are not there."""
    try:
        return access_told(model_settings(settings))
    except CallError as error:
        raise CallError(said_of_encoder(str(error))) from None


def said_of_encoder(message: str) -> str:
    """Returns a provider's message with the keys of the section `encoder`, which are named as those of `llm` are."""
    return message.replace("llm.", "encoder.")


def texts_per_call(settings: Encoder) -> int:
    """Returns how many texts go into a call at most.

    On Vertex AI it is one: gemini-embedding-001 takes no more there.
    """
    if settings.texts_per_call is not None:
        return settings.texts_per_call
    if settings.project is not None:
        return 1
    return _SERVER_TEXTS if settings.base_url is not None and settings.provider == "openai" else _TEXTS


def tokens_read(settings: Encoder) -> int | None:
    """Returns how many tokens of a text the model reads, where it cuts longer ones and does not say so; else None."""
    return _READ.get(plain_model(settings.model)) if settings.provider == "gemini" else None


def sent_dimension(settings: Encoder) -> int | None:
    """Returns the dimension that the service is asked for: none where it would not cut, as we do it then."""
    if settings.provider == "gemini":
        return settings.dimension
    own = settings.base_url is None and settings.model.startswith("text-embedding-3")
    return settings.dimension if own else None


def price_of(settings: Encoder) -> Price | None:
    """Returns what a token costs, None if it is not known; a server of one's own costs what the recipe says."""
    if settings.price is not None:
        return Price(Rates(settings.price, None, 0.0), None)
    if settings.base_url is not None and settings.provider == "openai":
        return None
    return price(settings.provider, plain_model(settings.model))


def budget_of(settings: Encoder) -> Budget:
    """Returns what a run of embed may spend; without a limit for a server of one's own, unless one is set.

    Raises CallError if dollars cannot be counted, as the price is not known, and there is no limit of tokens.
    """
    known = price_of(settings)
    dollars = settings.budget_usd
    if known is None and settings.budget_tokens is None and (dollars is not None or settings.base_url is None):
        wanted = "" if dollars is None else ", so encoder.budget_usd cannot be kept"
        raise CallError(
            f"the price of {settings.provider} {settings.model} is not known{wanted}; set encoder.budget_tokens to the "
            "most tokens that may be sent, or encoder.price to dollars per million tokens"
        )
    if known is None:
        dollars = None
    elif dollars is None and settings.budget_tokens is None:
        dollars = DEFAULT_DOLLARS
    return Budget(dollars, settings.budget_tokens, (known,))
