"""What an error of a Google API means: its HTTP status, its google.rpc details, its words."""

from collections.abc import Iterable, Mapping, Sequence

from oreline.ids import Json
from oreline.llm.providers.protocol import FailureKind

_RPC = "type.googleapis.com/google.rpc."
_RETRY_INFO = f"{_RPC}RetryInfo"
_QUOTA_FAILURE = f"{_RPC}QuotaFailure"
_ERROR_INFO = f"{_RPC}ErrorInfo"
_PASSING = frozenset({408, 409, 499})
"""Timeouts, conflicts and cancellations on their side."""

Details = Sequence[Mapping[str, Json]]


def failure_kind(code: int, details: Details, status: str = "", message: str = "") -> FailureKind:
    """Returns what kind of failure an HTTP status with google.rpc status, details and message is."""
    reasons = {str(each.get("reason")) for each in details if each.get("@type") == _ERROR_INFO}
    if code == 429:
        return "quota" if _used_up(details, message) else "rate"
    if code in (401, 403) or (code == 400 and ("API_KEY_INVALID" in reasons or status == "FAILED_PRECONDITION")):
        return "key"  # 400 FAILED_PRECONDITION: no free tier in this country, or billing is off
    if code == 404 or (code == 400 and _lacks_logprobs(message)):
        return "model"
    return "transient" if code >= 500 or code in _PASSING else "request"


def remedy(code: int, message: str) -> str:
    """Returns what to do about an error, as the end of a sentence, where it is not obvious; else nothing."""
    if code == 400 and _lacks_logprobs(message):
        return "; leave out llm.logprobs, or name a model that gives them"
    return ""


def retry_delay(details: Details) -> float | None:
    """Returns the seconds that a google.rpc.RetryInfo asks for, or None."""
    for each in details:
        delay = str(each.get("retryDelay", ""))
        if each.get("@type") == _RETRY_INFO and delay.endswith("s"):
            try:
                return float(delay[:-1])
            except ValueError:
                return None
    return None


def details_of(body: object) -> list[dict[str, Json]]:
    """Returns the google.rpc details of an error's body; empty if it has another shape."""
    error = body.get("error", body) if isinstance(body, dict) else {}
    details = error.get("details", []) if isinstance(error, dict) else []
    return [each for each in details if isinstance(each, dict)] if isinstance(details, list) else []


def _used_up(details: Details, message: str) -> bool:
    """Says whether a 429 will not pass within minutes: the day's quota, or prepaid money, is gone."""
    return "credits are depleted" in message or any("PerDay" in name for name in _quota_names(details))


def _quota_names(details: Details) -> Iterable[str]:
    for each in details:
        violations, metadata = each.get("violations"), each.get("metadata")
        if each.get("@type") == _QUOTA_FAILURE and isinstance(violations, list):
            yield from (str(one.get("quotaId")) for one in violations if isinstance(one, dict))
        elif each.get("@type") == _ERROR_INFO and isinstance(metadata, dict):
            yield str(metadata.get("quota_limit"))


def _lacks_logprobs(message: str) -> bool:
    return message.lower().startswith("logprobs is not") or "because logprobs is not" in message.lower()
