"""Gemini's two APIs through the real client: what is sent, what comes back, and who may ask."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from local_server import Call, logprob, pieces, tokens, variants
from oreline import prompting
from oreline.errors import CallError
from oreline.ids import Json
from oreline.llm.opening import access_told, problems
from oreline.llm.providers import CallFailed
from oreline.llm.providers.gemini_messages import reply_of
from oreline.llm.providers.gemini_response import Response
from oreline.llm.requests import TokenLogprob
from oreline.recipe.settings import Llm
from providers_house import PROMPT, Words, counted, failure, replies, reply, request_of
from server_faults import HttpError

from gemini_server import GeminiServer

MODEL = "gemini-3.5-flash-lite"


def developer(server: GeminiServer, **keys: object) -> Llm:
    return Llm.model_validate({"model": MODEL, "base_url": server.url, "server": "local"} | keys)


@pytest.fixture
def vertex(gemini_server: GeminiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Llm:
    """Vertex AI at the local server, by a service account; keys that must not be sent stand in the environment."""
    account = gemini_server.accounts.service_account(tmp_path, gemini_server.url)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(account))
    monkeypatch.setenv("GOOGLE_API_KEY", "not-for-vertex")
    return developer(gemini_server, project="a-project", location="europe-west4")


def config(server: GeminiServer) -> dict[str, Json]:
    sent = server.bodies[-1]["generationConfig"]
    assert isinstance(sent, dict)
    return sent


def thinking(server: GeminiServer) -> dict[str, Json]:
    """Returns the thinking settings that were sent; protobuf's JSON takes names in either spelling."""
    sent = config(server)["thinkingConfig"]
    assert isinstance(sent, dict)
    return {name.replace("_", "").lower(): value for name, value in sent.items()}


def test_all_settings_are_sent(gemini_server: GeminiServer) -> None:
    llm = developer(
        gemini_server,
        temperature=0.5,
        top_p=0.9,
        seed=7,
        thinking_budget=100,
        safety={"harassment": "off", "hate_speech": "only_high"},
        max_output_tokens=300,
    )
    reply(llm)
    assert thinking(gemini_server) == {"thinkingbudget": 100}
    sent = config(gemini_server)
    assert {name: value for name, value in sent.items() if name != "thinkingConfig"} == {
        "temperature": 0.5,
        "topP": 0.9,
        "seed": 7,
        "candidateCount": 1,
        "maxOutputTokens": 400,
        "responseMimeType": "application/json",
        "responseJsonSchema": prompting.answer_schema(Words),
    }
    body = gemini_server.bodies[-1]
    assert body["systemInstruction"] == {"parts": [{"text": "You write words."}], "role": "user"}
    assert body["safetySettings"] == [
        {"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"},
        {"category": "HARM_CATEGORY_HATE_SPEECH", "threshold": "BLOCK_ONLY_HIGH"},
    ]


def test_what_a_recipe_leaves_out_is_not_sent(gemini_server: GeminiServer) -> None:
    reply(developer(gemini_server))
    sent = config(gemini_server)
    assert set(sent) == {"candidateCount", "maxOutputTokens", "responseMimeType", "responseJsonSchema"}
    assert "safetySettings" not in gemini_server.bodies[-1]


def test_a_thinking_level_is_sent_with_room_for_the_thoughts(gemini_server: GeminiServer) -> None:
    reply(developer(gemini_server, thinking_level="low", max_output_tokens=100))
    sent = config(gemini_server)
    assert thinking(gemini_server) == {"thinkinglevel": "LOW"}
    assert sent["maxOutputTokens"] == 8292


def test_thinking_is_counted_apart_from_the_answer(gemini_server: GeminiServer) -> None:
    gemini_server.thoughts = 55
    found = reply(developer(gemini_server))
    assert found.thinking_tokens == 55
    assert found.output_tokens == tokens(found.text)
    assert found.prompt_tokens == tokens("You write words." + PROMPT)
    assert found.cached_tokens is None


def test_log_probabilities_of_the_answers_tokens_come_back(gemini_server: GeminiServer) -> None:
    found = reply(developer(gemini_server, model="gemini-2.5-flash", logprobs=True))
    assert found.logprobs is not None
    assert [each.token for each in found.logprobs] == pieces(found.text)
    assert [each.logprob for each in found.logprobs] == pytest.approx([logprob(each) for each in pieces(found.text)])


