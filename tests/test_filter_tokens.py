"""The tokens of a query within the answer that it stands in, however the answer was cut into tokens."""

import json
import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oreline.filters.tokens import query_logprob, token_spans
from oreline.llm.requests import TokenLogprob
from oreline.scripts import one_line

ANSWER = '{"queries": [{"task": "find it", "query": "why do \\"sharks\\" swim"}, {"query": "gills"}]}'


def tokens(*pieces: tuple[str, float]) -> list[TokenLogprob]:
    return [TokenLogprob(*piece) for piece in pieces]


def cut(text: str, places: list[int]) -> list[str]:
    edges = [0, *sorted({place % (len(text) + 1) for place in places}), len(text)]
    return [text[one:other] for one, other in pairwise(edges) if other > one]


def test_only_the_tokens_of_the_query_count_and_those_that_touch_it() -> None:
    found = query_logprob(
        '{"query": "gills"}', tokens(('{"query": ', -9.0), ('"gil', -0.5), ("ls", -0.25), ('"}', -9.0)), "gills"
    )
    assert found == -0.375


def test_escapes_and_line_ends_in_the_answer_are_read_as_json() -> None:
    pieces = tokens(*((piece, -1.0 if "sharks" in piece else 0.0) for piece in cut(ANSWER, [42, 50])))
    assert query_logprob(ANSWER, pieces, 'why do "sharks" swim') is not None
    broken = '{"query": "gills\\n and oxygen"}'
    assert query_logprob(broken, tokens((broken, -2.0)), "gills and oxygen") == -2.0


@pytest.mark.parametrize(("text", "query"), [(ANSWER, "no such query"), ("no JSON", "no JSON"), ("", "gills")])
def test_a_query_that_the_answer_does_not_hold_has_no_value(text: str, query: str) -> None:
    assert query_logprob(text, tokens((text, -1.0)), query) is None


def test_tokens_of_another_text_give_no_value() -> None:
    assert query_logprob(ANSWER, tokens(*((each, -1.0) for each in "nothing of that kind here")), "gills") is None
    assert query_logprob(ANSWER, [], "gills") is None


def test_a_token_without_a_number_gives_no_value() -> None:
    assert query_logprob('{"query": "gills"}', tokens(('{"query": "gills"}', -math.inf)), "gills") is None


def test_parts_of_a_character_get_the_characters_up_to_the_next_token() -> None:
    spans = token_spans('"鮫が泳ぐ"', ['"', "\ufffd", "\ufffd", "が", "泳", "\ufffd", "\ufffd\ufffd", '"'])
    assert spans == [(0, 1), (1, 2), (1, 2), (2, 3), (3, 4), (4, 5), (4, 5), (5, 6)]


def test_tokens_after_the_answer_are_no_fault() -> None:
    assert token_spans("ab", ["", "a", "b", "<end>"]) == [(0, 0), (0, 1), (1, 2), (2, 7)]


@given(
    st.text(min_size=1).filter(lambda text: one_line(text) not in ("", "query", "task", "before")),
    st.booleans(),
    st.lists(st.integers(0, 500)),
    st.data(),
)
def test_the_value_is_the_mean_over_the_touching_tokens_for_any_cut(
    query: str,
    ascii_only: bool,  # noqa: FBT001 - hypothesis gives arguments by place
    places: list[int],
    data: st.DataObject,
) -> None:
    head, body = '{"task": "before", "query": "', json.dumps(query, ensure_ascii=ascii_only)[1:-1]
    pieces = cut(f'{head}{body}", "task": "before"}}', places)
    values = data.draw(st.lists(st.floats(-20, 0), min_size=len(pieces), max_size=len(pieces)))
    found = query_logprob("".join(pieces), tokens(*zip(pieces, values, strict=True)), one_line(query))
    at, touching = 0, []
    for piece, value in zip(pieces, values, strict=True):
        if at < len(head) + len(body) and at + len(piece) > len(head):
            touching.append(value)
        at += len(piece)
    assert found == round(math.fsum(touching) / len(touching), 4) + 0.0
