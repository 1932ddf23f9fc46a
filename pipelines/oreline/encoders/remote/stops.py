"""Why a service gives no more vectors: expected stops and failures, each with one message for the user."""

from oreline.llm.budget import Meter
from oreline.llm.providers import CallFailed
from oreline.llm.stopping import Stop
from oreline.recipe.settings import Encoder

_AGAIN = "the vectors that came are kept; run again to go on"
REFUSALS = 10
"""So many texts refused in a row, with none taken before, are no matter of the texts."""


def service_of(settings: Encoder) -> str:
    """Returns how a service is called in messages."""
    where = f" at {settings.base_url}" if settings.base_url is not None else ""
    return f"{settings.server or settings.provider}{where}, model {settings.model}"


def stop_for(failure: CallFailed, settings: Encoder) -> Stop:
    """Returns the stop that a call without vectors means for the encoder."""
    told = f"encoder: {service_of(settings)}: {failure.message}"
    if failure.kind == "key":
        variable = settings.key_variable or "the variable of its key"
        remedy = "see its credentials" if settings.project is not None else f"see the key in {variable}"
        if settings.key_variable is None and settings.base_url is not None:
            remedy = "name the environment variable of its key in encoder.key_variable"
        return Stop(f"{told}; the service does not accept the caller: {remedy}; {_AGAIN}", stopped="key")
    if failure.kind in ("rate", "quota"):
        return Stop(f"{told}; the service's quota is used up; {_AGAIN}", stopped="quota")
    if failure.kind == "model":
        return Stop(f"{told}; see encoder.model and encoder.base_url", failure="model")
    return Stop(f"{told}; see whether the service runs; {_AGAIN}", failure="provider")


def all_refused(failure: CallFailed, settings: Encoder) -> Stop:
    """Returns the stop where a service takes no text at all."""
    return Stop(
        f"encoder: {service_of(settings)} has refused {REFUSALS} texts, and taken none: {failure.message}; see "
        "encoder.model and what the service takes",
        failure="model",
    )


def too_short(found: int, dimension: int, settings: Encoder) -> Stop:
    """Returns the stop where vectors come shorter than the recipe says."""
    return Stop(
        f"encoder: {service_of(settings)} gives vectors of {found} numbers, expected at least {dimension}; set "
        f"encoder.dimension to {found} or less",
        failure="model",
    )


def budget_used(meter: Meter) -> Stop:
    """Returns the stop at a budget that has no room for another call."""
    budget = meter.budget
    name = "encoder.budget_tokens" if budget.dollars is None else "encoder.budget_usd"
    spent = f"{meter.dollars:.4f} dollars, {meter.tokens:,} tokens"
    return Stop(
        f"the encoder's budget of {budget} (of one worker, for one run) has no room for another call: {spent} are "
        f"spent in this run; the vectors that came are kept; raise {name}, or run again with the same budget anew",
        stopped="budget",
    )
