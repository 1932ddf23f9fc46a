"""`select.gates.score_quantile`, rates by dataset, task and language, and the warning about small corpora."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oreline.embeddings.store import VectorStore, vector_key
from oreline.encoders.identity import identity
from oreline.ids import Json
from oreline.job import Job
from oreline.recipe.settings import Recipe
from oreline.records import (
    Candidate,
    Hit,
    Judgement,
    Lineage,
    Pair,
    PoolEntry,
    Query,
    Reject,
    Scored,
    Triple,
    VectorRow,
)
from oreline.reports.selection import bars, warnings_of
from oreline.reports.show import show
from oreline.selection import blocks, small
from oreline.selection.quantiles import threshold
from oreline.selection.rates import rates_of
from oreline.selection.small import small_corpora
from oreline.tables.manifest import Manifest
from query_world import DOCUMENTS, query

from house import finish, recipe_for, rows_of, run_stage

MINED = {"documents": "ingest", "queries": "ingest", "pairs": "ingest", "candidates": "mine"}
SCORES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.9)


def prepare(recipe: Recipe, queries: Sequence[Query], scores: Sequence[float]) -> None:
    """Commits ingest and mine: every query has the one positive d/one, with its own score."""
    pairs = [Pair(each.query_id, "d/one", "positive", "human") for each in queries]
    finish(recipe, "ingest", {"documents": DOCUMENTS, "queries": queries, "pairs": pairs})
    pool = [PoolEntry("d/two", -0.5, [Hit("dense", 1, -0.5)])]
    rows = [
        Candidate(each.query_id, [Scored("d/one", 1, score)], [], pool)
        for each, score in zip(queries, scores, strict=True)
    ]
    finish(recipe, "mine", {"candidates": rows})


def gated(output: Path, below: float = 0.2, *, human: bool = False, **select: object) -> Recipe:
    gates = {"score_quantile": {"below": below, "human": human}}
    return recipe_for(output, select={"negatives": 1, "gates": gates, "near_equal": None, **select})


def kept(recipe: Recipe) -> list[str]:
    return [each.query_id.removeprefix("d/") for each in rows_of(recipe.output, "select", "triples", Triple)]


def texts(number: int, origin: str = "synthetic", writer: str = "w") -> list[Query]:
    made = [query(f"{writer}{place}", f"asks {writer} {place}") for place in range(number)]
    lineage = Lineage(writer, ["d/one"]) if origin != "human" else None
    return [replace(each, origin=origin, lineage=lineage) for each in made]  # type: ignore[arg-type]  # an origin


def test_the_lowest_rows_of_each_writer_go_and_human_ones_stay(tmp_path: Path) -> None:
    recipe = gated(tmp_path)
    queries = [*texts(10), *texts(10, writer="v"), *texts(10, "human", "h")]
    prepare(recipe, queries, [*SCORES, *(score / 2 for score in SCORES), *SCORES])
    manifest = run_stage(recipe, "select", MINED)
    rejects = rows_of(tmp_path, "select", "rejects", Reject)
    assert [each.row_id for each in rejects] == ["d/v0", "d/v1", "d/w0", "d/w1"]
    assert rejects[0].detail == "its best positive scores 0.0500, rows of its source stay from 0.1500"
    assert manifest.drops == {"low_score": 4}
    assert len(kept(recipe)) == 26
    told = manifest.facts["score_quantile"]
    assert isinstance(told, dict)
    assert list(told) == ["d human", "d synthetic v", "d synthetic w"]
    of_w = told["d synthetic w"]
    assert isinstance(of_w, dict)
    bins = of_w.pop("bins")
    assert of_w == {"rows": 10, "threshold": 0.3, "from": 0.1, "to": 0.9}
    assert isinstance(bins, list)
    assert (len(bins), bins[0], bins[-1]) == (20, 1, 2)
    all_gated = gated(tmp_path, human=True)
    assert run_stage(all_gated, "select", MINED).drops == {"low_score": 6}


def test_blocks_workers_order_and_repeated_bundles_change_no_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries, scores = texts(10), SCORES
    recipe = gated(tmp_path, below=0.5)
    prepare(recipe, queries, scores)
    once = run_stage(recipe, "select", MINED)
    assert (kept(recipe), once.drops) == (["w5", "w6", "w7", "w8", "w9"], {"low_score": 5})
    repeated = run_stage(recipe, "select", MINED, ["--direct_runner_bundle_repeat=1"])
    assert (repeated.digest("triples"), repeated.facts) == (once.digest("triples"), once.facts)
    monkeypatch.setattr(blocks, "MOST_QUERIES", 3)
    prepare(recipe, queries[::-1], scores[::-1])
    small_blocks = run_stage(recipe, "select", MINED)
    assert (small_blocks.digest("triples"), small_blocks.facts) == (once.digest("triples"), once.facts)
    assert small_blocks.digest("rejects") == once.digest("rejects")


@given(st.lists(st.sampled_from((-0.5, 0.0, 0.1, 0.2, 0.9)), min_size=1), st.floats(0.01, 0.99))
def test_no_more_than_the_share_goes_and_equal_scores_share_their_fate(scores: list[float], below: float) -> None:
    least = threshold(np.array(scores), below)
    gone = [score for score in scores if score < least]
    assert len(gone) <= below * len(scores)
    assert least in scores
    next_up = sum(1 for score in scores if score <= least)
    assert next_up > below * len(scores) - 1e-9 or next_up == len(scores)


def test_without_scores_nothing_is_compared(tmp_path: Path) -> None:
    recipe = gated(tmp_path, ceiling="none")
    prepare(recipe, texts(2), [0.1, 0.2])
    finish(recipe, "mine", {"candidates": [Candidate("d/w0", [], [], []), Candidate("d/w1", [], [], [])]})
    manifest = run_stage(recipe, "select", MINED)
    assert (kept(recipe), manifest.facts["score_quantile"]) == (["w0", "w1"], {})


def test_queries_are_counted_by_dataset_task_and_language_whatever_drops_them(tmp_path: Path) -> None:
    recipe = gated(tmp_path, below=0.5)
    languages = ("en", "en-GB", "EN_us", "de", "not a language", None)
    queries = [replace(each, lang=lang) for each, lang in zip(texts(6), languages, strict=True)]
    queries[5] = replace(queries[5], task_type="fact_checking")
    prepare(recipe, queries, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    finish(
        recipe,
        "ingest",
        {
            "documents": DOCUMENTS,
            "queries": queries,
            "pairs": [Pair(each.query_id, "d/one", "positive", "human") for each in queries[1:]],
        },
    )
    manifest = run_stage(recipe, "select", MINED)
    # One query has no positive; of the five others the two lowest go.
    assert manifest.drops == {"no_positive": 1, "low_score": 2}
    assert rates_of(manifest.facts) == {
        "dataset": {"d": {"in": 6, "dropped": 3}},
        "language": {
            "de": {"in": 1},
            "en": {"in": 3, "dropped": 3},
            "none": {"in": 1},
            "other": {"in": 1},
        },
        "task": {"fact_checking": {"in": 1}, "retrieval": {"in": 5, "dropped": 3}},
    }


def test_round_trip_and_judge_are_compared_before_anything_is_relabelled(tmp_path: Path) -> None:
    sections = {"gates": {"round_trip": {"rank": 2}, "positive_grade": 0}, "negatives": 1, "ceiling": "none"}
    recipe = recipe_for(tmp_path, select={**sections, "relabel": {"synthetic": "keep"}})
    queries = texts(5)
    prepare(recipe, queries, [0.5] * 5)
    ranks = (1, 2, 3, 3, 1)
    finish(
        recipe,
        "mine",
        {
            "candidates": [
                Candidate(each.query_id, [Scored("d/one", rank, 0.5)], [], [])
                for each, rank in zip(queries, ranks, strict=True)
            ]
        },
    )
    verdicts = ("relevant", "irrelevant", "relevant", "partly_relevant", None)
    judged = [
        Judgement(each.query_id, "d/one", "listwise", 1.0, verdict)
        for each, verdict in zip(queries, verdicts, strict=True)
    ]
    finish(recipe, "judge", {"judgements": judged})
    counts = run_stage(recipe, "select", {**MINED, "judgements": "judge"}).counts
    assert {name: number for name, number in counts.items() if "judged" in name and "round_trip" in name} == {
        "round_trip_found_judged_relevant": 1,
        "round_trip_found_judged_not_relevant": 1,
        "round_trip_missed_judged_relevant": 1,
        "round_trip_missed_judged_not_relevant": 1,
    }
    told = shown(recipe)
    assert "found again by its query" in told
    assert "agree on 50.0 % of 4 queries" in told


def shown(recipe: Recipe) -> str:
    from rich.console import Console

    console = Console(width=120)
    with console.capture() as capture:
        for each in show(f"{recipe.output}/select", limit=0):
            console.print(each)
    return capture.get()


def test_show_prints_rates_and_histograms_as_tables(tmp_path: Path) -> None:
    recipe = gated(tmp_path)
    prepare(recipe, texts(10), SCORES)
    run_stage(recipe, "select", MINED)
    told = shown(recipe)
    assert "d synthetic w: best positive's score, 10 rows, rows stay from 0.300" in told
    assert "20.0 %" in told
    assert "queries_by" not in told
    assert bars([0, 1, 1000]) == " ▁█"


@pytest.mark.parametrize(("action", "warned"), [("drop", True), ("annotate", False)])
def test_a_round_trip_that_drops_warns_of_small_corpora(
    tmp_path: Path,
    action: str,
    warned: bool,  # noqa: FBT001 - a case
) -> None:
    recipe = recipe_for(tmp_path, select={"gates": {"round_trip": {"action": action}}, "negatives": 1})
    prepare(recipe, texts(1), [0.5])
    manifest: Manifest = run_stage(recipe, "select", MINED)
    expected: Json = {"d": 2} if warned else None
    assert manifest.facts.get("round_trip_small_corpora") == expected
    assert bool(warnings_of(manifest)) is warned
    assert ("few documents are searched (d 2)" in " ".join(shown(recipe).split())) is warned


def test_what_is_searched_together_is_counted_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = [replace(each, doc_id=f"e/{place}", dataset="e") for place, each in enumerate([*DOCUMENTS, *DOCUMENTS])]
    hidden = replace(DOCUMENTS[0], doc_id="d/hidden", searchable=False)
    recipe = recipe_for(tmp_path, select={"gates": {"round_trip": {"action": "drop"}}})
    finish(recipe, "ingest", {"documents": [*DOCUMENTS, *other, hidden], "queries": [], "pairs": []})
    job = Job(recipe.output, "select", recipe, dict(MINED))
    assert small_corpora(job) == {"d": 2, "e": 4}
    everywhere = recipe.model_copy(update={"mine": recipe.mine.model_copy(update={"within": "all"})})
    assert small_corpora(replace(job, recipe=everywhere)) == {"all": 6}
    monkeypatch.setattr(small, "FEW_DOCUMENTS", 3)
    assert small_corpora(job) == {"d": 2}


def test_a_row_that_lies_too_low_leads_no_near_query(tmp_path: Path) -> None:
    recipe = gated(tmp_path, below=0.4, near_queries={"cosine": 0.95})
    queries = texts(5)
    prepare(recipe, queries, [0.1, 0.2, 0.5, 0.6, 0.7])
    encoder = identity(recipe.encoder)
    store = VectorStore(recipe.cache_folder, encoder.digest, encoder.dimension)
    keys = {each.query_id: vector_key(encoder.digest, each.query_id) for each in queries}
    vectors = np.zeros((5, encoder.dimension), np.float16)
    # w0, which goes, is near w2; w3 and w4 are near each other.
    for row, place in enumerate((0, 1, 0, 2, 2)):
        vectors[row, place] = 1.0
    store.write(0, 1, list(keys.values()), vectors)
    finish(recipe, "embed", {"vectors": [VectorRow(own_id, "query", key) for own_id, key in keys.items()]})
    manifest = run_stage(recipe, "select", {**MINED, "vectors": "embed"})
    assert kept(recipe) == ["w2", "w3"]
    assert manifest.drops == {"low_score": 2, "near_query": 1}
    assert rates_of(manifest.facts)["dataset"] == {"d": {"in": 5, "dropped": 3}}


def test_facts_are_json(tmp_path: Path) -> None:
    recipe = gated(tmp_path)
    prepare(recipe, texts(3), [0.1, 0.2, 0.3])
    assert json.loads(json.dumps(run_stage(recipe, "select", MINED).facts))


@pytest.mark.parametrize("near", [False, True])
def test_counts_are_of_the_rows_that_stay(tmp_path: Path, *, near: bool) -> None:
    near_queries = {"cosine": 0.9} if near else None
    recipe = gated(tmp_path, 0.5, negatives=3, window=[1, 3], near_queries=near_queries)
    queries = texts(10)
    prepare(recipe, queries, SCORES)
    inputs = dict(MINED)
    if near:
        encoder = identity(recipe.encoder)
        keys = {each.query_id: vector_key(encoder.digest, each.query_id) for each in queries}
        vectors = np.zeros((len(queries), encoder.dimension), np.float16)
        vectors[:, 0] = 1.0
        VectorStore(recipe.cache_folder, encoder.digest, encoder.dimension).write(0, 1, list(keys.values()), vectors)
        finish(recipe, "embed", {"vectors": [VectorRow(own_id, "query", key) for own_id, key in keys.items()]})
        inputs["vectors"] = "embed"
    counts = run_stage(recipe, "select", inputs).counts
    rows = rows_of(tmp_path, "select", "triples", Triple)
    assert len(rows) == (1 if near else 5)
    assert counts["positives"] == counts["mined_negatives"] == counts["short_corpus"] == len(rows)
