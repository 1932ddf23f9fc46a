"""Gemini through google-genai: the Developer API."""

import asyncio
import importlib
import importlib.util
import json
from collections.abc import Mapping, Sequence
from typing import Protocol, cast

from google import genai
from google.genai import errors, types

from oreline.ids import Json
from oreline.llm.keys import SecretKey
from oreline.llm.providers import CallFailed, FailureKind, Reply
from oreline.llm.requests import AnswerStatus, Request
from oreline.recipe.settings import Llm

_BLOCKED = frozenset({"SAFETY", "PROHIBITED_CONTENT", "BLOCKLIST", "SPII", "IMAGE_SAFETY", "MODEL_ARMOR"})
_COMPLETE = frozenset({"STOP", "FINISH_REASON_UNSPECIFIED", "OTHER", "MALFORMED_RESPONSE"})
"""What may have ended an answer that can be asked for again if it turns out to be empty or unusable."""

_API_VERSION = "v1beta"
"""Said outright: google-genai 3.x would take v1, which has refused system instructions and response schemas."""

_RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo"
_QUOTA_FAILURE = "type.googleapis.com/google.rpc.QuotaFailure"
_ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"


class Gemini:
    """The Gemini Developer API behind google-genai's asynchronous client, which is made on first use."""

    def __init__(self, llm: Llm, key: SecretKey) -> None:
        self._llm = llm
        self._key = key
        self._client: genai.Client | None = None
        self._session: _Closable | None = None
        self._transport_errors = _transport_errors()

    async def generate(self, request: Request) -> Reply:
        """Sends a request once; see `Provider`."""
        config = _config(request)
        try:
            async with asyncio.timeout(self._llm.timeout):
                response = await self._open().aio.models.generate_content(
                    model=request.model, contents=request.prompt, config=config
                )
        except errors.APIError as error:
            raise self._failure(error) from None  # its response holds headers, which hold the key
        except TimeoutError:
            raise CallFailed("transient", f"no answer within llm.timeout, {self._llm.timeout:g} seconds") from None
        except self._transport_errors as error:
            message = self._key.hide(f"{type(error).__name__}: {error}")
            raise CallFailed("transient", message) from None
        return reply_of(response)

    async def close(self) -> None:
        """Closes the connections."""
        if self._client is not None:
            await self._client.aio.aclose()
            self._client.close()
            self._client = None
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> genai.Client:
        if self._client is None:
            self._session = _open_session()
            options = types.HttpOptions.model_validate(
                {
                    "base_url": self._llm.base_url,
                    "api_version": _API_VERSION,
                    "timeout": int(self._llm.timeout * 1000),
                    "retry_options": types.HttpRetryOptions(attempts=1),
                    "aiohttp_client": self._session,
                    "async_client_args": None if self._session else _unlimited_pool(),
                }
            )
            self._client = genai.Client(vertexai=False, api_key=self._key.reveal(), http_options=options)
        return self._client

    def _failure(self, error: errors.APIError) -> CallFailed:
        details = _details(error.details)
        message = self._key.hide(f"{error.code} {error.status or ''}: {error.message or 'no message'}")
        return CallFailed(failure_kind(error.code, details), message, retry_delay(details))


def failure_kind(code: int, details: Sequence[Mapping[str, Json]]) -> FailureKind:
    """Returns what kind of failure an HTTP status with google.rpc details is."""
    reasons = {str(each.get("reason")) for each in details if each.get("@type") == _ERROR_INFO}
    if code in (401, 403) or (code == 400 and "API_KEY_INVALID" in reasons):
        return "key"
    if code == 404:
        return "model"
    if code == 429:
        return "quota" if _daily(details) else "rate"
    return "transient" if code >= 500 or code == 408 else "request"


def retry_delay(details: Sequence[Mapping[str, Json]]) -> float | None:
    """Returns the seconds that a google.rpc.RetryInfo asks for, or None."""
    for each in details:
        delay = str(each.get("retryDelay", ""))
        if each.get("@type") == _RETRY_INFO and delay.endswith("s"):
            try:
                return float(delay[:-1])
            except ValueError:
                return None
    return None


def reply_of(response: types.GenerateContentResponse) -> Reply:
    """Returns what a response says: status by finish and block reasons, text, usage."""
    usage = response.usage_metadata or types.GenerateContentResponseUsageMetadata()
    feedback = response.prompt_feedback
    status: AnswerStatus
    candidate = response.candidates[0] if response.candidates else None
    if feedback is not None and feedback.block_reason is not None:
        status, reason, text = "blocked", str(feedback.block_reason.value), ""
    elif candidate is None:
        status, reason, text = "ok", "NO_CANDIDATE", ""
    else:
        reason = str(candidate.finish_reason.value) if candidate.finish_reason else "FINISH_REASON_UNSPECIFIED"
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
    )


def _status(reason: str) -> AnswerStatus:
    if reason in _COMPLETE:
        return "ok"
    if reason == "MAX_TOKENS":
        return "truncated"
    return "blocked" if reason in _BLOCKED else "refused"


def _config(request: Request) -> types.GenerateContentConfig:
    settings = json.loads(request.settings)
    return types.GenerateContentConfig(
        system_instruction=request.system,
        response_mime_type="application/json",
        response_json_schema=json.loads(request.answer_schema),
        max_output_tokens=settings["max_output_tokens"],
        temperature=settings.get("temperature"),
        candidate_count=1,
    )


def _details(body: object) -> list[dict[str, Json]]:
    """Returns the google.rpc details of an error's body; empty if it has another shape."""
    error = body.get("error", body) if isinstance(body, dict) else {}
    details = error.get("details", []) if isinstance(error, dict) else []
    return [each for each in details if isinstance(each, dict)] if isinstance(details, list) else []


def _daily(details: Sequence[Mapping[str, Json]]) -> bool:
    for each in details:
        violations = each.get("violations")
        if each.get("@type") == _QUOTA_FAILURE and isinstance(violations, list):
            return any(isinstance(one, dict) and "PerDay" in str(one.get("quotaId")) for one in violations)
    return False


def _transport_errors() -> tuple[type[Exception], ...]:
    """Returns the errors of broken connections and bodies, of whichever HTTP library google-genai uses.

    That is httpx2 (3.x), httpx (2.x), or aiohttp where it is installed. A body that is no JSON is a ValueError.
    """
    names = (("httpx2", "HTTPError"), ("httpx", "HTTPError"), ("aiohttp", "ClientError"))
    installed = ((module, name) for module, name in names if importlib.util.find_spec(module) is not None)
    found = [cast("type[Exception]", getattr(importlib.import_module(module), name)) for module, name in installed]
    return (*found, errors.UnknownApiResponseError, ValueError, OSError)


class _Closable(Protocol):
    """An aiohttp.ClientSession, as far as it concerns us: aiohttp need not be installed."""

    async def close(self) -> None:
        """Closes the connections."""
        ...


def _open_session() -> _Closable | None:
    """Returns an aiohttp session without a limit of connections, where aiohttp is installed.

    The default ones of google-genai open too few: they reached 0.75 to 0.82 of the ideal rate at 64 calls in flight.
    """
    if importlib.util.find_spec("aiohttp") is None:
        return None
    aiohttp = importlib.import_module("aiohttp")
    return cast("_Closable", aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))


def _unlimited_pool() -> dict[str, object]:
    """Returns the arguments by which an httpx client keeps as many connections as calls are in flight."""
    name = next(module for module in ("httpx2", "httpx") if importlib.util.find_spec(module) is not None)
    return {"limits": importlib.import_module(name).Limits(max_connections=None, max_keepalive_connections=None)}
