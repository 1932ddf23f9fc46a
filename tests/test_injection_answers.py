"""What a model that was talked into something may answer: the parser takes the schema and nothing else."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from oreline import prompting
from oreline.judging.answers import ListwiseAnswer, RaterAnswer
from oreline.judging.listwise import grades_of
from oreline.prompting import Unusable
from oreline.writing.answers import FretAnswer

LONG = 10 * 2**20


class Scored(BaseModel):
    """An answer with a real number."""

    score: float


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"grade": "3"}', "grade: "),
        ('{"grade": true}', "grade: "),
        ('{"grade": null}', "grade: "),
        ('{"grade": [3]}', "grade: "),
        ('{"grade": 4}', "less than or equal to 3"),
        ('{"grade": -1}', "greater than or equal to 0"),
        ('{"grade": 2.5}', "grade: "),
        ('{"grade": 3, "reason": 7}', "reason: "),
        ('{"reason": "relevant"}', "grade: Field required"),
        ("{}", "grade: Field required"),
        ("3", "answer: "),
        ("relevant", "Invalid JSON"),
        ('[{"grade": 3}]', "answer: "),
        ('"{\\"grade\\": 3}"', "answer: "),
        ('{"grade": 0, "grade": 3}', "the key 'grade' stands more than once"),
        ('{"grade": 3, "grade": 3}', "the key 'grade' stands more than once"),
        ('{"gr\\u0061de": 3, "grade": 0}', "the key 'grade' stands more than once"),
        ('{"grade": 3, "more": {"a": 1, "a": 2}}', "the key 'a' stands more than once"),
        ('{"grade": NaN}', "grade: "),
        ('{"grade": 3, "more": NaN}', "NaN is no number of JSON"),
        ('{"grade": 3, "more": -Infinity}', "-Infinity is no number of JSON"),
        ('{"grade": 3}{"grade": 0}', "trailing characters"),
        ('{"grade": 3}\n{"grade": 0}', "trailing characters"),
        ('{"grade": 3} This document is relevant.', "trailing characters"),
        ('Sure! {"grade": 3}', "Invalid JSON"),
        ('```json\n{"grade": 0}\n```\n```json\n{"grade": 3}\n```', "Invalid JSON"),
        ('{"grade": 3, // relevant\n}', "Invalid JSON"),
        ("{'grade': 3}", "Invalid JSON"),
        ('{"grade": 3,}', "trailing comma"),
        ('{"grade": 3', "Invalid JSON"),
        ('\ufeff{"grade": 3}', "Invalid JSON"),
        ('{"grade": 3, "reason": "\\ud800"}', "Invalid JSON"),
        ('{"grade": 3, "reason": "\x00"}', "Invalid JSON"),
        ('{"grade": 0x3}', "Invalid JSON"),
        ('{"grade": ' + "9" * 400 + "}", "less than or equal to 3"),
        ('{"grade": ' + "9" * 200_000 + "}", "out of range"),
        ('{"grade": 1e999}', "grade: "),
        ('{"grade": 3, "more": 1e999}', "1e999 is no number of JSON"),
        ("[" * 100_000, "Invalid JSON"),
        ('{"grade": 3, "more": ' + "[" * 50_000 + "]" * 50_000 + "}", "recursion limit exceeded"),
        ('{"a":' * 40_000 + "1" + "}" * 40_000, "recursion limit exceeded"),
        ("__import__('os').system('true')", "Invalid JSON"),
        ("{{ 7 * 7 }}", "Invalid JSON"),
        ("", "the answer is empty"),
        (" \n\t ", "the answer is empty"),
        ("```json\n```", "the answer is empty"),
    ],
)
def test_an_answer_off_its_schema_is_unusable_and_says_why(text: str, said: str) -> None:
    found = prompting.parse(RaterAnswer, text)
    assert isinstance(found, Unusable), found
    assert found.reason == "unparsable"
    assert said in found.detail
    assert len(found.detail) < 700


def test_keys_that_the_schema_does_not_have_are_left_out() -> None:
    answer = prompting.parse(RaterAnswer, '{"grade": 1, "verdict": "relevant", "__class__": "X", "model_config": {}}')
    assert isinstance(answer, RaterAnswer)
    assert answer.model_dump() == {"reason": "", "grade": 1}
    assert not hasattr(answer, "verdict")


def test_a_real_number_is_a_finite_one() -> None:
    assert prompting.parse(Scored, '{"score": 0.5}') == Scored(score=0.5)
    for text in ("NaN", "Infinity", "-Infinity", "1e999", '"0.5"', "true"):
        found = prompting.parse(Scored, f'{{"score": {text}}}')
        assert isinstance(found, Unusable), text


@pytest.mark.parametrize(
    "text",
    [
        '{"grades": [' + ",".join("0" * (LONG // 2)) + "]}",
        '{"grades": [{"document": 1, "grade": 3, "reason": "' + "a" * LONG + '"}]}',
        "\n" * LONG,
        "```\n" + "\n" * LONG + "x",
        "`" * LONG,
        "{" * LONG,
    ],
    ids=["a list of zeros", "a long reason", "line breaks", "an unclosed fence", "backticks", "braces"],
)
def test_ten_megabytes_are_not_read(text: str) -> None:
    found = prompting.parse(ListwiseAnswer, text)
    assert isinstance(found, Unusable)
    assert found.detail.endswith("characters; at most 250,000 are read")
    assert isinstance(grades_of(text, 3), str)


def test_an_answer_as_long_as_is_read_is_still_told_in_a_few_words() -> None:
    found = prompting.parse(ListwiseAnswer, '{"grades": [' + ",".join("0" * 100_000) + "]}")
    assert isinstance(found, Unusable)
    assert found.detail.endswith("and 99997 more")
    spaced = "```json\n" + " " * 200_000 + '{"grade": 2}' + "\n" * 40_000 + "```"
    assert prompting.parse(RaterAnswer, spaced) == RaterAnswer(grade=2)


@pytest.mark.parametrize(
    ("grades", "said"),
    [
        ([(1, 3), (1, 0), (2, 1)], "document 1 is graded more than once"),
        ([(1, 3)], "1 of 2 documents have no grade, the first is number 2"),
        ([(1, 3), (2, 0), (3, 3)], "document 3 is graded, but only 2 were shown"),
        ([(0, 3), (1, 3), (2, 3)], "document: Input should be greater than or equal to 1"),
        ([(1, 3), (2, 10**30)], "grade: Input should be less than or equal to 3"),
    ],
)
def test_grades_of_documents_that_were_not_shown_count_for_nothing(grades: list[tuple[int, int]], said: str) -> None:
    text = json.dumps({"grades": [{"document": number, "grade": grade, "reason": ""} for number, grade in grades]})
    found = grades_of(text, 2)
    assert isinstance(found, str)
    assert said in found


def test_text_in_an_answer_stays_text() -> None:
    query = "{{ 7 * 7 }} </document> <!-- user --> __import__('os') '; DROP TABLE x"
    told = {"task_type": "retrieval", "task": "Find {{ texts }}.", "query": query}
    answer = prompting.parse(FretAnswer, json.dumps({"queries": [told]}))
    assert isinstance(answer, FretAnswer)
    assert answer.queries[0].query == query
    assert answer.queries[0].task == "Find {{ texts }}."


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["grade", "reason", "x"]), inner),
    max_leaves=8,
)


def is_finite(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return all(is_finite(each) for each in inner)


@settings(max_examples=200)
@given(JSON)
def test_what_is_taken_meets_the_schema_and_equals_what_was_sent(value: object) -> None:
    found = prompting.parse(RaterAnswer, json.dumps(value))
    good = (
        isinstance(value, dict)
        and type(value.get("grade")) is int
        and 0 <= value["grade"] <= 3
        and isinstance(value.get("reason", ""), str)
        and is_finite(value)
    )
    assert isinstance(found, RaterAnswer) == good
    if isinstance(found, RaterAnswer) and isinstance(value, dict):
        assert found.model_dump() == {"grade": value["grade"], "reason": value.get("reason", "")}


@settings(max_examples=200)
@given(st.text(max_size=30) | st.binary(max_size=20).map(lambda raw: raw.decode("latin-1")))
def test_no_text_at_all_makes_the_parser_raise(text: str) -> None:
    for body in (text, f"```{text}```", f'{{"grade": {text}}}', f'{{"grade": 1, "reason": "{text}"}}'):
        assert isinstance(prompting.parse(RaterAnswer, body), RaterAnswer | Unusable)
