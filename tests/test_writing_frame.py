"""Writers of several rounds beside each other: books, stops and crashes between rounds, shares, samples, histograms."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oreline.cli import main
from oreline.commit import Pending, read_outcome
from oreline.ids import Tally, seeded_fraction
from oreline.job import Job, StageWriter
from oreline.llm.sharing import assigned, assigned_name
from oreline.recipe.checks import check_recipe
from oreline.recipe.dumping import dump_recipe
from oreline.recipe.loading import load_recipe, recipe_from
from oreline.recipe.settings import Recipe
from oreline.records import Document, FateRow, Pair, Query, Reject
from oreline.runner import run_pipeline
from oreline.stages.audits import pairs_of_written_queries
from oreline.stages.catalog import BY_NAME
from oreline.tables.manifest import Books, Manifest, read_manifest
from oreline.writing.booking import write_document
from oreline.writing.histogram import Cell, histogram
from oreline.writing.plan import even_shares
from oreline.writing.rows import kind_of
from oreline.writing.work import Written
from synthesize_world import docstrings, document, query
from writing_house import INPUTS, digests, ingested, synthesized, writing_recipe

from gemini_server import GeminiServer
from house import recipe_for, rows_of, run_stage

BOTH = ["retrieval/fret", "retrieval/summarize"]
ROUND_TWO = "<summary>"


def ended(recipe: Recipe) -> str:
    """Runs synthesize, which is expected to stop, and returns why."""
    job = Job(recipe.output, "synthesize", recipe, INPUTS)
    run_pipeline(job, BY_NAME["synthesize"], Pending("test", {}, "2026-01-01T00:00:00Z"))
    outcome = read_outcome(recipe.output, "synthesize")
    assert outcome is not None
    assert read_manifest(recipe.output, "synthesize") is None
    return outcome.stopped or str(outcome.failure)


def parked(recipe: Recipe) -> list[Path]:
    return sorted(Path(recipe.output, "synthesize", "_scratch").glob("answers-*.parquet"))


def test_a_writer_of_one_round_beside_one_of_two_asks_nothing_twice(
    tmp_path: Path, gemini_server: GeminiServer
) -> None:
    source = docstrings()[:20]
    manifest = synthesized(writing_recipe(tmp_path, gemini_server, writers=BOTH), source)
    assert manifest.counts["requests"] == manifest.counts["paid_requests"] == 3 * len(source)
    assert max(gemini_server.calls.values()) == 1
    queries = rows_of(tmp_path, "synthesize", "queries", Query)
    written = Counter(each.lineage.writer for each in queries if each.lineage)
    assert set(written) == set(BOTH)
    assert min(written.values()) > len(source), "two queries for a document of more than one sentence"
    assert manifest.books.kept.count == len(source)


@pytest.mark.parametrize("torn", [False, True], ids=["parked answers are there", "parked answers are torn"])
def test_a_run_that_stops_in_its_second_round_goes_on_and_pays_nothing_twice(
    tmp_path: Path, gemini_server: GeminiServer, *, torn: bool
) -> None:
    source = docstrings()[:20]
    recipe = writing_recipe(tmp_path / "stopped", gemini_server, llm={"concurrency": 2}, writers=BOTH)
    ingested(recipe, source)
    gemini_server.fault("quota", ROUND_TWO, after=45)
    assert ended(recipe) == "quota"
    answered = sum(gemini_server.answers.values())
    assert 40 <= answered < 60
    if torn:
        assert parked(recipe)
        for path in parked(recipe):
            path.write_bytes(b"PAR1 torn")
    gemini_server.faults.clear()
    manifest = run_stage(recipe, "synthesize", INPUTS)
    assert sum(gemini_server.answers.values()) == 60
    assert manifest.counts["paid_requests"] == 60 - answered
    fresh = synthesized(writing_recipe(tmp_path / "fresh", gemini_server, writers=BOTH), source)
    assert digests(manifest) == digests(fresh)
    assert not parked(recipe), "scratch files go when the stage is done"


_KILLED = """
import sys
sys.path[:0] = {path!r}
from pathlib import Path
from oreline.recipe.settings import Recipe
from house import run_stage
from writing_house import INPUTS
run_stage(Recipe.model_validate_json(Path({recipe!r}).read_text()), "synthesize", INPUTS)
"""


def test_a_run_that_is_killed_between_its_rounds_pays_nothing_twice(
    tmp_path: Path, gemini_server: GeminiServer
) -> None:
    source = docstrings()[:12]
    recipe = writing_recipe(tmp_path / "out", gemini_server, llm={"concurrency": 4}, writers=BOTH)
    ingested(recipe, source)
    (tmp_path / "recipe.json").write_text(recipe.model_dump_json())
    gemini_server.fault("slow", ROUND_TWO)
    program = _KILLED.format(path=sys.path, recipe=str(tmp_path / "recipe.json"))
    with subprocess.Popen([sys.executable, "-c", program], env=os.environ, stderr=subprocess.DEVNULL) as run:
        deadline = time.monotonic() + 60
        while not any(ROUND_TWO in each for each in gemini_server.calls) and time.monotonic() < deadline:
            time.sleep(0.02)
        run.send_signal(signal.SIGKILL)
    assert parked(recipe)
    first = sum(gemini_server.answers.values())
    assert first == 24
    gemini_server.faults.clear()
    manifest = run_stage(recipe, "synthesize", INPUTS)
    assert manifest.counts["paid_requests"] == 12
    assert max(gemini_server.answers.values()) == 1


def test_a_first_round_of_nothing_but_refusals_ends_with_every_document_dropped(
    tmp_path: Path, gemini_server: GeminiServer
) -> None:
    gemini_server.fault("safety")
    source = docstrings()[:8]
    manifest = synthesized(writing_recipe(tmp_path, gemini_server, writers=["retrieval/summarize"]), source)
    assert manifest.counts["requests"] == manifest.counts["answer_rejects"] == 8
    assert manifest.books.dropped.count == 8
    assert manifest.rows("queries") == 0
    assert {each.reason for each in rows_of(tmp_path, "synthesize", "rejects", Reject)} == {"blocked"}


def test_two_rounds_two_workers_repeated_bundles_and_another_order_change_nothing(
    tmp_path: Path, gemini_server: GeminiServer
) -> None:
    source, cache = docstrings()[:30], tmp_path / "cache"
    shares = {"writers": BOTH, "shares": {"retrieval/fret": 1, "retrieval/summarize": 2}, "sample": 20}
    once = synthesized(writing_recipe(tmp_path / "once", gemini_server, cache, **shares), source)
    paid = sum(gemini_server.calls.values())
    again = writing_recipe(tmp_path / "again", gemini_server, cache, **shares)
    repeated = synthesized(again, source[::-1], "--direct_runner_bundle_repeat=1")
    workers = ("--direct_num_workers=2", "--direct_running_mode=multi_processing")
    shared = synthesized(writing_recipe(tmp_path / "two", gemini_server, cache, **shares), source, *workers)
    assert digests(once) == digests(repeated) == digests(shared)
    assert once.facts == repeated.facts == shared.facts
    assert sum(gemini_server.calls.values()) == paid


def test_shares_of_writers_and_of_models_hold_together_and_stand_in_the_histogram(
    tmp_path: Path, gemini_server: GeminiServer
) -> None:
    source = docstrings()[:120]
    llm: dict[str, object] = {"further_models": [{"model": "gemini-3.8-flash", "share": 3.0, "thinking_budget": 0}]}
    shares = {"retrieval/fret": 2.0, "retrieval/summarize": 1.0}
    writers = [*BOTH, "extractive/title"]
    recipe = writing_recipe(tmp_path, gemini_server, llm=llm, writers=writers, shares=shares, per_document=1)
    manifest = synthesized(recipe, source)
    queries = rows_of(tmp_path, "synthesize", "queries", Query)
    model = recipe.llm
    assert model is not None
    written: dict[str, str] = {}
    for each in queries:
        assert each.lineage is not None
        if each.lineage.writer == "extractive/title":
            continue
        doc_id = each.lineage.doc_ids[0]
        assert each.lineage.writer == assigned_name(shares, doc_id)
        assert each.lineage.model == assigned(model, doc_id)[1].model
        written[doc_id] = each.lineage.writer
    assert len(written) == len(source), "a writer with a share or the other writes for every document"
    assert 60 < Counter(written.values())["retrieval/fret"] < 100
    counted = Counter(
        Cell(each.lineage.writer, kind_of(each), each.lineage.model or "none", "none")
        for each in queries
        if each.lineage
    )
    assert histogram(manifest.facts) == counted
    by_model = Counter[str]()
    for cell, number in histogram(manifest.facts).items():
        by_model[cell.model] += number
    assert (
        100 < by_model["none"] == Counter(each.lineage.writer for each in queries if each.lineage)["extractive/title"]
    )
    assert 75 < by_model["gemini-3.8-flash"] < 105
    assert manifest.counts["requests"] == sum(1 + (writer == "retrieval/summarize") for writer in written.values())


def test_a_writer_that_is_added_to_the_shares_takes_from_the_others_and_moves_nothing_else() -> None:
    names = [f"d/{number}" for number in range(3_000)]
    before, after = {"a": 1.0, "b": 2.0}, {"a": 1.0, "b": 2.0, "c": 1.0}
    found = Counter(assigned_name(after, name) for name in names)
    assert abs(found["c"] / 3_000 - 1 / 4) < 0.03
    assert abs(found["b"] / 3_000 - 1 / 2) < 0.03
    assert all(assigned_name(after, name) in ("c", assigned_name(before, name)) for name in names)
    assert all(assigned_name(before, name) == assigned_name({"b": 4.0, "a": 2.0}, name) for name in names)


@pytest.mark.parametrize(
    ("synthesize", "said"),
    [
        ({"writers": BOTH, "shares": {"retrieval/frett": 1, "retrieval/fret": 1}}, 'did you mean "retrieval/fret"'),
        ({"writers": BOTH, "shares": {"retrieval/fret": 1}}, "one writer alone splits the documents with nobody"),
        ({"writers": ["retrieval/fret"], "summarize": {"languages": {"de": 1}}}, "none of synthesize.writers"),
        ({"writers": BOTH, "stratify": "lang"}, "set sample too"),
        ({"writers": BOTH, "summarize": {"languages": {"Deutsch": 1}}}, "'Deutsch' is no language code"),
        ({"writers": BOTH, "summarize": {"languages": {}}}, "it names no language"),
    ],
)
def test_settings_that_split_nothing_or_say_nothing_are_refused(synthesize: dict[str, object], said: str) -> None:
    sections = {"output": "out", "sources": ["docs/"], "llm": {"model": "gemini-3.5-flash-lite"}}
    (problem,) = check_recipe(recipe_from({**sections, "synthesize": synthesize, "select": {"negatives": 0}}))
    assert said in problem


def test_sections_with_their_defaults_filled_in_as_a_run_writes_them_are_no_contradiction(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path, llm={"model": "gemini-3.5-flash-lite"}, select={"negatives": 0})
    (tmp_path / "recipe.yaml").write_text(dump_recipe(recipe))
    assert not [each for each in check_recipe(load_recipe(str(tmp_path / "recipe.yaml"))) if "synthesize" in each]


@given(st.dictionaries(st.text(max_size=3), st.integers(1, 500), min_size=1, max_size=8), st.integers(1, 1_500))
def test_a_sample_is_split_evenly_as_far_as_the_strata_go(counts: dict[str, int], sample: int) -> None:
    shares = even_shares(counts, sample)
    given_by = {name: shares[name] * counts[name] for name in counts}
    assert sum(given_by.values()) == pytest.approx(min(sample, sum(counts.values())))
    most = max(given_by.values())
    for name, share in shares.items():
        assert 0.0 <= share <= 1.0
        assert share == pytest.approx(1.0) or given_by[name] == pytest.approx(most)


def test_a_stratified_sample_can_be_recomputed_by_hand_from_the_manifest(tmp_path: Path) -> None:
    english = [replace(each, lang="en") for each in docstrings()[:200]]
    others = [replace(each, doc_id=f"python/{lang}{number}", lang=lang)
              for lang, size in (("de", 60), ("fr-CA", 10), (None, 5))
              for number, each in enumerate(docstrings()[:size])]  # fmt: skip
    settings = {"writers": ["extractive/keyphrase"], "sample": 80, "stratify": "lang"}
    manifest = synthesized(recipe_for(tmp_path, synthesize=settings), [*english, *others])
    fact = cast("dict[str, dict[str, float]]", manifest.facts["sample"])
    shares = fact["shares"]
    assert shares == {"unknown": 1.0, "fr": 1.0, "de": 32.5 / 60, "en": pytest.approx(32.5 / 200)}
    taken = Counter[str]()
    fates = {each.unit_id for each in rows_of(tmp_path, "synthesize", "fates", FateRow)}
    kept = {each.lineage.doc_ids[0] for each in rows_of(tmp_path, "synthesize", "queries", Query) if each.lineage}
    for each in (*english, *others):
        stratum = (each.lang or "unknown").split("-")[0]
        chosen = seeded_fraction(13, "synthesize", each.doc_id) < shares[stratum]
        assert chosen == (each.doc_id in kept | fates)
        taken[stratum] += chosen
    assert taken["unknown"] == 5
    assert taken["fr"] == 10
    assert 20 < taken["de"] < 45
    assert 20 < taken["en"] < 45
    assert manifest.books.passed_over.count == 275 - sum(taken.values())


def written_by_hand(tmp_path: Path, *written: Written) -> Manifest:
    """The manifest of a stage that wrote this about one document."""
    job = Job(str(tmp_path), "synthesize", recipe_for(tmp_path), {})
    writer = StageWriter(job)
    write_document(document("d/a", None, "A text."), written, [], 13, writer)
    report = writer.close()
    names = {part.table for part in report.parts}
    tables = {name: tuple(part for part in report.parts if part.table == name) for name in names}
    books = replace(report.books, units=Tally.of(["d/a"]))
    return Manifest("synthesize", 1, "test", {}, tables, books, {}, report.counts, "2026-01-01T00:00:00Z")


def test_the_audit_finds_a_query_without_a_positive_even_where_another_has_two_pairs(tmp_path: Path) -> None:
    one, other = query("d/q1", "one"), query("d/q2", "two")
    positive, negative = Pair("d/q1", "d/a", "positive", "seed"), Pair("d/q1", "d/b", "negative", "generated")
    recipe = recipe_for(tmp_path)
    whole = Written((one, other), (positive, negative, replace(positive, query_id="d/q2")))
    assert pairs_of_written_queries(recipe, written_by_hand(tmp_path / "whole", whole)) is None
    for number, second in enumerate((negative, replace(negative, query_id="d/q2"))):
        lacking = written_by_hand(tmp_path / str(number), Written((one, other), (positive, second)))
        assert "2 queries were written, but 2 pairs" in str(pairs_of_written_queries(recipe, lacking))


def test_a_document_whose_writers_made_nothing_and_gave_no_reason_is_dropped_not_passed_over(tmp_path: Path) -> None:
    assert written_by_hand(tmp_path / "nothing", Written()).books.dropped.count == 1
    assert written_by_hand(tmp_path / "nobody").books.passed_over.count == 1


def test_books_balance_over_documents_that_one_writer_fails_and_another_serves(
    tmp_path: Path, gemini_server: GeminiServer
) -> None:
    gemini_server.fault("safety", ROUND_TWO, share=0.5)
    source = docstrings()[:24]
    manifest = synthesized(writing_recipe(tmp_path, gemini_server, writers=BOTH), source)
    assert manifest.books == Books(units=Tally.of(each.doc_id for each in source), kept=manifest.books.kept)
    assert 4 < manifest.counts["answer_rejects"] < 20
    assert manifest.rows("rejects") == manifest.counts["answer_rejects"]
    assert isinstance(source[0], Document)


def test_show_prints_how_many_queries_each_writer_and_model_wrote_of_each_kind_and_language(
    tmp_path: Path, gemini_server: GeminiServer, capsys: pytest.CaptureFixture[str]
) -> None:
    source = [replace(each, lang="en") for each in docstrings()[:12]]
    recipe = writing_recipe(tmp_path, gemini_server, writers=BOTH, summarize={"languages": {"own": 1, "de": 1}})
    manifest = synthesized(recipe, source)
    assert main(["show", str(tmp_path / "synthesize"), "--limit", "1"]) == 0
    shown = capsys.readouterr().out
    cells = histogram(manifest.facts)
    asked = sum(number for cell, number in cells.items() if cell.kind == "question_answering")
    rows = [line.split() for line in shown.splitlines() if line.startswith("retrieval/")]
    assert sum(int(row[-1]) for row in rows if "question_answering" in row) == asked
    german = sum(number for cell, number in cells.items() if cell.lang == "de")
    (languages,) = [row for row in rows if row[0] == "retrieval/summarize" and "question_answering" not in row]
    assert str(german) in languages
    assert '"written"' not in shown