@pytest.mark.parametrize("there", ["developer", "vertex"])
def test_the_likeliest_tokens_at_each_place_come_back(gemini_server: GeminiServer, vertex: Llm, there: str) -> None:
    keys: dict[str, object] = {"model": "gemini-2.5-flash", "logprobs": True}
    llm = developer(gemini_server, **keys) if there == "developer" else vertex.model_copy(update=keys)
    found = reply(llm, request_of(llm, settings={"top_logprobs": 3}))
    assert config(gemini_server)["logprobs"] == 3
    assert found.logprobs is not None
    places = [each.likely for each in found.logprobs]
    assert any(len(each or ()) == 3 for each in places), "else nothing is shown"
    for each, likely in zip(found.logprobs, places, strict=True):
        best = sorted(variants(each.token), key=lambda token: (-logprob(token), token))[:3]
        assert [(other.token, other.logprob) for other in likely or ()] == [(token, logprob(token)) for token in best]


def test_places_without_likeliest_tokens_have_none() -> None:
    chosen: Json = [{"token": "a", "logProbability": -0.5}, {"token": "b", "logProbability": 0}, {"token": "c"}]
    result: Json = {"chosenCandidates": chosen, "topCandidates": [{"candidates": [{"token": "z"}]}]}
    response = Response.model_validate({"candidates": [{"finishReason": "STOP", "logprobsResult": result}]})
    assert reply_of(response).logprobs == [TokenLogprob("a", -0.5, None), TokenLogprob("b", 0.0, None)]


def test_thoughts_are_no_part_of_the_answer() -> None:
    parts: Json = [{"text": "Let me see", "thought": True}, {"text": '{"a":'}, {"text": " 1}", "thoughtSignature": "x"}]
    usage: Json = {
        "promptTokenCount": 5,
        "candidatesTokenCount": 3,
        "thoughtsTokenCount": 9,
        "trafficType": "ON_DEMAND",
    }
    body = {"candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}], "usageMetadata": usage}
    found = reply_of(Response.model_validate(body))
    assert (found.text, found.output_tokens, found.thinking_tokens) == ('{"a": 1}', 3, 9)


@pytest.mark.parametrize("body", ['"text"', '{"candidates": {}}', '{"candidates": [{"finishReason": 3}]}', "[1]", "<x"])
def test_a_body_of_another_shape_is_a_passing_failure(gemini_server: GeminiServer, body: str) -> None:
    gemini_server.fault("body", text=body)
    assert failure(developer(gemini_server)).kind == "transient"


def test_a_model_without_log_probabilities_ends_the_run_with_a_remedy(gemini_server: GeminiServer) -> None:
    gemini_server.unlogged = frozenset({"gemini-2.5-pro"})
    found = failure(developer(gemini_server, model="gemini-2.5-pro", logprobs=True))
    assert found.kind == "model"
    assert "Logprobs is not enabled for models/gemini-2.5-pro; leave out llm.logprobs" in found.message


def test_log_probabilities_of_a_given_text_are_refused(gemini_server: GeminiServer) -> None:
    llm = developer(gemini_server)
    found = failure(llm, request_of(llm, scored="how do fish breathe"))
    assert found.kind == "model"
    assert not gemini_server.bodies


def test_tokens_are_counted_without_asking_for_an_answer(gemini_server: GeminiServer, vertex: Llm) -> None:
    assert counted(developer(gemini_server)) == tokens("You write words." + PROMPT)
    assert counted(vertex) == tokens("You write words." + PROMPT)
    assert gemini_server.counted == 2
    assert not gemini_server.bodies


def test_vertex_answers_by_project_location_and_token(gemini_server: GeminiServer, vertex: Llm) -> None:
    first, second = replies(vertex, [request_of(vertex), request_of(vertex, PROMPT + " again")])
    assert not isinstance(first, Exception)
    assert not isinstance(second, Exception)
    assert len(gemini_server.accounts.tokens) == 1
    assert access_told(vertex) == "default Google credentials, project a-project"
    assert problems(vertex.model_copy(update={"budget_tokens": 10})) == []


def test_vertex_is_asked_in_the_same_words_and_known_by_the_same_keys(gemini_server: GeminiServer, vertex: Llm) -> None:
    llm = developer(gemini_server, thinking_budget=0, safety={"harassment": "none"}, top_p=0.5)
    there = llm.model_copy(update={"project": "a-project"})
    assert reply(llm) == reply(there)
    here, over_there = gemini_server.bodies
    assert over_there == here
    assert request_of(llm).key == request_of(there).key
    assert vertex.project == "a-project"


def test_a_token_that_ran_out_is_renewed(gemini_server: GeminiServer, vertex: Llm) -> None:
    gemini_server.accounts.seconds = 1  # less than the margin before it counts as run out
    assert all(not isinstance(each, Exception) for each in replies(vertex, [request_of(vertex)] * 2))
    assert len(gemini_server.accounts.tokens) == 2


def test_a_revoked_account_stops_as_a_wrong_key_does(gemini_server: GeminiServer, vertex: Llm) -> None:
    gemini_server.accounts.revoked = True
    found = failure(vertex)
    assert found.kind == "key"
    assert "invalid_grant" in found.message
    assert "sign in again" in found.message


def test_a_foreign_project_stops_as_a_wrong_key_does(gemini_server: GeminiServer, vertex: Llm) -> None:
    gemini_server.project = "another"
    found = failure(vertex)
    assert found.kind == "key"
    assert "403 PERMISSION_DENIED: Permission 'aiplatform.endpoints.predict' denied" in found.message


def test_a_model_that_vertex_does_not_have_is_named(gemini_server: GeminiServer, vertex: Llm) -> None:
    gemini_server.models = frozenset({"another"})
    assert failure(vertex).kind == "model"


def test_no_credentials_are_said_with_two_remedies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "missing.json"))
    with pytest.raises(
        CallError,
        match=r"no Google credentials .*missing\.json.*gcloud auth application-default.*GOOGLE_APPLICATION_CREDENTIALS",
    ):
        access_told(Llm(model=MODEL, project="a-project"))


