"""OpenAI's protocol through the real client: what is sent, what comes back, and how it fails."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from local_server import Call, logprob, pieces, tokens, variants
from openai_server import OpenAiServer
from oreline.errors import CallError
from oreline.ids import Json, canonical_json
from oreline.llm.opening import access_told, problems
from oreline.llm.providers import CallFailed, FailureKind, Reply
from oreline.llm.providers.openai_messages import response_format
from oreline.recipe.settings import Llm
from providers_house import PROMPT, counted, failure, replies, reply, request_of
from server_faults import FaultKind, HttpError

from gemini_server import GeminiServer

pytest.importorskip("openai")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAiServer]:
    """A server without a key, while the environment holds one that is OpenAI's, and another address."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    with OpenAiServer(key="") as local:
        yield local


def model(server: OpenAiServer, **keys: object) -> Llm:
    values = {"provider": "openai", "model": "qwen", "base_url": server.url, "server": "local", "budget_tokens": 10}
    return Llm.model_validate(values | keys)


def test_all_settings_are_sent(server: OpenAiServer) -> None:
    llm = model(server, temperature=0.5, top_p=0.9, seed=7, thinking_level="low", max_output_tokens=300)
    reply(llm)
    (body,) = server.bodies
    assert body.pop("response_format")
    assert body == {
        "model": "qwen",
        "messages": [{"role": "system", "content": "You write words."}, {"role": "user", "content": PROMPT}],
        "temperature": 0.5,
        "top_p": 0.9,
        "seed": 7,
        "reasoning_effort": "low",
        "max_tokens": 300 + 8192,
    }


def test_what_a_recipe_leaves_out_is_not_sent(server: OpenAiServer) -> None:
    reply(model(server))
    assert set(server.bodies[0]) == {"model", "messages", "response_format", "max_tokens"}
    assert server.bodies[0]["max_tokens"] == 2048


def test_thinking_is_switched_off_by_a_budget_of_nothing_and_limited_by_another(server: OpenAiServer) -> None:
    reply(model(server, thinking_budget=0))
    reply(model(server, thinking_budget=500))
    off, limited = server.bodies
    assert (off["reasoning_effort"], off["max_tokens"]) == ("none", 2048)
    assert off["chat_template_kwargs"] == {"enable_thinking": False}
    assert "chat_template_kwargs" not in limited
    assert (limited["thinking_token_budget"], limited["max_tokens"]) == (500, 2548)


def test_the_response_schema_is_strict_and_closed(server: OpenAiServer) -> None:
    reply(model(server))
    assert server.bodies[0]["response_format"] == {
        "type": "json_schema",
        "json_schema": {
            "name": "answer",
            "strict": True,
            "schema": {
                "type": "object",
                "description": "What the model answers.",
                "properties": {"words": {"items": {"type": "string"}, "type": "array"}, "grade": {"type": "integer"}},
                "required": ["words", "grade"],
                "additionalProperties": False,
            },
        },
    }


def test_a_schema_with_a_property_that_may_be_left_out_is_sent_as_it_is() -> None:
    schema: dict[str, Json] = {
        "type": "object",
        "properties": {"words": {"type": "string", "minLength": 1}, "more": {"type": "string"}},
        "required": ["words"],
    }
    sent = response_format(canonical_json(schema).decode())["json_schema"]
    assert sent == {"name": "answer", "strict": False, "schema": schema}


def test_properties_may_be_called_like_the_keywords_that_strict_mode_refuses() -> None:
    inner: dict[str, Json] = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}
    schema: dict[str, Json] = {
        "title": "Answer",
        "$defs": {"default": inner},
        "type": "object",
        "properties": {"default": {"$ref": "#/$defs/default"}, "minLength": {"type": "string", "minLength": 1}},
        "required": ["default", "minLength"],
    }
    assert response_format(canonical_json(schema).decode())["json_schema"].get("schema") == {
        "$defs": {"default": {**inner, "additionalProperties": False}},
        "type": "object",
        "properties": {"default": {"$ref": "#/$defs/default"}, "minLength": {"type": "string"}},
        "required": ["default", "minLength"],
        "additionalProperties": False,
    }


