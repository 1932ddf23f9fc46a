"""Bodies that no API sends: each is a reply or a failure in one line, never an error of ours, and can be stored."""

from pathlib import Path

import pytest

from faults_house import MAKERS, serving
from oreline.llm.providers import CallFailed, Reply
from oreline.llm.requests import Answer
from oreline.recipe.settings import Llm
from oreline.tables.schema import to_arrow
from providers_house import replies, request_of
from server_faults import GARBAGE

DEEP = 100_000
CUT = {
    "Gemini Developer API": '{{"candidates": [{{"finishReason": {reason}, '
    '"content": {{"parts": [{{"text": {text}}}]}}}}], '
    '"usageMetadata": {{"promptTokenCount": {count}, "candidatesTokenCount": 1}}, "modelVersion": {version}}}',
    "OpenAI-compatible server": '{{"id": "a", "object": "chat.completion", "created": 0, "model": {version}, '
    '"choices": [{{"index": 0, "finish_reason": {reason}, "message": {{"role": "assistant", "content": {text}}}}}], '
    '"usage": {{"prompt_tokens": {count}, "completion_tokens": 1, "total_tokens": 2}}}}',
}
CUT["Vertex AI"] = CUT["Gemini Developer API"]

GOOD = {"reason": '"STOP"', "text": '"{}"', "count": "1", "version": '"a"'}
ODD = {
    "a number as text": {"text": "5"},
    "a list as text": {"text": '[{"type": "text"}]'},
    "a lone surrogate": {"text": '"half \\ud83d of it"', "version": '"\\udc00"'},
    "a null character": {"text": '"\\u0000"'},
    "a reason nobody knows": {"reason": '"BAD_MOOD"'},
    "a number as reason": {"reason": "5"},
    "a control sequence": {"version": '"\\u001b[31m"', "reason": '"\\u001b]0;x"'},
    "a word as count": {"count": '"many"'},
    "a negative count": {"count": "-5"},
    "a fraction as count": {"count": "1.5"},
    "a count beyond 64 bits": {"count": "99999999999999999999"},
    "a huge count": {"count": "1e30"},
    "a number as version": {"version": "5"},
}
SHAPES = [
    "null", "[]", "[1]", '"text"', "1", "{}", '{"candidates": 5}', '{"candidates": [5]}', '{"candidates": [null]}',
    '{"candidates": [{"content": "text"}]}', '{"candidates": [{"content": {"parts": [{"functionCall": {}}]}}]}',
    '{"promptFeedback": {"blockReason": 5}}', '{"choices": null}', '{"choices": 5}', '{"choices": [5]}',
    '{"choices": [{"message": null}]}', '{"choices": [{"message": {"content": 5}}]}', '{"choices": [{}]}',
    '{"error": {"message": "odd"}}', "[" * DEEP, '{"a":' * DEEP + "1" + "}" * DEEP, "\ufeff{}", "", " ", "\x00",
    '{"candidates": ', "data: {}\n\ndata: [DONE]\n", GARBAGE.decode() * 1000,
]  # fmt: skip


def stored(reply: Reply) -> None:
    answer = Answer(
        request_key="00" * 32,
        attempt=0,
        status=reply.status,
        text=reply.text,
        reason=reply.reason,
        model_version=reply.model_version,
        prompt_tokens=reply.prompt_tokens,
        output_tokens=reply.output_tokens,
        logprobs=reply.logprobs,
    )
    assert to_arrow(Answer, [answer]).num_rows == 1


def sent(name: str, folder: Path, bodies: list[str]) -> list[Reply | CallFailed]:
    """Returns what comes of answers with these bodies."""
    with serving(name, folder) as api:
        for number, body in enumerate(bodies):
            api.server.fault("body", f"<{number}>", text=body)
        keys = {"model": "gemini-3.5-flash-lite", "base_url": api.server.url, "server": "local", "timeout": 60.0}
        llm = Llm.model_validate({**keys, **api.settings})
        return replies(llm, [request_of(llm, f"<{number}>") for number in range(len(bodies))])


@pytest.mark.parametrize("name", MAKERS)
def test_a_body_of_another_shape_is_a_reply_or_a_failure_in_one_line(name: str, tmp_path: Path) -> None:
    bodies = [body or " " for body in SHAPES]
    for body, found in zip(bodies, sent(name, tmp_path, bodies), strict=True):
        if isinstance(found, Reply):
            assert (found.status, found.text) in {("ok", ""), ("blocked", "")}, body[:80]
            stored(found)
        else:
            assert found.kind == "transient", (body[:80], found.message)
            assert found.message.isprintable()
            assert 0 < len(found.message) <= 301


@pytest.mark.filterwarnings("ignore:.* is not a valid FinishReason")  # said by google-genai
@pytest.mark.parametrize("name", MAKERS)
def test_an_answer_with_something_odd_in_it_can_be_stored_or_is_a_failure(name: str, tmp_path: Path) -> None:
    found = dict(
        zip(ODD, sent(name, tmp_path, [CUT[name].format(**GOOD | each) for each in ODD.values()]), strict=True)
    )
    for each in found.values():
        if isinstance(each, Reply):
            stored(each)
        else:
            assert each.kind == "transient"
            assert each.message.isprintable()
    half = found["a lone surrogate"]
    assert isinstance(half, Reply)
    assert half.text == "half \ufffd of it"
    for count in ("a negative count", "a huge count", "a count beyond 64 bits"):
        counted = found[count]
        assert isinstance(counted, CallFailed) or counted.prompt_tokens is None


@pytest.mark.parametrize("name", MAKERS)
def test_a_message_of_the_server_is_told_in_one_printable_line(name: str, tmp_path: Path) -> None:
    with serving(name, tmp_path) as api:
        api.server.models = frozenset({"x\n" * 5_000 + "\x1b[31m\u0007"})
        llm = Llm.model_validate({"model": "y" * 3_000, "base_url": api.server.url, "server": "local", **api.settings})
        (found,) = replies(llm, [request_of(llm)])
    assert isinstance(found, CallFailed)
    assert found.kind == "model"
    assert len(found.message) <= 301
    assert found.message.isprintable()
