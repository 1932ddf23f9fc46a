"""Requests and responses in Gemini's words."""

import json
from functools import lru_cache
from typing import Self

from google.genai import types

from oreline.llm.providers.gemini_response import Candidate, Response, TopTokens, Usage
from oreline.llm.providers.protocol import CallFailed, Reply
from oreline.llm.providers.sampling import Sampling, output_limit, sampling_of
from oreline.llm.requests import AnswerStatus, LikelyToken, Request, TokenLogprob
from oreline.recipe.settings import HarmCategory, ModelSettings, Threshold

_BLOCKED = frozenset(
    {
        "SAFETY", "PROHIBITED_CONTENT", "BLOCKLIST", "SPII", "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "MODEL_ARMOR",
        "ESCALATION",
    }
)  # fmt: skip
_COMPLETE = frozenset(
    {
        "STOP", "FINISH_REASON_UNSPECIFIED", "OTHER", "MALFORMED_RESPONSE", "MALFORMED_FUNCTION_CALL",
        "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS",
    }
)  # fmt: skip
"""What may have ended an answer that can be asked for again if it turns out to be empty or unusable; models have tried
to call functions though there are none."""

_CUT = frozenset({"MAX_TOKENS", "CONTINUATION"})
_ACCOUNT_LIMITED = "PUP_LIMITED_DISABLED"

_THRESHOLDS: dict[Threshold, str] = {
    "off": "OFF",
    "none": "BLOCK_NONE",
    "only_high": "BLOCK_ONLY_HIGH",
    "medium_and_above": "BLOCK_MEDIUM_AND_ABOVE",
    "low_and_above": "BLOCK_LOW_AND_ABOVE",
}


class _Quick:
    """What makes a call cheaper: google-genai asks `name in model` for each name that a model might have.

    Pydantic answers by going through all fields, and always with no; then the attribute is taken.
    """

    def __contains__(self, name: object) -> bool:
        return False


class _Config(_Quick, types.GenerateContentConfig):
    """A configuration, of which the client changes nothing: it need not copy all that is in it for every call."""

    def __deepcopy__(self, memo: dict[int, object] | None = None) -> Self:
        return self.__copy__()


class _Content(_Quick, types.Content):
    """A message."""


class _Part(_Quick, types.Part):
    """A message's text."""


def contents_of(request: Request) -> types.Content:
    """Returns the prompt as a message."""
    return _Content(role="user", parts=[_Part(text=request.prompt)])


def config_of(model: ModelSettings, request: Request) -> types.GenerateContentConfig:
    """Returns how a request is to be answered: system instruction, response schema, limits, sampling, safety."""
    sampling = sampling_of(request.settings)
    return _config(request.system, request.answer_schema, request.settings, output_limit(model, sampling))


@lru_cache(maxsize=64)
def _config(system: str | None, answer_schema: str, settings: str, limit: int) -> types.GenerateContentConfig:
    """Is made once per prompt file and model: making it takes longer than sending it."""
    sampling = sampling_of(settings)
    return _Config(
        system_instruction=_Content(role="user", parts=[_Part(text=system)]) if system else None,
        response_mime_type="application/json",
        response_json_schema=json.loads(answer_schema),
        max_output_tokens=limit,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        seed=sampling.seed,
        thinking_config=_thinking(sampling),
        safety_settings=_safety(sampling.safety) if sampling.safety else None,
        response_logprobs=sampling.logprobs or None,
        logprobs=sampling.top_logprobs,
        candidate_count=1,
        should_return_http_response=True,  # as it came: see `gemini_response`
        # There are no functions to call, and looking for them copies the whole configuration for every call.
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )


def _thinking(sampling: Sampling) -> types.ThinkingConfig | None:
    if sampling.thinking_budget is not None:
        return types.ThinkingConfig(thinking_budget=sampling.thinking_budget)
    if sampling.thinking_level is not None:
        return types.ThinkingConfig(thinking_level=types.ThinkingLevel(sampling.thinking_level.upper()))
    return None


def _safety(safety: dict[HarmCategory, Threshold]) -> list[types.SafetySetting]:
    return [
        types.SafetySetting(
            category=types.HarmCategory(f"HARM_CATEGORY_{category.upper()}"),
            threshold=types.HarmBlockThreshold(_THRESHOLDS[threshold]),
        )
        for category, threshold in sorted(safety.items())
    ]


def reply_of(response: Response) -> Reply:
    """Returns what a response says: status by finish and block reasons, text, usage, log-probabilities.

    Raises CallFailed for one that says nothing at all, and where the account was disabled: neither is an answer.
    """
    if not (response.candidates or response.prompt_feedback or response.usage_metadata):
        raise CallFailed("transient", "the answer holds neither candidates nor a reason nor usage")
    usage = response.usage_metadata or Usage()
    feedback = response.prompt_feedback
    status: AnswerStatus
    candidate = response.candidates[0] if response.candidates else None
    if feedback is not None and feedback.block_reason is not None:
        status, reason, text = "blocked", feedback.block_reason, ""
    elif candidate is None:
        status, reason, text = "ok", "NO_CANDIDATE", ""
    else:
        reason = (candidate.finish_reason or "FINISH_REASON_UNSPECIFIED").upper()
        parts = (candidate.content.parts if candidate.content else None) or []
        text = "".join(part.text for part in parts if part.text and not part.thought)
        status = _status(reason)
    return Reply(
        status=status,
        text=text,
        reason=reason,
        model_version=response.model_version,
        prompt_tokens=usage.prompt_token_count,
        cached_tokens=usage.cached_content_token_count,
        thinking_tokens=usage.thoughts_token_count,
        output_tokens=usage.candidates_token_count,
        logprobs=_logprobs(candidate),
    )


def _logprobs(candidate: Candidate | None) -> list[TokenLogprob] | None:
    result = candidate.logprobs_result if candidate else None
    if result is None or result.chosen_candidates is None:
        return None
    tops = result.top_candidates or []
    return [
        TokenLogprob(each.token or "", each.log_probability, _likely(tops[place]) if place < len(tops) else None)
        for place, each in enumerate(result.chosen_candidates)
        if each.log_probability is not None
    ]


def _likely(top: TopTokens) -> list[LikelyToken] | None:
    found = [
        LikelyToken(each.token or "", each.log_probability)
        for each in top.candidates or []
        if each.log_probability is not None
    ]
    return found or None


def _status(reason: str) -> AnswerStatus:
    if reason == _ACCOUNT_LIMITED:
        raise CallFailed("key", f"{reason}: Google has limited or disabled the account for its use policy")
    if reason in _COMPLETE:
        return "ok"
    if reason in _CUT:
        return "truncated"
    return "blocked" if reason in _BLOCKED else "refused"