def test_usage_tells_thinking_from_the_answer(server: OpenAiServer) -> None:
    server.thoughts = 40
    found = reply(model(server))
    assert found.thinking_tokens == 40
    assert found.output_tokens == tokens(found.text)
    assert found.prompt_tokens == tokens("You write words." + PROMPT)
    assert (found.model_version, found.reason) == ("qwen", "stop")


def test_log_probabilities_of_the_answers_tokens_come_back(server: OpenAiServer) -> None:
    found = reply(model(server, logprobs=True))
    assert found.logprobs is not None
    assert [each.token for each in found.logprobs] == pieces(found.text)
    assert [each.logprob for each in found.logprobs] == pytest.approx([logprob(each) for each in pieces(found.text)])
    assert all(each.likely is None for each in found.logprobs)


def test_the_likeliest_tokens_at_each_place_come_back(server: OpenAiServer) -> None:
    llm = model(server, logprobs=True)
    found = reply(llm, request_of(llm, settings={"top_logprobs": 3}))
    assert server.bodies[-1]["top_logprobs"] == 3
    assert found.logprobs is not None
    assert any(len(each.likely or ()) == 3 for each in found.logprobs), "else nothing is shown"
    for each in found.logprobs:
        best = sorted(variants(each.token), key=lambda token: (-logprob(token), token))[:3]
        assert [(other.token, other.logprob) for other in each.likely or ()] == [(one, logprob(one)) for one in best]


@pytest.mark.parametrize(
    ("fault", "status", "reason"),
    [
        ("max_tokens", "truncated", "length"),
        ("safety", "blocked", "content_filter"),
        ("blocked_prompt", "blocked", "content_filter"),
        ("recitation", "refused", "refusal"),
        ("no_candidates", "ok", "NO_CANDIDATE"),
        ("empty", "ok", "stop"),
    ],
)
def test_odd_endings_are_answers(server: OpenAiServer, fault: FaultKind, status: str, reason: str) -> None:
    server.fault(fault)
    found = reply(model(server))
    assert (found.status, found.reason) == (status, reason)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("rate", "rate"),
        ("quota", "quota"),
        ("server", "transient"),
        ("bad_request", "request"),
        ("reset", "transient"),
        ("garbage", "transient"),
    ],
)
def test_failures_are_told_apart_and_not_retried_behind_our_back(
    server: OpenAiServer, fault: FaultKind, kind: FailureKind
) -> None:
    server.fault(fault, delay=2.5)
    found = failure(model(server))
    assert found.kind == kind
    assert found.retry_after == (2.5 if kind == "rate" else None)
    assert sum(server.calls.values()) == 1


def test_a_server_that_is_not_there_is_a_passing_failure(server: OpenAiServer) -> None:
    assert failure(model(server, base_url="http://127.0.0.1:9/v1")).kind == "transient"


def test_a_slow_answer_is_given_up_in_time(server: OpenAiServer) -> None:
    server.fault("slow")
    found = failure(model(server, timeout=0.2))
    assert (found.kind, found.message) == ("transient", "no answer within llm.timeout, 0.2 seconds")


def test_an_unknown_model_and_a_wrong_address_say_so(server: OpenAiServer) -> None:
    server.models = frozenset({"another"})
    unknown = failure(model(server))
    assert (unknown.kind, unknown.message) == ("model", "404 model_not_found: The model `qwen` does not exist")
    astray = failure(model(server, base_url=server.url.removesuffix("/v1")))
    assert astray.kind == "model"
    assert "most servers want it to end in /v1" in astray.message


def test_a_server_of_ones_own_gets_no_key_of_openai(server: OpenAiServer) -> None:
    server.key = "sk-of-openai"
    assert failure(model(server)).kind == "key"
    assert access_told(model(server)) == "no key"


