"""When a call without a reply is made again, by tenacity: capped in attempts and in time."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Self

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    stop_any,
    wait_random_exponential,
)
from tenacity.stop import stop_base

from oreline.llm.providers import CallFailed
from oreline.recipe.settings import ModelSettings


@dataclass(frozen=True)
class Retry:
    """How often and how long a call is made again; times in seconds, waits doubled from `first` up to `longest`."""

    attempts: int = 6
    total: float = 300.0
    first: float = 0.5
    longest: float = 30.0

    @classmethod
    def of(cls, model: ModelSettings) -> Self:
        """Returns the retries that a recipe's model asks for."""
        return cls(attempts=model.call_attempts, total=model.call_seconds)


def retrying(retry: Retry, sleep: Callable[[float], Awaitable[None]], spent: Callable[[], float]) -> AsyncRetrying:
    """Returns the retries of one call: on failures that may pass alone, the last of which is raised.

    `spent` says how many seconds the call has taken so far, as they count against `retry.total`. What the provider
    asks to wait is no business of a single call (see `pacing`).
    """
    return AsyncRetrying(
        retry=retry_if_exception(may_pass),
        stop=stop_any(stop_after_attempt(retry.attempts), _StopBefore(retry.total, spent)),
        wait=wait_random_exponential(multiplier=retry.first, max=retry.longest),
        sleep=sleep,
        reraise=True,
    )


def may_pass(error: BaseException) -> bool:
    """Says whether a failure may be gone if the call is made again."""
    return isinstance(error, CallFailed) and error.kind in ("transient", "rate")


class _StopBefore(stop_base):
    """Stops if the next wait would end beyond a time; unlike tenacity's own, by a clock that is given."""

    def __init__(self, total: float, spent: Callable[[], float]) -> None:
        self._total, self._spent = total, spent

    def __call__(self, state: RetryCallState) -> bool:
        return self._spent() + state.upcoming_sleep >= self._total