def test_a_key_may_stand_in_a_variable_of_its_own(gemini_server: GeminiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    gemini_server.key = "another-key"
    monkeypatch.setenv("TEAM_KEY", "another-key")
    llm = developer(gemini_server, key_variable="TEAM_KEY")
    assert reply(llm).status == "ok"
    assert access_told(llm) == "key from TEAM_KEY"
    monkeypatch.delenv("TEAM_KEY")
    assert problems(llm.model_copy(update={"budget_tokens": 10})) == [
        "no key for Gemini: set the environment variable TEAM_KEY"
    ]


def test_nobody_claims_that_another_key_is_used(
    gemini_server: GeminiServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("GOOGLE_API_KEY", "another-key")
    assert reply(developer(gemini_server)).status == "ok"
    assert access_told(developer(gemini_server)) == "key from GEMINI_API_KEY"
    assert "GOOGLE_API_KEY" not in caplog.text


def test_a_broken_connection_is_told_at_once_and_not_retried_behind_our_back(gemini_server: GeminiServer) -> None:
    gemini_server.fault("reset")
    assert failure(developer(gemini_server)).kind == "transient"
    assert sum(gemini_server.calls.values()) == 1
    refused = failure(developer(gemini_server, base_url="http://127.0.0.1:9"))
    assert refused.kind == "transient"
    assert "ClientConnectorError" in refused.message
    with hanging_up() as (address, met):
        assert failure(developer(gemini_server, base_url=address)).kind == "transient"
    assert len(met) == 1


@contextmanager
def hanging_up() -> Iterator[tuple[str, list[object]]]:
    """Yields the address of a server that ends every connection at once, and all whom it met."""
    met: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, peer = listener.accept()
                except OSError:
                    return
                met.append(peer)
                connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", met
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_a_wait_that_the_server_asks_for_is_passed_on(gemini_server: GeminiServer) -> None:
    gemini_server.fault("rate", delay=3.5)
    found = failure(developer(gemini_server))
    assert (found.kind, found.retry_after) == ("rate", 3.5)


@dataclass
class Busy(GeminiServer):
    """A server, or a gateway before it, that says in a header when to come back."""

    until: str = "7"

    async def answer(self, _: Call) -> bytes:
        raise HttpError(503, {"error": {"code": 503, "message": "busy"}}, {"Retry-After": self.until})


def test_a_wait_that_stands_in_a_header_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "local-key")
    with Busy() as server:
        found = failure(developer(server))
        assert (found.kind, found.retry_after) == ("transient", 7)
        server.until = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
        found = failure(developer(server))
    assert found.retry_after == pytest.approx(100, abs=60)  # a machine may be slow


@dataclass
class Asked(GeminiServer):
    """A server that notes how long it is told that it has."""

    deadline: str | None = None

    async def answer(self, call: Call) -> bytes:
        self.deadline = call.headers.get("x-server-timeout")
        return await super().answer(call)


@pytest.mark.parametrize(("timeout", "deadline"), [(0.2, "10"), (9.0, "10"), (60.5, "61")])
def test_a_deadline_is_never_shorter_than_the_api_takes(
    timeout: float, deadline: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "local-key")
    with Asked() as server:
        if timeout < 1:
            server.fault("slow")
            while server.deadline is None:  # on a busy machine a call may end before it arrives
                found = failure(developer(server, timeout=timeout))
                assert (found.kind, found.message) == ("transient", f"no answer within llm.timeout, {timeout} seconds")
        else:
            assert reply(developer(server, timeout=timeout)).status == "ok"
        assert server.deadline == deadline


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("STOP", "ok"),
        ("MALFORMED_FUNCTION_CALL", "ok"),
        ("UNEXPECTED_TOOL_CALL", "ok"),
        ("MAX_TOKENS", "truncated"),
        ("CONTINUATION", "truncated"),
        ("SAFETY", "blocked"),
        ("ESCALATION", "blocked"),
        ("RECITATION", "refused"),
        ("LANGUAGE", "refused"),
    ],
)
def test_only_what_the_model_will_not_say_is_final(reason: str, status: str) -> None:
    response = Response.model_validate({"candidates": [{"finishReason": reason}]})
    assert (reply_of(response).status, reply_of(response).reason) == (status, reason)


