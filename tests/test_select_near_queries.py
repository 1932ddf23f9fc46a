"""`select.near_queries`: of rows whose queries are near by cosine one stays, whatever blocks they are compared in."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from oreline.commit import Pending, read_outcome
from oreline.embeddings.store import VectorStore, vector_key
from oreline.encoders.identity import identity
from oreline.filters.judged import stays_first
from oreline.filters.leaders import EDGES, led
from oreline.filters.places import HUMAN, id_at, query_place
from oreline.job import Job
from oreline.recipe.settings import Recipe
from oreline.records import Pair, Query, QueryOrigin, Reject, Triple, VectorRow
from oreline.reports.show import show
from oreline.runner import run_pipeline
from oreline.selection import aside, query_vectors
from oreline.selection.near_queries import distinct, near_pairs
from oreline.stages.catalog import BY_NAME
from oreline.tables.manifest import Manifest
from query_world import DOCUMENTS, query

from house import finish, recipe_for, rows_of, run_stage

INPUTS = {"documents": "ingest", "queries": "ingest", "pairs": "ingest", "vectors": "embed"}
Vectors = Mapping[str, np.ndarray]


def on_circle(degrees: float) -> np.ndarray:
    angle = np.deg2rad(degrees)
    return np.array([np.cos(angle), np.sin(angle)], np.float16)


def prepare(recipe: Recipe, queries: Sequence[Query], vectors: Vectors, positives: Sequence[str] | None = None) -> None:
    """Commits ingest and an embed whose query vectors are given by id; all queries have one positive unless said."""
    encoder = identity(recipe.encoder)
    store = VectorStore(recipe.cache_folder, encoder.digest, encoder.dimension)
    keys = {own_id: vector_key(encoder.digest, own_id) for own_id in vectors}
    if keys:
        padded = np.zeros((len(keys), encoder.dimension), np.float16)
        for row, vector in enumerate(vectors.values()):
            padded[row, : len(vector)] = vector
        store.write(0, 1, list(keys.values()), padded)
    chosen = [each.query_id for each in queries] if positives is None else positives
    pairs = [Pair(each, "d/one", "positive", "human") for each in chosen]
    finish(recipe, "ingest", {"documents": DOCUMENTS, "queries": queries, "pairs": pairs})
    finish(recipe, "embed", {"vectors": [VectorRow(own_id, "query", key) for own_id, key in keys.items()]})


def thinned(output: Path, cosine: float = 0.95, **sections: object) -> Recipe:
    return recipe_for(output, select={"negatives": 0, "near_queries": {"cosine": cosine}}, **sections)


def select(recipe: Recipe, *options: str) -> Manifest:
    return run_stage(recipe, "select", INPUTS, options)


def kept(recipe: Recipe) -> list[str]:
    return [each.query_id.removeprefix("d/") for each in rows_of(recipe.output, "select", "triples", Triple)]


def test_the_human_query_stays_and_the_reject_names_it_with_the_cosine(tmp_path: Path) -> None:
    recipe = thinned(tmp_path)
    queries = [query("a", "asks this"), query("z", "asks it", "human"), query("far", "asks that")]
    prepare(recipe, queries, {"d/a": on_circle(0), "d/z": on_circle(10), "d/far": on_circle(90)})
    manifest = select(recipe)
    assert kept(recipe) == ["far", "z"]
    (reject,) = rows_of(tmp_path, "select", "rejects", Reject)
    assert (reject.row_id, reject.reason, reject.by, reject.payload) == ("d/a", "near_query", "d/z", "asks this")
    assert reject.detail == "cosine 0.9848 with d/z; cluster of 2 queries kept as d/z"
    assert manifest.books.balanced


@pytest.mark.parametrize("human", [False, True])
def test_rows_of_people_go_only_if_the_recipe_says_so(tmp_path: Path, *, human: bool) -> None:
    recipe = recipe_for(tmp_path, select={"negatives": 0, "near_queries": {"human": human}})
    queries = [query("a", "asks this", "human"), query("b", "asks it", "human"), query("c", "asks that")]
    prepare(recipe, queries, {each.query_id: on_circle(0) for each in queries})
    assert select(recipe).drops == {"near_query": 2 if human else 1}
    assert kept(recipe) == (["a"] if human else ["a", "b"])


def test_no_chain_drops_a_query_that_is_far_from_all_that_stay(tmp_path: Path) -> None:
    recipe = thinned(tmp_path)
    queries = [query(each, each) for each in "abc"]
    prepare(recipe, queries, {"d/a": on_circle(0), "d/b": on_circle(15), "d/c": on_circle(30)})
    select(recipe)
    assert kept(recipe) == ["a", "c"]


def test_queries_of_other_datasets_instructions_and_splits_are_not_compared(tmp_path: Path) -> None:
    recipe = thinned(tmp_path)
    queries = [
        query("a", "a"),
        query("b", "b", instruction="find"),
        query("c", "c", split="test"),
        replace(query("d", "d"), dataset="e"),
    ]
    prepare(recipe, queries, {each.query_id: on_circle(0) for each in queries})
    select(recipe)
    assert kept(recipe) == ["a", "b", "c", "d"]


def test_a_query_that_makes_no_row_drops_no_other(tmp_path: Path) -> None:
    recipe = thinned(tmp_path)
    queries = [query("a", "a"), query("b", "b")]
    prepare(recipe, queries, {"d/a": on_circle(0), "d/b": on_circle(0)}, positives=["d/b"])
    assert select(recipe).drops == {"no_positive": 1}
    assert kept(recipe) == ["b"]


def test_a_query_without_a_vector_stays(tmp_path: Path) -> None:
    recipe = thinned(tmp_path)
    prepare(recipe, [query("a", "a"), query("b", "b")], {"d/a": on_circle(0)})
    select(recipe)
    assert kept(recipe) == ["a", "b"]


def test_a_thousand_equal_vectors_leave_one_row(tmp_path: Path) -> None:
    recipe = thinned(tmp_path, 1.0)
    queries = [query(f"{number:04}", f"{number}") for number in range(1_000)]
    prepare(recipe, queries, {each.query_id: on_circle(33) for each in queries})
    assert select(recipe).drops == {"near_query": 999}
    assert kept(recipe) == ["0000"]


def test_no_query_is_no_problem(tmp_path: Path) -> None:
    recipe = thinned(tmp_path)
    prepare(recipe, [], {})
    assert select(recipe).rows("triples") == 0


def test_lost_vectors_fail_the_stage_with_the_remedy(tmp_path: Path) -> None:
    recipe = thinned(tmp_path)
    prepare(recipe, [query("a", "a")], {"d/a": on_circle(0)})
    for file in Path(recipe.cache_folder).rglob("*.parquet"):
        file.unlink()
    run_pipeline(Job(recipe.output, "select", recipe, INPUTS), BY_NAME["select"], Pending("test", {}, ""))
    outcome = read_outcome(recipe.output, "select")
    assert outcome is not None
    assert outcome.failure == "missing_vectors"
    assert "run again" in outcome.message


def test_without_vectors_the_stage_says_what_to_do(tmp_path: Path) -> None:
    recipe = thinned(tmp_path)
    prepare(recipe, [query("a", "a")], {})
    job = Job(recipe.output, "select", recipe, {key: value for key, value in INPUTS.items() if key != "vectors"})
    run_pipeline(job, BY_NAME["select"], Pending("test", {}, ""))
    outcome = read_outcome(recipe.output, "select")
    assert outcome is not None
    assert outcome.message == (
        "select.near_queries compares vectors, but embed made none; run embed first, or leave the key out"
    )


@pytest.mark.parametrize("options", [("--direct_runner_bundle_repeat=1",), ()])
def test_rows_do_not_depend_on_order_blocks_workers_or_repeated_bundles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    random = np.random.default_rng(7)
    origins: tuple[QueryOrigin, ...] = ("human", "synthetic", "extractive")
    queries = [query(f"{number:02}", f"{number}", origins[number % 3]) for number in range(60)]
    vectors = {each.query_id: on_circle(float(random.uniform(0, 180))) for each in queries}
    one = thinned(tmp_path / "one", 0.999)
    prepare(one, queries, vectors)
    first = select(one)
    other = thinned(tmp_path / "other", 0.999, beam={"workers": 1 if options else 2})
    prepare(other, queries[::-1], dict(reversed(vectors.items())))
    monkeypatch.setattr("oreline.selection.blocks.MOST_QUERIES", 7)
    monkeypatch.setattr(aside, "BLOCK_ROWS", 15)
    second = select(other, *options)
    assert 5 < first.drops["near_query"] < 55
    assert {table: first.digest(table) for table in ("triples", "rejects", "fates")} == {
        table: second.digest(table) for table in ("triples", "rejects", "fates")
    }


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 12), st.sampled_from(["human", "synthetic"])), max_size=14),
    st.sampled_from([0.9, 0.966, 1.0]),
    st.integers(1, 5),
    st.booleans(),
)
@example([(0, "synthetic"), (3, "synthetic"), (5, "synthetic"), (3, "synthetic")], 0.9, 4, True)
@example([(3, "human"), (3, "human"), (5, "human"), (3, "synthetic")], 0.9, 2, False)
def test_leaders_are_those_of_a_scan_in_the_order_in_which_queries_stay(
    drawn: list[tuple[int, QueryOrigin]],
    threshold: float,
    size: int,
    human: bool,  # noqa: FBT001 - drawn by hypothesis
) -> None:
    queries = [query(f"{number:02}", str(number), origin) for number, (_, origin) in enumerate(drawn)]
    vectors = np.array([on_circle(7.5 * step) for step, _ in drawn], np.float16).reshape(-1, 2)
    norms = np.linalg.norm(vectors.astype(np.float64), axis=1)
    cosines = (vectors.astype(np.float64) @ vectors.astype(np.float64).T) / np.outer(norms, norms)
    cosines[cosines > 1 - 1e-12] = 1.0
    staying: list[int] = []
    expected: dict[str, str] = {}
    for row in sorted(range(len(queries)), key=lambda each: stays_first(queries[each])):
        near = [other for other in staying if cosines[row, other] >= threshold]
        if near and (human or queries[row].origin != "human"):
            best = max(near, key=lambda other: (cosines[row, other], -staying.index(other)))
            expected[queries[row].query_id] = queries[best].query_id
        else:
            staying.append(row)
    found = led(_edges_by_blocks(queries, vectors, threshold, size), staying=None if human else HUMAN).to_pylist()
    told = {id_at(each["row"]): id_at(each["leader"]) for each in found}
    assert told == expected


def _edges_by_blocks(queries: Sequence[Query], vectors: np.ndarray, threshold: float, size: int) -> list[pa.Table]:
    """Returns the edges of all pairs of blocks as the stage writes them."""
    with TemporaryDirectory() as folder:
        recipe = recipe_for(Path(folder))
        job = Job(recipe.output, "select", recipe, {})
        blocks = []
        for start in range(0, len(queries), size):
            rows = sorted(range(start, min(start + size, len(queries))), key=lambda row: query_place(queries[row]))
            places = pa.array([query_place(queries[row]) for row in rows], pa.string())
            blocks.append(
                query_vectors.write_vectors(job, aside.Piece("s", (str(start),), len(rows)), places, vectors[rows])
            )
        pairs = [(one, other) for place, one in enumerate(blocks) for other in blocks[place:]]
        paths = (query_vectors.write_edges(job, one, other, threshold) for one, other in pairs)
        return [pq.read_table(path) for path in paths if path is not None]


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.floats(0.05, 1.0), st.integers(0, 10**6))
def test_all_pairs_at_the_threshold_are_found_and_no_others(one: int, other: int, threshold: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    left, right = (_unit(random.normal(size=(rows, 5))) for rows in (one, other))
    expected = _cosines(left, right) >= threshold
    found = np.zeros_like(expected)
    for near in near_pairs(left, right, threshold):
        found[near.one, near.other] = True
    assert (found == expected).all()
    within = np.zeros((one, one), bool)
    for near in near_pairs(left, None, threshold):
        assert (near.one < near.other).all()
        within[near.one, near.other] = True
    assert (within == np.triu(_cosines(left, left) >= threshold, 1)).all()


def _unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float16)


def _cosines(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    one, other = left.astype(np.float64), right.astype(np.float64)
    lengths: np.ndarray = np.sqrt(np.outer((one * one).sum(1), (other * other).sum(1)))
    return one @ other.T / lengths  # type: ignore[no-any-return]  # numpy's stubs lose the type


def test_equal_vectors_are_found_bit_by_bit() -> None:
    vectors = np.array([[1, 0], [0, 1], [1, 0], [0, 1], [0.5, 0.5]], np.float16)
    found = distinct(vectors)
    assert found.firsts.tolist() == [0, 1, 4]
    assert found.first_of.tolist() == [0, 1, 0, 1, 4]


def test_edges_may_come_more_than_once_and_in_any_order() -> None:
    rows = [("b", "a", 0.9, False), ("c", "b", 0.9, False), ("c", "a", 0.5, False), ("d", "b", 1.0, True)]
    table = pa.table([list(column) for column in zip(*rows, strict=True)], schema=EDGES)
    once, twice = led([table.slice(0, 3), table.slice(3)]), led([table, table.slice(1, 2), table.slice(0, 2)])
    assert once.to_pylist() == twice.to_pylist()
    assert [(each["row"], each["leader"], each["similarity"], each["members"]) for each in once.to_pylist()] == [
        ("b", "a", 0.9, 4),
        ("c", "a", 0.5, 4),
        ("d", "a", 0.9, 4),
    ]


def test_show_clusters_names_the_rows_that_went(tmp_path: Path) -> None:
    recipe = thinned(tmp_path)
    queries = [query("a", "why do sharks swim"), query("b", "why do fish swim")]
    prepare(recipe, queries, {"d/a": on_circle(0), "d/b": on_circle(10)})
    select(recipe)
    (line,) = (json.loads(str(each)) for each in show(str(tmp_path), clusters=True, as_json=True))
    (member,) = line["members"]
    assert (line["stage"], line["keeper"], line["text"]) == ("select", "d/a", "why do sharks swim")
    assert (member["id"], member["similarity"]) == ("d/b", 0.9848)
    assert ["removed", "sharks"] in member["differences"]
