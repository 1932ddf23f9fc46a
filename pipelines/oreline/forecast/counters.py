"""Counting tokens at the provider, which costs nothing there."""

import asyncio
from collections.abc import Sequence

from oreline.errors import CallError
from oreline.forecast.telling import During, untold
from oreline.forecast.tokens import Counter
from oreline.llm.opening import capabilities, open_provider
from oreline.llm.providers import CallFailed, Provider
from oreline.llm.requests import Request
from oreline.recipe.settings import Llm

_AT_ONCE = 8
_SECONDS = 30.0


def at_the_provider(member: Llm, requests: Sequence[Request]) -> list[int] | str:
    """Returns the prompt tokens of requests as the provider counts them, or why it does not, in a few words.

    It sends prompts, and so needs the key; nothing is charged for it.
    """
    if not capabilities(member).counts_tokens:
        return f"{member.provider} counts none"
    try:
        provider = open_provider(member)
    except CallError as error:
        return str(error)
    return asyncio.run(_count(provider, requests))


def nowhere(member: Llm, requests: Sequence[Request]) -> str:
    """Counts nothing: for a plan that must reach no network."""
    del member, requests  # every counter takes them
    return "--offline"


def remembering(counter: Counter, during: During = untold) -> Counter:
    """Returns a counter that asks no model again that could not be counted for once; `during` is told of each count."""
    failed: dict[tuple[str, str], str] = {}

    def count(member: Llm, requests: Sequence[Request]) -> Sequence[int] | str:
        name = member.provider, member.model
        if name not in failed:
            with during(f"having {member.provider} count the tokens of {len(requests)} prompts for {member.model}"):
                counts = counter(member, requests)
            if not isinstance(counts, str):
                return counts
            failed[name] = counts
        return failed[name]

    return count


async def _count(provider: Provider, requests: Sequence[Request]) -> list[int] | str:
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(request: Request) -> int | None:
        async with room:
            return await provider.count_tokens(request)

    try:
        async with asyncio.timeout(_SECONDS):
            counts = await asyncio.gather(*(one(each) for each in requests))
    except CallFailed as failure:
        return f"the provider did not count ({failure.message})"
    except TimeoutError:
        return f"the provider did not count within {_SECONDS:g} seconds"
    finally:
        await provider.close()
    known = [count for count in counts if count is not None]
    return known if len(known) == len(requests) else "the server counts none"