def test_a_disabled_account_stops_as_a_wrong_key_does_and_is_no_answer() -> None:
    response = Response.model_validate({"candidates": [{"finishReason": "PUP_LIMITED_DISABLED"}]})
    with pytest.raises(CallFailed, match="PUP_LIMITED_DISABLED") as raised:
        reply_of(response)
    assert raised.value.kind == "key"


@pytest.mark.parametrize("body", ["null", "{}", "[]", '{"modelVersion": "a"}'])
def test_a_body_that_says_nothing_is_no_answer(gemini_server: GeminiServer, body: str) -> None:
    gemini_server.fault("body", text=body)
    found = failure(developer(gemini_server))
    assert (found.kind, found.message) == ("transient", "the answer holds neither candidates nor a reason nor usage")


@dataclass
class Odd(GeminiServer):
    """A server whose errors have another shape than Google's."""

    status: int = 400
    message: Json = None

    async def answer(self, _: Call) -> bytes:
        raise HttpError(self.status, {"error": {"message": self.message, "status": 5}})


@pytest.mark.parametrize("status", [400, 429])
@pytest.mark.parametrize("message", [{"a": 1}, 5, ["a"]])
def test_an_error_whose_message_is_no_text_is_a_failure_like_others(
    status: int, message: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "local-key")
    with Odd(status=status, message=message) as server:
        found = failure(developer(server))
    assert (found.kind, found.message) == ("request" if status == 400 else "rate", f"{status} 5: {message}")


@pytest.mark.parametrize("content", ["[]", "", "{"])
def test_a_file_that_holds_no_credentials_is_said(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "account.json").write_text(content)
    for path in (tmp_path, tmp_path / "account.json"):
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
        with pytest.raises(CallError, match="no Google credentials for Vertex AI"):
            access_told(Llm(model=MODEL, project="a-project"))


def test_a_client_that_cannot_be_made_is_a_failure_like_others(
    gemini_server: GeminiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    llm = developer(gemini_server)
    for found in replies(llm, [request_of(llm)] * 2):
        assert isinstance(found, CallFailed)
        assert found.kind == "transient"
        assert "FileNotFoundError" in found.message
