"""What a provider's error means, and how long it wants to be left alone."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oreline.ids import Json
from oreline.llm.providers import FailureKind
from oreline.llm.providers import google_errors as google
from oreline.llm.providers import openai_errors as of_openai
from oreline.llm.providers.connections import retry_after, said

RPC = "type.googleapis.com/google.rpc."
NOW = datetime(2026, 11, 21, 1, 0, tzinfo=UTC)


def info(**fields: Json) -> dict[str, Json]:
    return {"@type": f"{RPC}ErrorInfo", **fields}


@pytest.mark.parametrize(
    ("code", "status", "message", "details", "kind"),
    [
        (401, "UNAUTHENTICATED", "Request had invalid authentication credentials.", [], "key"),
        (403, "PERMISSION_DENIED", "Vertex AI API has not been used in project 1", [], "key"),
        (400, "INVALID_ARGUMENT", "API key not valid.", [info(reason="API_KEY_INVALID")], "key"),
        (400, "FAILED_PRECONDITION", "User location is not supported for the API use.", [], "key"),
        (400, "INVALID_ARGUMENT", "Unable to submit request because Logprobs is not supported", [], "model"),
        (400, "INVALID_ARGUMENT", "The input token count exceeds the maximum", [], "request"),
        (
            404,
            "NOT_FOUND",
            "Publisher Model `projects/p/locations/l/publishers/google/models/m` was not found",
            [],
            "model",
        ),
        (429, "RESOURCE_EXHAUSTED", "Resource exhausted. Please try again later.", [], "rate"),
        (429, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted.", [], "quota"),
        (429, "", "Quota exceeded", [info(metadata={"quota_limit": "GenerateContentPerMinutePerProject"})], "rate"),
        (429, "", "Quota exceeded", [info(metadata={"quota_limit": "GenerateContentPerDayPerProject"})], "quota"),
        (408, "", "", [], "transient"),
        (499, "CANCELLED", "The operation was cancelled.", [], "transient"),
        (503, "UNAVAILABLE", "The model is overloaded.", [], "transient"),
        (504, "DEADLINE_EXCEEDED", "", [], "transient"),
    ],
)
def test_googles_errors_are_told_apart(
    code: int, status: str, message: str, details: list[dict[str, Json]], kind: FailureKind
) -> None:
    assert google.failure_kind(code, details, status, message) == kind


@pytest.mark.parametrize("body", [None, [], "text", {"error": "text"}, {"error": {"details": "x"}}, {"error": {}}])
def test_odd_bodies_of_errors_have_no_details(body: object) -> None:
    assert google.details_of(body) == []


@pytest.mark.parametrize(
    ("status", "code", "message", "kind"),
    [
        (401, "invalid_api_key", "", "key"),
        (403, "unsupported_country_region_territory", "", "key"),
        (404, "model_not_found", "", "model"),
        (400, "model_not_found", "", "model"),
        (400, "context_length_exceeded", "maximum context length is 8192 tokens", "request"),
        (413, "", "", "request"),
        (422, "", "", "request"),
        (402, "", "Insufficient Balance", "quota"),
        (429, "insufficient_quota", "", "quota"),
        (429, "rate_limit_exceeded", "Rate limit reached for m on tokens per min (TPM): Limit 1", "rate"),
        (429, "rate_limit_exceeded", "Rate limit reached for m on requests per day (RPD): Limit 200", "quota"),
        (408, "", "", "transient"),
        (409, "", "", "transient"),
        (500, "", "", "transient"),
        (503, "", "", "transient"),
    ],
)
def test_openais_errors_are_told_apart(status: int, code: str, message: str, kind: FailureKind) -> None:
    assert of_openai.failure_kind(status, code, message) == kind


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"error": {"code": "a", "type": "b", "message": "c"}}, ("a", "c")),
        ({"code": None, "type": "b", "message": "c"}, ("b", "c")),
        ({"object": "error", "message": "c", "type": "BadRequestError", "code": 400}, ("BadRequestError", "c")),
        ({"error": "model 'm' not found"}, ("", "model 'm' not found")),
        ({"detail": "Not Found"}, ("", "shown")),
        (None, ("", "shown")),
        ("<html>", ("", "shown")),
    ],
)
def test_bodies_of_all_servers_give_code_and_message(body: Json, found: tuple[str, str]) -> None:
    assert of_openai.code_and_message(body, "shown") == found


@given(st.integers(0, 10_000))
def test_retry_after_is_seconds_or_a_date(seconds: int) -> None:
    assert retry_after({"retry-after": str(seconds)}) == seconds
    date = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)
    assert retry_after({"retry-after": date}, NOW) == seconds


@given(st.text())
@example("0\x1f")
def test_whatever_stands_in_retry_after_it_is_a_wait_or_none(value: str) -> None:
    found = retry_after({"retry-after": value})
    assert found is None or found >= 0


@pytest.mark.parametrize(
    "date", ["Wed, 21 Oct 99999999999999999999 07:28:00 GMT", "21 Oct 2015 07:28 +9999999999999999"]
)
def test_a_date_beyond_all_calendars_asks_for_no_wait(date: str) -> None:
    assert retry_after({"retry-after": date}) is None


def test_a_date_that_is_past_asks_for_no_wait() -> None:
    assert retry_after({"retry-after": "Wed, 21 Oct 2015 07:28:00 -0000"}, NOW) == 0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after": "7", "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s"}, 7),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s"}, 360),
        ({"x-ratelimit-remaining-tokens": "5", "x-ratelimit-reset-tokens": "6m0s"}, None),
        (
            {
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": "1h2m3.5s",
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-requests": "120ms",
            },
            3723.5,
        ),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "soon"}, None),
    ],
)
def test_openais_headers_ask_for_a_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert of_openai.wait_asked(headers) == seconds


@pytest.mark.parametrize("settings", ["default", "True", "False", "<ssl.SSLContext object at 0x7f0123456789>"])
def test_a_server_out_of_reach_is_told_without_how_python_shows_its_tls(settings: str) -> None:
    error = OSError(f"Cannot connect to host models.example:443 ssl:{settings} [Connect call failed]")
    assert said(error) == "Cannot connect to host models.example:443 [Connect call failed]"
