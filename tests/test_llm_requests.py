"""Keys of requests, and what the attempts at one amount to."""

import json
from collections.abc import Callable
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from gemini_writer import Writer
from oreline import prompting
from oreline.errors import CallError
from oreline.ids import Json, canonical_json, sha256_json
from oreline.judging.answers import RaterAnswer
from oreline.llm.attempts import Ask, Settled, weigh
from oreline.llm.providers.gemini_messages import reply_of
from oreline.llm.providers.gemini_response import Response
from oreline.llm.providers.google_errors import failure_kind, retry_delay
from oreline.llm.providers.openai_messages import response_format
from oreline.llm.requests import Answer, AnswerStatus, Request, request_for
from oreline.prompting import Rendered
from oreline.recipe.settings import Llm

LLM = Llm(model="m")
RENDERED = Rendered("test/words", 1, "system", "prompt", {"type": "object"}, {})


def made(llm: Llm = LLM, rendered: Rendered = RENDERED, draw: int = 0) -> Request:
    return request_for(llm, rendered, assigned_by="a", unit_ids=["a"], context="a", draw=draw)


def test_the_key_names_a_lane_and_is_stable() -> None:
    request = made()
    assert request == made()
    assert len(request.key) == 64
    assert request.lane == int(request.key[:2], 16)


@pytest.mark.parametrize(
    "other",
    [
        lambda: made(Llm(model="n")),
        lambda: made(Llm(model="m", temperature=0.0)),
        lambda: made(Llm(model="m", max_output_tokens=7)),
        lambda: made(Llm(model="m", base_url="http://a", server="mine")),
        lambda: made(draw=1),
        lambda: made(rendered=Rendered("test/words", 1, None, "prompt", {"type": "object"}, {})),
        lambda: made(rendered=Rendered("test/words", 1, "system", "prompt!", {"type": "object"}, {})),
        lambda: made(rendered=Rendered("test/words", 1, "system", "prompt", {"type": "array"}, {})),
        lambda: made(rendered=Rendered("test/words", 1, "system", "prompt", {"type": "object"}, {"temperature": 1.0})),
    ],
)
def test_everything_that_changes_the_answer_changes_the_key(other: Callable[[], Request]) -> None:
    assert other().key != made().key


TEXTS = st.text(st.characters(), max_size=8)


@given(
    TEXTS, st.none() | TEXTS, st.none() | TEXTS, st.integers(0, 9), st.dictionaries(st.text(max_size=8), st.integers())
)
def test_the_key_is_that_of_the_canonical_json_of_all_ingredients(
    prompt: str, system: str | None, scored: str | None, draw: int, schema: dict[str, int]
) -> None:
    answer_schema: Json = {**schema}
    rendered = Rendered("test/words", 1, system, prompt, answer_schema, {"temperature": 0.5})
    request = request_for(LLM, rendered, assigned_by="a", unit_ids=["a"], draw=draw, scored=scored)
    stated: Json = {"temperature": 0.5, "max_output_tokens": LLM.max_output_tokens}
    ingredients: dict[str, Json] = {
        "provider": "gemini", "model": "m", "settings": stated, "answer_schema": answer_schema, "system": system,
        "prompt": prompt, "draw": draw,
    }  # fmt: skip
    assert request.key == sha256_json(ingredients if scored is None else {**ingredients, "scored": scored})
    assert json.loads(request.answer_schema) == answer_schema
    assert request.settings == canonical_json(stated).decode()


def test_a_schema_is_sent_with_its_fields_in_their_own_order_so_that_the_reason_comes_before_the_grade() -> None:
    asked = request_for(
        LLM, prompting.load("filter/rater", RaterAnswer).render({"instruction": "find it", "query": "bees"}),
        assigned_by="a", unit_ids=["a"],
    )  # fmt: skip
    assert list(json.loads(asked.answer_schema)["properties"]) == ["reason", "grade"]
    shown = cast("dict[str, dict[str, dict[str, object]]]", response_format(asked.answer_schema)["json_schema"])
    assert list(shown["schema"]["properties"]) == ["reason", "grade"]


def test_what_does_not_change_the_answer_does_not_change_the_key() -> None:
    assert made(Llm(model="m", concurrency=1, timeout=1.0, budget_tokens=9, attempts=5)).key == made().key
    assert made(rendered=Rendered("other", 2, "system", "prompt", {"type": "object"}, {})).key == made().key
    near, far = (Llm(model="m", base_url=url, server="mine") for url in ("http://a", "http://b"))
    assert made(near).key == made(far).key


