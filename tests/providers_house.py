"""Single requests to a provider, as the engine makes them, without the engine."""

import asyncio
from collections.abc import Sequence

from pydantic import BaseModel

from oreline import prompting
from oreline.ids import Json
from oreline.llm.opening import open_provider
from oreline.llm.providers import CallFailed, Reply
from oreline.llm.requests import Request, request_for
from oreline.prompting import Rendered
from oreline.recipe.settings import Llm


class Words(BaseModel):
    """What the model answers."""

    words: list[str]
    grade: int


PROMPT = "Write two words about this.\n<document>\nGills take oxygen from water\n</document>"


def request_of(
    llm: Llm, prompt: str = PROMPT, *, settings: dict[str, Json] | None = None, scored: str | None = None
) -> Request:
    rendered = Rendered("test/words", 1, "You write words.", prompt, prompting.answer_schema(Words), settings or {})
    return request_for(llm, rendered, assigned_by="a", unit_ids=["a"], scored=scored)


def replies(llm: Llm, requests: Sequence[Request]) -> list[Reply | CallFailed]:
    """Sends requests one after the other and returns what came of each."""

    async def one_by_one() -> list[Reply | CallFailed]:
        provider = open_provider(llm)
        found: list[Reply | CallFailed] = []
        for request in requests:
            try:
                found.append(await provider.generate(request))
            except CallFailed as failure:
                found.append(failure)
        await provider.close()
        return found

    return asyncio.run(one_by_one())


def reply(llm: Llm, request: Request | None = None) -> Reply:
    (found,) = replies(llm, [request or request_of(llm)])
    assert isinstance(found, Reply), found
    return found


def failure(llm: Llm, request: Request | None = None) -> CallFailed:
    (found,) = replies(llm, [request or request_of(llm)])
    assert isinstance(found, CallFailed), found
    return found


def counted(llm: Llm) -> int | None:
    async def count() -> int | None:
        provider = open_provider(llm)
        try:
            return await provider.count_tokens(request_of(llm))
        finally:
            await provider.close()

    return asyncio.run(count())
