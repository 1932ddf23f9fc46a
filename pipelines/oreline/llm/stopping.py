"""Why a stage sends no more requests: expected stops and failures, each with one message for the user."""

from dataclasses import dataclass

from oreline.job import StopKind
from oreline.llm.accounts import Account
from oreline.llm.providers import CallFailed

AGAIN = "everything answered is in the journal; run again to go on"


@dataclass(frozen=True)
class Stop:
    """Why no more requests are sent: an expected stop, or a failure with its code."""

    message: str
    stopped: StopKind | None = None
    failure: str | None = None


INTERRUPTED = Stop("stopped; every answer is in the journal, run again to go on", stopped="interrupted")


def stop_for(failure: CallFailed, model: str) -> Stop | None:
    """Returns the stop that a call without a reply means for the whole stage, None if it concerns that call alone."""
    told = f"({failure.message}) for {model}"
    if failure.kind == "key":
        return Stop(f"the provider does not accept the key {told}; {AGAIN}", stopped="key")
    if failure.kind in ("rate", "quota"):
        return Stop(f"the provider's quota is used up {told}; {AGAIN}", stopped="quota")
    if failure.kind == "model":
        return Stop(f"llm.model {model!r}: {failure.message}; name a model that is there", failure="model")
    return None


def out_of_reach(failure: CallFailed, model: str, failures: int) -> Stop:
    """Returns the stop after so many requests to a model in a row without any answer."""
    message = f"{failures} requests in a row got no answer (the last: {failure.message}) from {model}; {AGAIN}"
    return Stop(message, failure="provider")


def budget_used(account: Account, stage: str) -> Stop:
    """Returns the stop at a budget that has no room for another request."""
    budget = account.meter.budget
    share = "" if account.workers == 1 else f" (the share of one of {account.workers} workers)"
    name = "llm.budget_tokens" if budget.dollars is None else "llm.budget_usd"
    return Stop(
        f"the budget of {budget}{share} has no room for another request: {account.spent(stage)} are spent on this "
        f"output; everything answered is in the journal; raise {name} and run again to go on",
        stopped="budget",
    )


def journal_unusable(cache: str, error: OSError) -> Stop:
    """Returns the stop where the journal can be neither written nor read."""
    return Stop(
        f"the journal below {cache} cannot be used ({error}); what was in it before is kept: make room, "
        "see that the folder is there, and run again to go on",
        failure="journal",
    )
