"""Exact search: equal to plain float64, bit for bit, however it is cut."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oreline.search import reference
from oreline.search.chunked import SPARE_PLACES
from oreline.search.exact import Search
from oreline.search.passes import first_pass
from oreline.search.scores import Float16, all_scores, float32_error, largest_norm, pair_scores
from oreline.search.shards import Found, Pairs, Shard, Targets, Tiles, Wanted


def unit(rng: np.random.Generator, rows: int, dimension: int) -> Float16:
    vectors = rng.normal(size=(rows, dimension))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float16)


def whole_pairs(rng: np.random.Generator, queries: int, documents: int, share: float) -> Pairs:
    rows, places = np.nonzero(rng.random((queries, documents)) < share)
    return Pairs(rows.astype(np.int64), places.astype(np.int64))


def cut(vectors: Float16, order: np.ndarray, masks: tuple[Pairs, ...], edges: list[int]) -> list[Shard]:
    shards = []
    bounds = [0, *sorted({edge % (len(vectors) + 1) for edge in edges}), len(vectors)]
    for start, stop in pairwise(bounds):
        inside = [(mask.rows >= start) & (mask.rows < stop) for mask in masks]
        left_out = tuple(Pairs(m.queries[i], m.rows[i] - start) for m, i in zip(masks, inside, strict=True))
        shards.append(Shard(vectors[start:stop], order[start:stop], left_out))
    return shards


def assert_equal(found: Found, expected: Found) -> None:
    for one, other in zip(found.lists, expected.lists, strict=True):
        np.testing.assert_array_equal(one.queries, other.queries)
        np.testing.assert_array_equal(one.order, other.order)
        assert one.scores.tobytes() == other.scores.tobytes()
    np.testing.assert_array_equal(found.ahead, expected.ahead)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    queries=st.integers(1, 7),
    documents=st.integers(1, 90),
    dimension=st.sampled_from([1, 2, 3, 8, 65]),
    distinct=st.integers(1, 90),
    k=st.integers(0, 100),
    spare=st.integers(0, 5),
    edges=st.lists(st.integers(0, 90), max_size=4),
    query_tile=st.integers(1, 8),
    document_tile=st.integers(1, 100),
)
def test_equals_float64_brute_force_in_adversarial_worlds(  # noqa: PLR0917 - hypothesis names them
    seed: int,
    queries: int,
    documents: int,
    dimension: int,
    distinct: int,
    k: int,
    spare: int,
    edges: list[int],
    query_tile: int,
    document_tile: int,
) -> None:
    rng = np.random.default_rng(seed)
    pool = unit(rng, min(distinct, documents), dimension)
    pool[rng.random(len(pool)) < 0.1] = 0
    vectors = pool[rng.integers(0, len(pool), documents)]
    asking = np.concatenate([vectors[rng.integers(0, documents, queries // 2)], unit(rng, queries, dimension)])[
        :queries
    ]
    order = rng.permutation(documents).astype(np.int64)
    masks = (whole_pairs(rng, queries, documents, 0.2), whole_pairs(rng, queries, documents, 0.2))
    wanted = (
        Wanted(k, np.full(queries, np.inf)),
        Wanted(spare, rng.choice(np.append(all_scores(asking, vectors).ravel(), [-np.inf, np.inf]), queries)),
    )
    rows, places = rng.integers(0, queries, 9), rng.integers(0, documents, 9)
    targets = Targets(rows, pair_scores(asking, rows, vectors, places), order[places])
    expected = reference.search(asking, cut(vectors, order, masks, []), wanted, targets)
    shards = cut(vectors, order, masks, edges)
    found = Search(asking, lambda: shards, wanted, targets, first_pass("cpu", Tiles(query_tile, document_tile))).run()
    assert_equal(found, expected)


def test_more_equal_documents_than_places_are_told_apart_by_order() -> None:
    rng = np.random.default_rng(1)
    one = unit(rng, 1, 64)
    vectors = np.repeat(one, 10 * SPARE_PLACES, axis=0)
    order = rng.permutation(len(vectors)).astype(np.int64)
    found = Search(one, lambda: [Shard(vectors, order)], [Wanted(5, np.array([np.inf]))]).run()
    assert found.lists[0].order.tolist() == [0, 1, 2, 3, 4]
    assert found.rescored == 1


def test_a_float32_search_alone_would_give_another_order() -> None:
    rng = np.random.default_rng(2)
    crowd = rng.normal(size=384) + 0.05 * rng.normal(size=(5_000, 384))
    vectors = (crowd / np.linalg.norm(crowd, axis=1, keepdims=True)).astype(np.float16)
    queries = vectors[:64]
    exact = Search(queries, lambda: [Shard(vectors, np.arange(5_000))], [Wanted(100, np.full(64, np.inf))]).run()
    rough = queries.astype(np.float32) @ vectors.astype(np.float32).T
    rough_order = np.argsort(-rough, axis=1, kind="stable")[:, :100]
    assert (exact.lists[0].order.reshape(64, 100) != rough_order).any()


@pytest.mark.parametrize("dimension", [1, 3, 64, 384, 1024, 4096])
def test_scores_are_exact_in_any_order_of_summing(dimension: int) -> None:
    rng = np.random.default_rng(dimension)
    left, right = unit(rng, 20, dimension), unit(rng, 30, dimension)
    shuffle = rng.permutation(dimension)
    straight = all_scores(left, right)
    assert straight.tobytes() == all_scores(left[:, shuffle], right[:, shuffle]).tobytes()
    rows, places = np.divmod(np.arange(600), 30)
    assert straight.ravel().tobytes() == pair_scores(left, rows, right, places).tobytes()
    exact = [sum(int(float(x) * 2**24) * int(float(y) * 2**24) for x, y in zip(left[0], right[0], strict=True))]
    assert straight[0, 0] == exact[0] / 2**48


@pytest.mark.parametrize("dimension", [1, 8, 384, 4096])
def test_float32_errors_stay_within_the_bound(dimension: int) -> None:
    rng = np.random.default_rng(3)
    left, right = unit(rng, 200, dimension), unit(rng, 200, dimension)
    rough = (left.astype(np.float32) @ right.astype(np.float32).T).astype(np.float64)
    bound = float32_error(dimension, largest_norm(left), largest_norm(right))
    assert np.abs(rough - all_scores(left, right)).max() < bound / 2


def test_a_vector_that_is_not_finite_is_named() -> None:
    vectors = np.full((3, 4), 0.5, np.float16)
    vectors[1, 2] = np.nan
    search = Search(vectors[:1], lambda: [Shard(vectors, np.arange(3))], [Wanted(1, np.array([np.inf]))])
    with pytest.raises(ValueError, match="vector of document 1 is not finite"):
        search.run()


def test_an_empty_corpus_gives_empty_lists() -> None:
    queries = unit(np.random.default_rng(4), 3, 8)
    found = Search(queries, list, [Wanted(5, np.full(3, np.inf))]).run()
    assert found.lists[0].of(0) == []


@pytest.mark.gpu
def test_the_gpu_finds_what_float64_finds() -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    rng = np.random.default_rng(5)
    queries, vectors = unit(rng, 200, 384), unit(rng, 5_000, 384)
    vectors[100:400] = vectors[100]
    shards = [Shard(vectors, np.arange(5_000))]
    wanted = [Wanted(50, np.full(200, np.inf)), Wanted(10, np.full(200, 0.05))]
    rows = np.arange(200)
    targets = Targets(rows, pair_scores(queries, rows, vectors, rows), rows)
    found = Search(queries, lambda: shards, wanted, targets, first_pass("cuda")).run()
    assert_equal(found, reference.search(queries, shards, wanted, targets))