def test_a_key_is_taken_from_its_variable_and_never_shown(
    server: OpenAiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.key = "sk-marked-7"
    monkeypatch.setenv("LOCAL_KEY", "sk-marked-7")
    llm = model(server, key_variable="LOCAL_KEY")
    assert reply(llm).status == "ok"
    assert access_told(llm) == "key from LOCAL_KEY"
    monkeypatch.setenv("LOCAL_KEY", "sk-marked-8")
    found = failure(llm)
    assert found.kind == "key"
    assert found.message == "401 invalid_api_key: Incorrect API key provided: Bearer <key>"


def test_openai_itself_needs_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    llm = Llm(provider="openai", model="gpt-5-mini", budget_tokens=10)
    assert problems(llm) == ["no key for OpenAI: set the environment variable OPENAI_API_KEY"]


def test_what_a_model_cannot_do_is_known_before_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk")
    llm = Llm(provider="openai", model="gpt-5-mini", budget_tokens=10, logprobs=True)
    (found,) = problems(llm)
    assert "openai gpt-5-mini gives no log-probabilities of what it writes; leave it out" in found
    assert problems(llm.model_copy(update={"thinking_budget": 0})) == []


def test_tokens_are_counted_where_the_server_is_a_vllm(server: OpenAiServer) -> None:
    assert counted(model(server)) == tokens(f"<system>You write words.<user>{PROMPT}<assistant>")
    server.vllm = False
    assert counted(model(server)) is None


@pytest.mark.parametrize("text", ["how do fish breathe", "ü", "鱼怎么呼吸", "a", ""])
def test_a_given_text_is_scored_token_by_token_from_where_it_begins(server: OpenAiServer, text: str) -> None:
    llm = model(server, thinking_budget=0)
    found = reply(llm, request_of(llm, scored=text))
    assert found.logprobs is not None
    assert "".join(each.token for each in found.logprobs) == text
    assert [each.logprob for each in found.logprobs] == pytest.approx([logprob(each) for each in pieces(text)])
    assert (found.status, found.text, found.output_tokens) == ("ok", text, 1)


def test_scoring_needs_a_vllm_and_says_so(server: OpenAiServer) -> None:
    server.vllm = False
    llm = model(server)
    found = failure(llm, request_of(llm, scored="how do fish breathe"))
    assert found.kind == "model"
    assert f"{server.url.removesuffix('/v1')}/tokenize is not there" in found.message


def test_a_scored_text_is_part_of_the_key_and_no_text_leaves_keys_as_they_were(server: OpenAiServer) -> None:
    llm = model(server)
    keys = {request_of(llm, scored=each).key for each in (None, "", "a", "b")}
    assert len(keys) == 4
    assert request_of(llm, scored=None).key == request_of(llm).key


def test_providers_close_their_connections(server: OpenAiServer, gemini_server: GeminiServer) -> None:
    found: list[Reply | CallFailed] = replies(model(server), [request_of(model(server))] * 3)
    gemini = Llm(model="m", base_url=gemini_server.url, server="local")
    found += replies(gemini, [request_of(gemini)] * 3)
    assert all(isinstance(each, Reply) for each in found)


def test_a_missing_extra_is_named(server: OpenAiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(CallError, match=r"pip install 'oreline\[openai\]'"):
        access_told(model(server))


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        ({"code": 429, "message": "limited upstream"}, "rate", "429: limited upstream"),
        ({"code": 502, "message": "upstream is down"}, "transient", "502: upstream is down"),
        ({"message": "odd"}, "transient", "odd"),
        ("odd", "transient", "odd"),
        (None, "transient", "the answer holds neither choices nor usage"),
    ],
)
def test_an_error_that_comes_as_an_answer_is_no_answer(
    server: OpenAiServer, error: Json, kind: FailureKind, message: str
) -> None:
    server.fault("body", text=canonical_json({"id": "a", "error": error}).decode())
    found = failure(model(server))
    assert (found.kind, found.message) == (kind, message)


