"""Which documents are judged, in which order they are shown, and which answers count."""

import json
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oreline.judging import listwise
from oreline.judging.answers import DocumentGrade, RaterAnswer
from oreline.judging.grades import verdict_of
from oreline.judging.instructions import DEFAULTS, instruction_of
from oreline.judging.shown import MOST_SHOWN, calls_of, judged_documents
from oreline.recipe.settings import MarginCeiling, PercentCeiling, ScoreCeiling
from oreline.records import Candidate, PoolEntry, Query, Scored

IDS = st.lists(st.text(min_size=1, max_size=6), unique=True, max_size=90)


def candidate(positives: list[float], pool: list[float], known: int = 0) -> Candidate:
    return Candidate(
        "d/q",
        [Scored(f"d/p{place}", 1, score) for place, score in enumerate(positives)],
        [Scored(f"d/k{place}", 9, 0.1) for place in range(known)],
        [PoolEntry(f"d/n{place}", score, []) for place, score in enumerate(pool)],
    )


def test_positives_known_negatives_the_top_and_the_best_below_the_ceiling_are_judged() -> None:
    pool = [0.9 - place / 50 for place in range(40)]
    found = judged_documents(candidate([0.5, 0.8], pool, known=2), 3, 2, PercentCeiling(percent_of_positive=0.9))
    below = [f"d/n{place}" for place, score in enumerate(pool) if score < 0.5 * 0.9][:4]
    assert found == ["d/p0", "d/p1", "d/k0", "d/k1", "d/n0", "d/n1", "d/n2", *below]


def test_a_document_that_is_both_in_the_top_and_below_the_ceiling_is_judged_once() -> None:
    assert judged_documents(candidate([0.9], [0.3, 0.2, 0.1]), 2, 1, ScoreCeiling(score=0.5)) == [
        "d/p0",
        "d/n0",
        "d/n1",
    ]


def test_a_score_at_the_ceiling_is_not_below_it_and_no_ceiling_lets_all_pass() -> None:
    at = candidate([0.75], [0.5, 0.25])
    assert judged_documents(at, 1, 1, MarginCeiling(margin=0.25)) == ["d/p0", "d/n0", "d/n1"]
    assert judged_documents(candidate([0.75], [0.5, 0.4, 0.3]), 1, 1, "none") == ["d/p0", "d/n0", "d/n1"]


@given(IDS, st.text(max_size=4))
def test_calls_show_each_document_once_and_are_of_nearly_equal_size(doc_ids: list[str], query_id: str) -> None:
    calls = calls_of(query_id, doc_ids)
    assert sorted(doc_id for call in calls for doc_id in call) == sorted(doc_ids)
    assert len(calls) == -(-len(doc_ids) // MOST_SHOWN)
    sizes = {len(call) for call in calls}
    assert not sizes or (max(sizes) <= MOST_SHOWN and max(sizes) - min(sizes) <= 1)


@given(IDS, st.randoms(use_true_random=False))
def test_the_order_shown_depends_on_the_ids_alone(doc_ids: list[str], random: Random) -> None:
    mixed = list(doc_ids)
    random.shuffle(mixed)
    assert calls_of("d/q", mixed) == calls_of("d/q", doc_ids)


def answer(*grades: tuple[int, int]) -> str:
    return json.dumps({"grades": [{"document": number, "reason": "r", "grade": grade} for number, grade in grades]})


def test_grades_come_back_in_the_order_shown() -> None:
    found = listwise.grades_of(answer((3, 0), (1, 3), (2, 1)), 3)
    assert not isinstance(found, str)
    assert [each.grade for each in found] == [3, 1, 0]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (answer((1, 3), (1, 2), (2, 0)), "document 1 is graded more than once"),
        (answer((1, 3)), "1 of 3 documents have no grade|2 of 3 documents have no grade"),
        (answer((1, 3), (2, 0), (3, 1), (4, 1)), "document 4 is graded, but only 3 were shown"),
        (answer((1, 4), (2, 0), (3, 1)), "less than or equal to 3"),
        (answer((0, 1), (1, 4), (2, 0)), "greater than or equal to 1"),
        ('{"grades": []}', "at least 1 item"),
        ("sorry, no", "Invalid JSON"),
        ("", "empty"),
    ],
)
def test_an_answer_that_does_not_grade_each_document_once_is_unusable(text: str, problem: str) -> None:
    found = listwise.grades_of(text, 3)
    assert isinstance(found, str)
    assert any(each in found for each in problem.split("|")), found


def test_a_reason_is_asked_for_before_the_grade_but_an_answer_without_one_counts() -> None:
    for schema in (DocumentGrade.model_json_schema(), RaterAnswer.model_json_schema()):
        assert schema["required"][-2:] == ["reason", "grade"]
    assert not isinstance(listwise.grades_of('{"grades": [{"document": 1, "grade": 2}]}', 1), str)
    assert RaterAnswer.model_validate_json('{"grade": 3}').reason == ""


@pytest.mark.parametrize(
    ("grade", "verdict"), [(0, "irrelevant"), (1, "partly_relevant"), (2, "relevant"), (3, "relevant")]
)
def test_a_grade_means(grade: int, verdict: str) -> None:
    assert verdict_of(grade) == verdict


def test_the_judge_sees_the_querys_instruction_or_its_tasks() -> None:
    own = Query("d/q", "d", "q", "h", instruction="Find the law.")
    assert instruction_of(own) == "Find the law."
    assert instruction_of(Query("d/q", "d", "q", "h", task_type="fact_checking")) == DEFAULTS["fact_checking"]
