"""Log-probabilities of a given text, from vLLM: what the model would have thought of it as its own answer.

The prompt, in the server's chat template, and the text are made into tokens apart and scored as one list of tokens. So
the text begins where its tokens begin, and no token lies across the boundary, which is how the model itself would have
written it.
"""

from collections.abc import Mapping, Sequence
from typing import cast

from openai import AsyncOpenAI, NotFoundError
from openai.types import Completion

from oreline.ids import Json
from oreline.llm.providers.openai_messages import messages_of
from oreline.llm.providers.protocol import CallFailed, Reply
from oreline.llm.providers.sampling import sampling_of
from oreline.llm.requests import Request, TokenLogprob


async def scored(client: AsyncOpenAI, request: Request, text: str) -> Reply:
    """Returns a text's token log-probabilities as the answer to a request; raises CallFailed if there are none."""
    prompt = await tokenized_chat(client, request)
    given = await _tokenized(client, {"model": request.model, "prompt": text, "add_special_tokens": False})
    if prompt is None or given is None:
        raise CallFailed("model", f"{_address(client)} is not there: scoring a given text needs a vLLM server")
    completion: object = await client.completions.create(
        model=request.model,
        prompt=[*prompt, *given],
        max_tokens=1,  # the least that is generated
        temperature=0.0,
        extra_body={"prompt_logprobs": 1},
    )
    entries = _prompt_logprobs(completion)
    if entries is None or len(entries) != len(prompt) + len(given):
        found = "none" if entries is None else f"{len(entries)} for {len(prompt) + len(given)} tokens"
        raise CallFailed(
            "model", f"asked for the prompt_logprobs of a given text, found {found}; they need a vLLM server"
        )
    usage = cast("Completion", completion).usage
    return Reply(
        status="ok",
        text=text,
        reason="scored",
        model_version=cast("Completion", completion).model,
        prompt_tokens=usage.prompt_tokens if usage else None,
        output_tokens=usage.completion_tokens if usage else None,
        logprobs=[_logprob(entry, token) for entry, token in zip(entries[len(prompt) :], given, strict=True)],
    )


async def tokenized_chat(client: AsyncOpenAI, request: Request) -> list[int] | None:
    """Returns the tokens of system instruction and prompt up to where the answer begins; None if it is no vLLM."""
    body: dict[str, object] = {
        "model": request.model,
        "messages": messages_of(request),
        "add_generation_prompt": True,
    }
    if sampling_of(request.settings).thinking_budget == 0:
        body["chat_template_kwargs"] = {"enable_thinking": False}
    return await _tokenized(client, body)


async def _tokenized(client: AsyncOpenAI, body: dict[str, object]) -> list[int] | None:
    try:
        found = await client.post(_address(client), cast_to=object, body=body)
    except NotFoundError as error:
        if "model" in error.message.lower():
            raise
        return None
    tokens = found.get("tokens") if isinstance(found, Mapping) else None
    if not isinstance(tokens, list):
        raise CallFailed("transient", f"{_address(client)} answered without a list of tokens")
    return [int(token) for token in tokens]


def _address(client: AsyncOpenAI) -> str:
    """Returns where vLLM makes tokens: beside /v1, not below it."""
    return f"{str(client.base_url).rstrip('/').removesuffix('/v1')}/tokenize"


def _prompt_logprobs(completion: object) -> Sequence[Json] | None:
    if not isinstance(completion, Completion) or not completion.choices:
        return None
    entries = (completion.choices[0].model_extra or {}).get("prompt_logprobs")
    return entries if isinstance(entries, list) else None


def _logprob(entry: Json, token: int) -> TokenLogprob:
    """Returns the log-probability of a token; an entry holds the likeliest tokens too."""
    found = entry.get(str(token)) if isinstance(entry, Mapping) else None
    value = found.get("logprob") if isinstance(found, Mapping) else None
    if not isinstance(found, Mapping) or not isinstance(value, int | float):
        raise CallFailed("model", f"the server's prompt_logprobs lack token {token}; they need a vLLM server")
    return TokenLogprob(str(found.get("decoded_token") or ""), float(value))
