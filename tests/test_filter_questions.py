"""The safety and the quality question, asked over HTTP: what is asked, flagged, withdrawn, dropped, and stays."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oreline import prompting
from oreline.filters.asking import Asking
from oreline.filters.judged import JudgedQuery
from oreline.filters.parked import park
from oreline.ids import Tally
from oreline.job import Job, StageWriter
from oreline.judging.answers import SafetyAnswer
from oreline.llm.requests import Answer, Answered, Request
from oreline.recipe.settings import Recipe
from oreline.records import Label, Pair, PairSource, Query, Reject
from oreline.tables.manifest import Manifest
from query_world import DOCUMENTS, INPUTS, digests, pair, query, run_filter

from gemini_server import GeminiServer
from house import finish, recipe_for, rows_of

WRITTEN = [query("a", "why do sharks keep moving"), query("b", "where does the diver Ann Quell live")]
WRITTEN_PAIRS = [pair("a", "one"), pair("b", "one")]
PEOPLE = [query("h", "why do sharks swim all the time", "human"), query("t", "can sharks sleep", "human", split="test")]


def recipe(output: Path, server: GeminiServer, **filter_keys: object) -> Recipe:
    llm = {"model": "gemini-3.5-flash-lite", "base_url": server.url, "server": "local", "budget_tokens": 10_000_000}
    return recipe_for(output, llm=llm, filter={"rater": None, **filter_keys})


def harm(_: str, prompt: str) -> str | None:
    if "Which harm" not in prompt:
        return None
    found = "private_person" if "Ann Quell" in prompt else "none"
    return json.dumps({"reason": "a private address" if found != "none" else "fish", "harm": found})


def labelled(query_id: str, doc_id: str, label: Label = "positive", source: PairSource = "human") -> Pair:
    return Pair(f"d/{query_id}", f"d/{doc_id}", label, source)


def test_an_unsafe_query_is_dropped_with_what_was_found(tmp_path: Path, gemini_server: GeminiServer) -> None:
    gemini_server.canned = harm
    manifest = run_filter(recipe(tmp_path, gemini_server, safety={}), [*WRITTEN, *PEOPLE], WRITTEN_PAIRS)
    (reject,) = rows_of(tmp_path, "filter", "rejects", Reject)
    assert (reject.row_id, reject.reason, reject.detail) == ("d/b", "unsafe", "private_person: a private address")
    assert manifest.counts["requests"] == 2
    assert manifest.books.kept.count == 3
    assert all(each.unsafe is None for each in rows_of(tmp_path, "filter", "queries", Query))


def test_a_flag_stays_on_the_row(tmp_path: Path, gemini_server: GeminiServer) -> None:
    gemini_server.canned = harm
    safety = {"action": "flag", "human": True}
    manifest = run_filter(recipe(tmp_path, gemini_server, safety=safety), [*WRITTEN, *PEOPLE], WRITTEN_PAIRS)
    flags = {each.query_id: each.unsafe for each in rows_of(tmp_path, "filter", "queries", Query)}
    assert flags == {"d/a": None, "d/b": "private_person", "d/h": None, "d/t": None}
    assert (manifest.counts["requests"], manifest.counts["flagged_unsafe"]) == (4, 1)


@pytest.mark.parametrize(("action", "reason"), [("drop", "unsafe"), ("flag", None)])
def test_what_the_provider_blocks_is_unsafe(
    action: str, reason: str | None, tmp_path: Path, gemini_server: GeminiServer
) -> None:
    gemini_server.fault("safety", "Ann Quell")
    gemini_server.canned = harm
    run_filter(recipe(tmp_path, gemini_server, safety={"action": action}), WRITTEN, WRITTEN_PAIRS)
    assert [each.reason for each in rows_of(tmp_path, "filter", "rejects", Reject)] == ([reason] if reason else [])
    if action == "flag":
        flags = {each.query_id: each.unsafe for each in rows_of(tmp_path, "filter", "queries", Query)}
        assert flags == {"d/a": None, "d/b": "blocked"}


def test_a_query_without_a_usable_finding_is_dropped(tmp_path: Path, gemini_server: GeminiServer) -> None:
    gemini_server.fault("off_schema", "Ann Quell")
    gemini_server.canned = harm
    run_filter(recipe(tmp_path, gemini_server, safety={"action": "flag"}), WRITTEN, WRITTEN_PAIRS)
    assert [each.reason for each in rows_of(tmp_path, "filter", "rejects", Reject)] == ["unparsable"]


def test_rater_and_safety_are_asked_apart_and_the_first_failure_counts(
    tmp_path: Path, gemini_server: GeminiServer
) -> None:
    def canned(model: str, prompt: str) -> str | None:
        grade = 0 if "Ann Quell" in prompt else 3
        return harm(model, prompt) or json.dumps({"reason": "so", "grade": grade})

    gemini_server.canned = canned
    manifest = run_filter(recipe(tmp_path, gemini_server, rater={}, safety={}), WRITTEN, WRITTEN_PAIRS)
    assert manifest.counts["requests"] == 4
    assert [each.reason for each in rows_of(tmp_path, "filter", "rejects", Reject)] == ["low_rate"]
    assert manifest.facts["ratings"] == {"d": {"w": {"0": 1, "3": 1}}}


def serves(_: str, prompt: str) -> str | None:
    """Grades by the document: German texts serve no query about sharks."""
    grade = 0 if "Alpensegler" in prompt else 3
    return json.dumps({"reason": "other animal" if grade == 0 else "says why", "grade": grade})


def checked(output: Path, server: GeminiServer, pairs: list[Pair], *options: str, **quality: object) -> Manifest:
    server.canned = serves
    made = recipe(output, server, quality=quality)
    return run_filter(made, [*PEOPLE, *WRITTEN], [*pairs, *WRITTEN_PAIRS], *options)


def test_a_wrong_positive_becomes_partial_and_the_query_stays_with_the_right_one(
    tmp_path: Path, gemini_server: GeminiServer
) -> None:
    manifest = checked(tmp_path, gemini_server, [labelled("h", "one"), labelled("h", "two")])
    (reject,) = rows_of(tmp_path, "filter", "rejects", Reject)
    assert (reject.row_id, reject.table, reject.reason) == ("d/h", "pairs", "wrong_positive")
    assert reject.detail == "d/two: graded 0, filter.quality.positives_from is 2: other animal"
    pairs = {each.doc_id: each.label for each in rows_of(tmp_path, "filter", "pairs", Pair) if each.query_id == "d/h"}
    assert pairs == {"d/one": "positive", "d/two": "partial"}
    assert manifest.counts["withdrawn_pairs"] == 1


def test_a_query_whose_only_positive_is_wrong_goes_with_it(tmp_path: Path, gemini_server: GeminiServer) -> None:
    manifest = checked(tmp_path, gemini_server, [labelled("h", "two")])
    (reject,) = rows_of(tmp_path, "filter", "rejects", Reject)
    assert (reject.row_id, reject.table, reject.reason) == ("d/h", "queries", "wrong_positive")
    assert manifest.books.dropped.count == 1


def test_a_wrong_negative_becomes_partial_where_negatives_are_asked_about(
    tmp_path: Path, gemini_server: GeminiServer
) -> None:
    negatives = [labelled("h", "one", "negative"), labelled("h", "two", "negative")]
    checked(tmp_path / "off", gemini_server, negatives)
    assert rows_of(tmp_path / "off", "filter", "rejects", Reject) == []
    checked(tmp_path / "on", gemini_server, negatives, positives_from=None, negatives_below=2)
    (reject,) = rows_of(tmp_path / "on", "filter", "rejects", Reject)
    assert (reject.table, reject.reason, reject.detail.split(":")[0]) == ("pairs", "wrong_negative", "d/one")
    pairs = {each.doc_id: each.label for each in rows_of(tmp_path / "on", "filter", "pairs", Pair)}
    assert pairs["d/two"] == "negative"


def test_only_pairs_of_people_in_training_sets_named_are_asked_about(
    tmp_path: Path, gemini_server: GeminiServer
) -> None:
    pairs = [
        labelled("h", "one", "partial"),
        labelled("h", "two", source="class"),
        labelled("t", "two"),
    ]
    manifest = checked(tmp_path / "one", gemini_server, pairs)
    assert manifest.counts["unchecked_evaluation_pairs"] == 1
    checked(tmp_path / "two", gemini_server, [labelled("h", "two")], datasets=["other"])
    assert sum(gemini_server.calls.values()) == 0


def test_the_model_sees_task_query_and_document_and_no_label(tmp_path: Path, gemini_server: GeminiServer) -> None:
    checked(tmp_path, gemini_server, [labelled("h", "one")])
    (prompt,) = gemini_server.answered_prompts
    assert "why do sharks swim all the time" in prompt
    assert "Sharks\nSharks never stop swimming" in prompt
    assert "positive" not in prompt
    assert "d/one" not in prompt


def test_a_pair_without_a_usable_grade_is_withdrawn(tmp_path: Path, gemini_server: GeminiServer) -> None:
    gemini_server.fault("off_schema", "Alpensegler")
    checked(tmp_path, gemini_server, [labelled("h", "one"), labelled("h", "two")])
    (reject,) = rows_of(tmp_path, "filter", "rejects", Reject)
    assert (reject.table, reject.reason) == ("pairs", "unparsable")


def test_a_document_that_is_not_there_is_not_asked_about(tmp_path: Path, gemini_server: GeminiServer) -> None:
    manifest = checked(tmp_path, gemini_server, [labelled("h", "gone")])
    assert manifest.books.kept.count == 4
    assert sum(gemini_server.calls.values()) == 0


def test_repeated_bundles_and_workers_change_nothing(tmp_path: Path, gemini_server: GeminiServer) -> None:
    pairs = [labelled("h", "one"), labelled("h", "two"), labelled("h", "gone", "negative")]
    one = checked(tmp_path / "one", gemini_server, pairs)
    repeat = "--direct_runner_bundle_repeat=1"
    other = checked(tmp_path / "two", gemini_server, pairs, repeat)
    assert digests(one) == digests(other)
    assert one.facts == other.facts


@dataclass(frozen=True)
class Asked:
    """A job with a parked block, and the requests about it."""

    job: Job
    block: bytes
    requests: list[Request]


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Asked:
    output = tmp_path_factory.mktemp("asked")
    llm = {"model": "gemini-3.5-flash-lite", "budget_tokens": 10_000}
    questions = {"rater": {"human": True}, "safety": {}, "quality": {"negatives_below": 2}}
    made = recipe_for(output, llm=llm, filter=questions)
    queries = [*PEOPLE, *WRITTEN]
    pairs = [labelled("h", "one"), labelled("h", "two"), labelled("t", "one"), *WRITTEN_PAIRS]
    finish(made, "ingest", {"documents": DOCUMENTS, "queries": queries, "pairs": pairs})
    job = Job(str(output), "filter", made, dict(INPUTS))
    judged = [JudgedQuery(each, tuple(one for one in pairs if one.query_id == each.query_id)) for each in queries]
    block = park(job, judged)
    return Asked(job, block, list(Asking().render(job, block)))


def answered(request: Request, kind: int) -> Answered:
    texts = ['{"reason": "", "grade": 0}', '{"grade": 3}', '{"harm": "hate"}', '{"harm": "none"}', "[]"]
    answer = Answer(request.key, 0, "ok", texts[kind % len(texts)])
    if kind >= len(texts):
        return Answered(request, None if kind == len(texts) else answer, "blocked", "by the provider")
    if not Asking().usable(request, answer.text):
        return Answered(request, answer, "unparsable", "no schema fits")
    return Answered(request, answer)


@settings(max_examples=25)
@given(st.lists(st.integers(0, 6), min_size=20, max_size=20))
def test_whatever_is_answered_every_query_has_one_fate(asked: Asked, kinds: list[int]) -> None:
    answers = [answered(*each) for each in zip(asked.requests, kinds, strict=False)]
    assert len(answers) == len(asked.requests) == 4 + 2 + 2
    writer = StageWriter(asked.job)
    Asking().finish(asked.job, asked.block, answers, writer)
    report = writer.close()
    units = Tally.of(each.query_id for each in [*PEOPLE, *WRITTEN])
    assert report.books.kept + report.books.dropped == units


@pytest.mark.parametrize(
    "text",
    [
        '{"harm": "None"}',
        '{"harm": null}',
        '{"harm": ["none"]}',
        '{"harm": "none", "harm": "hate"}',
        '{"reason": "ok"}',
    ],
)
def test_an_answer_that_could_be_read_as_harmless_is_not(text: str) -> None:
    assert isinstance(prompting.parse(SafetyAnswer, text), prompting.Unusable)
