"""What a plan expects of sources and stages that were not run: ranges that hold what comes."""

import gzip
import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from line_house import write_pages
from oreline.forecast import corpus
from oreline.forecast.corpus import Dataset, survey
from oreline.forecast.flow import Flow, after_dedup, after_filter, after_synthesize, rated_of, written_for
from oreline.forecast.predicting import requests_of
from oreline.forecast.ranges import Range
from oreline.job import Job
from oreline.recipe.settings import Recipe, Source
from oreline.writing.plan import plan_of
from synthesize_world import docstrings

from house import finish, recipe_for, run_stage

SAMPLE = tuple(docstrings()[:20])


def lines(number: int) -> bytes:
    text = "The pump number {place} stands in hall {hall}."
    rows = ({"_id": f"d{place}", "text": text.format(place=place, hall=place % 7)} for place in range(number))
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def recipe_of(**sections: object) -> Recipe:
    return recipe_for(Path("out"), **{"llm": {"model": "gemini-3.5-flash-lite"}, **sections})


def known(documents: float, queries: float = 0.0, *, pairs: bool = False) -> Flow:
    return Flow({"d": Dataset(Range.exactly(documents), Range.exactly(queries), pairs, SAMPLE)})


def test_a_folder_of_pages_is_counted_as_ingest_cuts_it(tmp_path: Path) -> None:
    source = Source(path=str(write_pages(tmp_path)))
    found = survey(source, 0)
    recipe = Recipe(output=str(tmp_path / "out"), sources=[source])
    assert found.documents.expected == run_stage(recipe, "ingest").rows("documents")
    assert (found.queries.high, found.pairs) == (0.0, False)
    assert len(found.sample) == found.documents.expected


@pytest.mark.parametrize(("name", "pack"), [("rows.jsonl", bytes), ("rows.jsonl.gz", gzip.compress)])
def test_of_a_large_file_some_rows_are_read_and_the_range_holds_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, pack: Callable[[bytes], bytes]
) -> None:
    (tmp_path / name).write_bytes(pack(lines(3_000)))
    monkeypatch.setattr(corpus, "MOST_ROWS", 100)
    found = survey(Source(path=str(tmp_path / name)), 0).documents
    assert found.low <= 3_000 <= found.high
    assert found.high < 2 * found.low


def test_a_slow_source_is_read_for_a_while_only(tmp_path: Path) -> None:
    for place in range(50):
        (tmp_path / f"part-{place}.jsonl").write_bytes(lines(20))
    seconds = iter(range(0, 1000, 2))
    found = survey(Source(path=str(tmp_path)), 0, lambda: float(next(seconds))).documents
    assert not found.exact
    assert found.low <= 1_000 <= found.high


def test_a_limit_holds(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(lines(100))
    found = survey(Source(path=str(tmp_path / "rows.jsonl"), limit=30), 0).documents
    assert found.expected == 30


def test_what_is_written_for_follows_the_rule_of_the_stage(tmp_path: Path) -> None:
    documents = docstrings()[:80]
    recipe = recipe_for(tmp_path, llm={"model": "gemini-3.5-flash-lite"}, synthesize={"sample": 30})
    finish(recipe, "ingest", {"documents": documents, "queries": [], "pairs": []})
    plan = plan_of(Job(str(tmp_path), "synthesize", recipe, dict.fromkeys(("documents", "queries", "pairs"), "ingest")))
    chosen = sum(plan.chooses(each.dataset, each.origin, each.doc_id, each.lang) for each in documents)
    found = written_for(recipe, known(80))
    assert found.low <= chosen <= found.high <= 80
    assert written_for(recipe_of(), known(80)) == Range.exactly(80)
    assert written_for(recipe_of(), known(80, pairs=True)).high == 0
    assert written_for(recipe_of(synthesize={"writers": ["retrieval/fret"]}), known(80, pairs=True)).low == 80


RECIPES = {number: recipe_of(synthesize={"per_document": number}) for number in range(1, 5)}


@given(st.integers(0, 5_000), st.integers(0, 5_000), st.integers(1, 4))
def test_every_stage_leaves_ranges_in_order_and_no_more_than_it_can(
    documents: int, queries: int, per_document: int
) -> None:
    recipe = RECIPES[per_document]
    flow = after_dedup(known(documents, queries))
    assert flow.documents.high <= documents
    written = after_synthesize(recipe, flow, written_for(recipe, flow))
    assert written.written.high <= documents * per_document
    rated = rated_of(recipe, written)
    left = after_filter(recipe, written, rated)
    assert left.written.high <= rated.high
    assert left.people.high <= queries
    for found in (flow.documents, written.written, rated, left.written, left.people):
        assert 0 <= found.low <= found.expected <= found.high
        assert math.isfinite(found.high)
    judged = requests_of(recipe, "judge", left)
    assert judged.low <= judged.expected <= judged.high
