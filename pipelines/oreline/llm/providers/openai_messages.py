"""Requests and responses in the words of OpenAI's chat completions."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import cast

from openai.types.chat import ChatCompletion, ChatCompletionMessageParam
from openai.types.chat.chat_completion import Choice
from openai.types.chat.chat_completion_token_logprob import ChatCompletionTokenLogprob
from openai.types.shared_params.response_format_json_schema import ResponseFormatJSONSchema

from oreline.ids import Json
from oreline.llm.providers.protocol import CallFailed, Reply
from oreline.llm.providers.sampling import output_limit, sampling_of
from oreline.llm.requests import AnswerStatus, LikelyToken, Request, TokenLogprob
from oreline.recipe.settings import ModelSettings

_UNSUPPORTED = frozenset({"$schema", "default", "maxLength", "minLength", "title", "uniqueItems"})
"""What strict response schemas do not take; the parser checks answers against the whole schema in any case."""

_BROKEN_OFF = frozenset({"error", "abort"})
"""How routers and vLLM say that the model did not come to an end, which is no answer."""

_UNTHINKING = {"enable_thinking": False}
"""What switches thinking off in vLLM before it took reasoning_effort for that, and in llama.cpp."""


def body_of(model: ModelSettings, request: Request) -> dict[str, object]:
    """Returns the body of a request for a chat completion; what the recipe leaves out is not in it."""
    sampling = sampling_of(request.settings)
    # OpenAI's reasoning models refuse max_tokens; not every other server knows max_completion_tokens.
    limit = "max_completion_tokens" if model.base_url is None else "max_tokens"
    stated: dict[str, object] = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": sampling.seed,
        "reasoning_effort": "none" if sampling.thinking_budget == 0 else sampling.thinking_level,
        "thinking_token_budget": max(0, sampling.thinking_budget or 0) or None,  # vLLM's
        "chat_template_kwargs": _UNTHINKING if sampling.thinking_budget == 0 and model.base_url is not None else None,
        "logprobs": sampling.logprobs or None,
        "top_logprobs": sampling.top_logprobs,
    }
    return {
        "model": request.model,
        "messages": messages_of(request),
        "response_format": response_format(request.answer_schema),
        limit: output_limit(model, sampling),
        **{name: value for name, value in stated.items() if value is not None},
    }


def messages_of(request: Request) -> list[ChatCompletionMessageParam]:
    """Returns system instruction and prompt as messages."""
    messages: list[ChatCompletionMessageParam] = []
    if request.system:
        messages.append({"role": "system", "content": request.system})
    messages.append({"role": "user", "content": request.prompt})
    return messages


@lru_cache(maxsize=64)
def response_format(answer_schema: str) -> ResponseFormatJSONSchema:
    """Returns the response format for a schema (canonical JSON): strict where every property is required."""
    schema = json.loads(answer_schema)
    strict = _all_required(schema)
    shown = cast("dict[str, object]", _strict(schema) if strict else schema)
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": shown, "strict": strict}}


def reply_of(completion: ChatCompletion) -> Reply:
    """Returns what a completion says: status by finish reason and refusal, text, usage, log-probabilities.

    Raises CallFailed for one that the server broke off: that is no answer, and uses up no attempt.
    """
    usage = completion.usage
    prompt_details = usage.prompt_tokens_details if usage else None
    details = usage.completion_tokens_details if usage else None
    thought = details.reasoning_tokens if details else None
    written: int | None = usage.completion_tokens if usage else None  # None too where a server leaves it out
    choice = completion.choices[0] if completion.choices else None
    status, text, reason = _ending(choice)
    return Reply(
        status=status,
        text=text,
        reason=reason,
        model_version=completion.model,
        prompt_tokens=usage.prompt_tokens if usage else None,
        cached_tokens=prompt_details.cached_tokens if prompt_details else None,
        thinking_tokens=thought,
        # More thought than written is what servers say that count thinking apart.
        output_tokens=written if written is None or (thought or 0) > written else written - (thought or 0),
        logprobs=_logprobs(choice),
    )


def _ending(choice: Choice | None) -> tuple[AnswerStatus, str, str]:
    if choice is None:
        return "ok", "", "NO_CANDIDATE"
    text = choice.message.content or ""
    if choice.message.refusal:
        return "refused", "", "refusal"
    reason: str = choice.finish_reason  # servers have more of them than the package knows
    if reason in _BROKEN_OFF:
        error: Json = (choice.model_extra or {}).get("error")
        told = f": {error.get('message')}" if isinstance(error, Mapping) else ""
        raise CallFailed("transient", f"the server broke the answer off (finish_reason {reason}){told}")
    match reason:
        case "length":
            return "truncated", text, "length"
        case "content_filter":
            return "blocked", text, "content_filter"
        case other:
            return "ok", text, other


def _logprobs(choice: Choice | None) -> list[TokenLogprob] | None:
    if choice is None or choice.logprobs is None or choice.logprobs.content is None:
        return None
    return [TokenLogprob(each.token, each.logprob, _likely(each)) for each in choice.logprobs.content]


def _likely(token: ChatCompletionTokenLogprob) -> list[LikelyToken] | None:
    return [LikelyToken(each.token, each.logprob) for each in token.top_logprobs or ()] or None


def _all_required(schema: Json) -> bool:
    """Says whether every object of a schema requires all its properties, as strict mode asks."""
    if isinstance(schema, list):
        return all(_all_required(each) for each in schema)
    if not isinstance(schema, Mapping):
        return True
    properties, required = schema.get("properties"), schema.get("required")
    if isinstance(properties, Mapping) and set(properties) != set(required if isinstance(required, list) else []):
        return False
    return all(_all_required(each) for each in schema.values())


def _strict(schema: Json) -> Json:
    """Returns a schema as strict mode takes it: closed objects, no keyword that it refuses."""
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    kept = {
        name: {each: _strict(value) for each, value in inner.items()}
        if name in ("properties", "$defs") and isinstance(inner, Mapping)
        else _strict(inner)
        for name, inner in schema.items()
        if name not in _UNSUPPORTED
    }
    return {**kept, "additionalProperties": False} if "properties" in kept else kept
