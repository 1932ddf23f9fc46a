"""The store of verdicts: a second round judges only what is new, whatever became of the files."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge_house import CEILING, docstrings, gemini, judged, judgements_in, recipe_of, world
from oreline.ids import bucket_of
from oreline.judging.kept import Kept, Range, VerdictStore, range_count
from oreline.judging.shown import judged_documents
from oreline.records import Candidate

from gemini_server import GeminiServer


def documents_of(candidates: list[Candidate]) -> set[tuple[str, str]]:
    return {(each.query_id, doc_id) for each in candidates for doc_id in judged_documents(each, 6, 4, CEILING)}


@pytest.mark.parametrize("scorers", [["listwise"], ["graded", "likelihood"]])
def test_a_second_round_judges_only_what_is_new(
    tmp_path: Path, gemini_server: GeminiServer, scorers: list[str]
) -> None:
    documents = docstrings()
    first, second = world(6, documents), world(6, documents, begin=5)
    one = recipe_of(tmp_path / "one", gemini(gemini_server), tmp_path / "cache", scorers=scorers)
    judged(one, documents, first)
    before, sent = judgements_in(tmp_path / "one"), len(gemini_server.answered_prompts)
    two = recipe_of(tmp_path / "two", gemini(gemini_server), tmp_path / "cache", scorers=scorers)
    manifest = judged(two, documents, second)
    after = judgements_in(tmp_path / "two")
    assert {key[:2] for key in after} == documents_of(second[2])
    shared = set(before) & set(after)
    assert manifest.counts["stored_verdicts"] == len(shared) > 0
    assert all(before[key] == after[key] for key in shared), "request keys included: they name the call that graded"
    new = documents_of(second[2]) - documents_of(first[2])
    shown = sum(prompt.count("<document") for prompt in gemini_server.answered_prompts[sent:])
    assert shown == len(new) * len(scorers)


def test_the_second_rounds_rows_do_not_depend_on_how_its_work_was_cut(
    tmp_path: Path, gemini_server: GeminiServer
) -> None:
    documents = docstrings()
    digests = []
    for name, options in (("a", ("--direct_runner_bundle_repeat=1",)), ("b", ("--direct_num_workers=1",))):
        cache = tmp_path / name
        for begin in (2, 5):
            recipe = recipe_of(tmp_path / f"{name}{begin}", gemini(gemini_server), cache)
            made = world(6, documents, begin=begin)
            turned = (made[0][::-1], made[1], made[2][::-1]) if name == "b" else made
            digests.append(judged(recipe, documents, turned, *options).digest("judgements"))
        assert len(list((cache / "verdicts").rglob("*.parquet"))) == 2, "one file per round, however often it repeats"
    assert digests[:2] == digests[2:]


def test_many_queries_are_judged_range_by_range_with_the_same_rows(
    tmp_path: Path, gemini_server: GeminiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents, made = docstrings(), world(12, docstrings())
    digests = []
    for name, size in (("one", 1_024), ("many", 2)):
        monkeypatch.setattr("oreline.judging.kept._QUERIES_PER_RANGE", size)
        recipe = recipe_of(tmp_path / name, gemini(gemini_server), tmp_path / name / "cache")
        digests.append(judged(recipe, documents, made).digest("judgements"))
    assert digests[0] == digests[1]
    folders = {path.parent.name for path in (tmp_path / "many" / "cache" / "verdicts").rglob("*.parquet")}
    assert len(folders) > 3
    recipe = recipe_of(tmp_path / "again", gemini(gemini_server), tmp_path / "many" / "cache")
    monkeypatch.setattr("oreline.judging.kept._QUERIES_PER_RANGE", 1_024)
    again = judged(recipe, documents, made)
    assert again.counts["stored_verdicts"] == again.books.kept.count, "files of smaller ranges serve a larger one"
    assert again.digest("judgements") == digests[0]


def test_another_query_text_prompt_or_model_is_judged_anew(tmp_path: Path, gemini_server: GeminiServer) -> None:
    documents, cache = docstrings()[:60], tmp_path / "cache"
    made = world(2, documents)
    judged(recipe_of(tmp_path / "base", gemini(gemini_server), cache), documents, made)
    asked = [replace(each, query=f"{each.query}?") for each in made[0]]
    instructed = [replace(each, instruction="Find something else.") for each in made[0]]
    own = tmp_path / "prompts" / "judge"
    own.mkdir(parents=True)
    ours = Path(__file__).parents[1] / "prompts" / "judge" / "listwise.md"
    (own / "listwise.md").write_text(ours.read_text().replace("You judge", "You, an expert, judge"))
    plain = recipe_of(tmp_path / "plain", gemini(gemini_server), cache)
    changes = [
        (plain, documents, (asked, *made[1:])),
        (plain, documents, (instructed, *made[1:])),
        (plain, [replace(each, text=f"New {each.text}") for each in documents], made),
        (plain, [replace(each, title=f"New {each.title}") for each in documents], made),
        (recipe_of(tmp_path / "model", gemini(gemini_server, "gemini-3.8-flash"), cache), documents, made),
        (recipe_of(tmp_path / "settings", gemini(gemini_server, temperature=0.5), cache), documents, made),
        (plain.model_copy(update={"prompts": str(own.parent)}), documents, made),
    ]
    for number, (recipe, shown, asking) in enumerate(changes, start=1):
        manifest = judged(recipe, shown, asking)
        assert "stored_verdicts" not in manifest.counts
        assert sum(gemini_server.calls.values()) == 2 * (1 + number)


def test_torn_and_foreign_files_are_named_and_survived(
    tmp_path: Path, gemini_server: GeminiServer, caplog: pytest.LogCaptureFixture
) -> None:
    documents = docstrings()
    cache = tmp_path / "cache"
    first = judged(recipe_of(tmp_path / "one", gemini(gemini_server), cache), documents, world(4, documents))
    (stored,) = (cache / "verdicts").rglob("*.parquet")
    stored.write_bytes(stored.read_bytes()[:-40])
    (stored.parent / "notes.txt").write_text("mine")
    (stored.parent / "other.parquet").write_bytes(b"PAR1")
    sent = sum(gemini_server.calls.values())
    with caplog.at_level(logging.WARNING):
        again = judged(recipe_of(tmp_path / "two", gemini(gemini_server), cache), documents, world(4, documents))
    assert again.digest("judgements") == first.digest("judgements")
    assert sum(gemini_server.calls.values()) == sent, "the journal still holds the answers"
    for name in (stored.name, "notes.txt", "other.parquet"):
        assert any(name in record.getMessage() for record in caplog.records)


def kept(number: int, value: float = 1.0, request_key: str = "r") -> Kept:
    return Kept(f"{number:064x}", value, "why", "m", request_key, None)


@given(st.lists(st.text(min_size=1), min_size=1, max_size=20, unique=True), st.integers(0, 8), st.integers(0, 8))
def test_a_verdict_is_found_however_the_ranges_were_cut(queries: list[str], wrote: int, reads: int) -> None:
    for query in queries:
        written = Range(bucket_of(query, 1 << wrote), 1 << wrote)
        assert written.first in Range(bucket_of(query, 1 << reads), 1 << reads).folders()


def test_the_store_gives_what_was_written_and_nothing_else(tmp_path: Path) -> None:
    store = VerdictStore(str(tmp_path))
    store.write(Range(3, 4), [kept(1), kept(2, 0.5)])
    store.write(Range(3, 4), [kept(1), kept(2, 0.5)])
    store.write(Range(0, 1), [kept(3)])
    store.write(Range(0, 1), [])
    keys = [each.key for each in (kept(1), kept(2), kept(3), kept(4))]
    assert store.read(Range(0, 1), keys) == {each.key: each for each in (kept(1), kept(2, 0.5), kept(3))}
    assert store.read(Range(0, 4), keys) == {kept(3).key: kept(3)}, "its range meets the larger file's alone"
    assert store.read(Range(0, 1), []) == {}
    assert len(list(tmp_path.rglob("*.parquet"))) == 2
    assert store.broken == []


def test_of_a_verdict_that_stands_there_twice_the_same_counts_for_every_reader(tmp_path: Path) -> None:
    store = VerdictStore(str(tmp_path))
    for value, request_key in ((2.0, "b"), (1.0, "a"), (3.0, "a")):
        store.write(Range(0, 1), [kept(1, value, request_key)])
    assert store.read(Range(0, 1), [kept(1).key]) == {kept(1).key: kept(1, 1.0, "a")}


def test_ranges_hold_about_a_thousand_queries_and_are_at_most_256() -> None:
    assert [range_count(each) for each in (0, 1, 1_024, 1_025, 100_000, 10**9)] == [1, 1, 1, 2, 128, 256]
