"""When a call without a reply is made again, by tenacity: capped in attempts and in total time."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    stop_before_delay,
    wait_random_exponential,
)

from oreline.llm.providers import CallFailed


@dataclass(frozen=True)
class Retry:
    """How often and how long a call is made again; times in seconds, waits doubled from `first` up to `longest`."""

    attempts: int = 6
    total: float = 300.0
    first: float = 0.5
    longest: float = 30.0


def retrying(retry: Retry, sleep: Callable[[float], Awaitable[None]]) -> AsyncRetrying:
    """Returns the retries of one call: on `transient` and `rate` failures alone, the last of which is raised."""
    return AsyncRetrying(
        retry=retry_if_exception(_may_pass),
        stop=stop_after_attempt(retry.attempts) | stop_before_delay(retry.total),
        wait=_Wait(retry),
        sleep=sleep,
        reraise=True,
    )


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, CallFailed) and error.kind in ("transient", "rate")


class _Wait:
    """Exponential with jitter, but never less than the provider asks for."""

    def __init__(self, retry: Retry) -> None:
        self._wait = wait_random_exponential(multiplier=retry.first, max=retry.longest)

    def __call__(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after if isinstance(error, CallFailed) else None
        return max(self._wait(state), asked or 0.0)