@pytest.mark.parametrize(
    ("usage", "counted_as"),
    [
        ({}, (None, None)),
        ({"prompt_tokens": 3}, (None, None)),
        ({"completion_tokens": 9, "completion_tokens_details": {"reasoning_tokens": 4}}, (5, 4)),
        ({"completion_tokens": 9, "completion_tokens_details": {"reasoning_tokens": 40}}, (9, 40)),
    ],
)
def test_an_answer_is_kept_whatever_its_usage_leaves_out(
    server: OpenAiServer, usage: Json, counted_as: tuple[int | None, int | None]
) -> None:
    choice: Json = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "{}"}}
    server.fault("body", text=canonical_json({"choices": [choice], "usage": usage}).decode())
    found = reply(model(server))
    assert (found.text, found.output_tokens, found.thinking_tokens) == ("{}", *counted_as)


@pytest.mark.parametrize("reason", ["error", "abort"])
def test_an_answer_that_the_server_broke_off_is_none_and_may_be_asked_for_again(
    server: OpenAiServer, reason: str
) -> None:
    choice: dict[str, Json] = {"index": 0, "finish_reason": reason, "message": {"role": "assistant", "content": "{"}}
    choice["error"] = {"code": 502, "message": "the backend went away"}
    server.fault("body", text=canonical_json({"choices": [choice], "usage": {"prompt_tokens": 3}}).decode())
    found = failure(model(server))
    assert found.kind == "transient"
    assert f"broke the answer off (finish_reason {reason}): the backend went away" in found.message


@dataclass
class Without(OpenAiServer):
    """A server that knows no model, in Ollama's words."""

    async def answer(self, _: Call) -> bytes:
        message = "model 'qwen' not found, try pulling it first"
        raise HttpError(404, {"error": {"message": message, "type": "api_error", "param": None, "code": None}})


def test_a_model_that_a_server_does_not_hold_is_not_taken_for_a_wrong_address() -> None:
    with Without() as server:
        found = failure(model(server))
    assert found.kind == "model"
    assert found.message == "404 api_error: model 'qwen' not found, try pulling it first"


@dataclass
class Overflowing(OpenAiServer):
    """A server whose numbers are larger than any."""

    tokens: str = "[1]"

    async def answer(self, _: Call) -> bytes:
        huge = "9" * 400
        entries = f'[null, {{"1": {{"logprob": {huge}}}}}]'
        return f'{{"tokens": {self.tokens}, "choices": [{{"text": "", "prompt_logprobs": {entries}}}]}}'.encode()


@pytest.mark.parametrize("ids", ["[1]", "[1e999]"])
def test_numbers_beyond_all_bounds_are_a_failure_like_others(ids: str) -> None:
    with Overflowing(tokens=ids) as server:
        llm = model(server)
        found = failure(llm, request_of(llm, scored="a"))
    assert found.kind == "transient"
    assert "OverflowError" in found.message


@pytest.mark.parametrize("key", ["sk-one\nsk-two", "“sk-quoted”", "sk-ü"])
def test_a_key_that_cannot_be_sent_is_said_before_it_is_tried(
    server: OpenAiServer, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_KEY", key)
    (found,) = problems(model(server, key_variable="LOCAL_KEY"))
    assert found.startswith("the key for local in the environment variable LOCAL_KEY holds a character that no key has")
    assert "sk-" not in found


@dataclass
class Packing(OpenAiServer):
    """A server, or a gateway before it, that packs what nobody asked it to pack."""

    accepted: str | None = None

    async def answer(self, call: Call) -> bytes:
        self.accepted = call.headers.get("accept-encoding")
        raise HttpError(200, {"choices": []}, {"Content-Encoding": "gzip"})


def test_a_packed_answer_which_may_be_of_any_size_is_not_unpacked() -> None:
    with Packing() as server:
        found = failure(model(server))
    assert server.accepted == "identity"
    assert found.kind == "transient"
    assert "the answer is packed (gzip)" in found.message