def test_a_server_without_a_name_is_an_error() -> None:
    with pytest.raises(CallError, match=r"llm\.server is not set"):
        made(Llm(model="m", base_url="http://a"))


def answer(attempt: int, status: AnswerStatus, text: str) -> Answer:
    return Answer("00" * 32, attempt, status, text)


def is_good(request: Request, text: str) -> bool:
    return text == "good" and request.model == "m"


ATTEMPTS = st.lists(
    st.sampled_from([("ok", "good"), ("ok", "bad"), ("truncated", "ba"), ("refused", ""), ("blocked", "")]), max_size=4
)


@settings(deadline=None)
@given(ATTEMPTS, st.integers(1, 3))
def test_the_first_usable_or_final_attempt_decides(attempts: list[tuple[AnswerStatus, str]], most: int) -> None:
    journaled = {number: answer(number, *each) for number, each in enumerate(attempts)}
    found = weigh(made(), journaled, is_good, most)
    ends = [n for n, (status, text) in enumerate(attempts) if text == "good" or status in ("refused", "blocked")]
    if ends:
        assert isinstance(found, Settled)
        assert found.answer == journaled[ends[0]]
        assert (found.reject is None) == (attempts[ends[0]][1] == "good")
    elif len(attempts) < most:
        assert found == Ask(len(attempts))
    else:
        assert isinstance(found, Settled)
        assert found.reject in ("unparsable", "truncated")


def test_a_lost_attempt_is_made_again_only_if_no_other_is_usable() -> None:
    assert weigh(made(), {1: answer(1, "ok", "bad")}, is_good, 2) == Ask(0)
    assert weigh(made(), {1: answer(1, "ok", "good")}, is_good, 2) == Settled(answer(1, "ok", "good"))


@pytest.mark.parametrize(
    ("code", "details", "kind"),
    [
        (400, [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}], "key"),
        (400, [], "request"),
        (401, [], "key"),
        (403, [], "key"),
        (404, [], "model"),
        (408, [], "transient"),
        (429, [], "rate"),
        (503, [], "transient"),
    ],
)
def test_an_http_status_is_a_kind_of_failure(code: int, details: list[dict[str, str]], kind: str) -> None:
    assert failure_kind(code, [dict(each) for each in details]) == kind


def test_the_delay_that_a_429_asks_for_is_read() -> None:
    info = "type.googleapis.com/google.rpc.RetryInfo"
    assert retry_delay([{"@type": info, "retryDelay": "13.5s"}]) == 13.5
    assert retry_delay([{"@type": info, "retryDelay": "soon"}]) is None
    assert retry_delay([]) is None


def test_thoughts_are_no_part_of_the_text_but_of_the_bill() -> None:
    response = Response.model_validate(
        {
            "candidates": [
                {"finishReason": "STOP", "content": {"parts": [{"text": "hm", "thought": True}, {"text": "{}"}]}}
            ],
            "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2, "thoughtsTokenCount": 9},
        }
    )
    reply = reply_of(response)
    assert (reply.text, reply.status) == ("{}", "ok")
    assert (reply.prompt_tokens, reply.output_tokens, reply.thinking_tokens) == (5, 2, 9)


def answer_models() -> list[type[BaseModel]]:
    from oreline.judging.answers import ListwiseAnswer, RaterAnswer
    from oreline.writing.answers import FretAnswer

    return [ListwiseAnswer, RaterAnswer, FretAnswer]


def test_the_local_server_writes_answers_that_meet_our_own_schemas() -> None:
    prompt = (
        "<query>\nrivers of wide mountains\n</query>\n"
        '<documents number="1">\nThe rivers run down wide mountains.\n</documents>\n'
        '<documents number="2">\nBread is baked from flour.\n</documents>'
    )
    for model in answer_models():
        schema = prompting.answer_schema(model)
        assert isinstance(schema, dict)
        text = Writer(prompt, schema).answer()
        assert not isinstance(prompting.parse(model, text), prompting.Unusable), text
        if "grades" in text:
            assert [(each["document"], each["grade"]) for each in json.loads(text)["grades"]] == [(1, 3), (2, 0)]
