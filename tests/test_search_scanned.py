"""The CPU's scan of first-pass scores: exact lists and counts come of it, in float32 and in bfloat16."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from oreline.search import reference
from oreline.search.chunked import Chunked
from oreline.search.exact import Search, UnfitVector
from oreline.search.first_pass import FirstPass
from oreline.search.narrow import narrowed
from oreline.search.ordered import key_down, key_of, key_up, value_of
from oreline.search.passes import SMALL, OnCpu, first_pass
from oreline.search.scanned import Scanned
from oreline.search.scanning import NOTHING, nth, shrink
from oreline.search.scores import LARGEST_NORM, Float16, all_scores, pair_scores
from oreline.search.shards import Shard, Targets, Tiles, Wanted
from test_search_exact import assert_equal, cut, unit, whole_pairs

PASSES = {"float32": Scanned(narrow=False, tiles=Tiles(70, 50)), "bfloat16": Scanned(narrow=True, tiles=Tiles(70, 50))}


def crowd(rng: np.random.Generator, rows: int, dimension: int, spread: float) -> Float16:
    """Vectors around one direction: the smaller the spread, the nearer their scores."""
    vectors = rng.normal(size=dimension) + spread * rng.normal(size=(rows, dimension))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float16)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    narrow=st.booleans(),
    queries=st.integers(1, 150),
    documents=st.integers(1, 400),
    dimension=st.sampled_from([3, 64, 130, 384]),
    distinct=st.integers(1, 400),
    spread=st.sampled_from([0.0, 0.001, 0.1, 10.0]),
    k=st.integers(0, 30),
    edges=st.lists(st.integers(0, 400), max_size=3),
    tiles=st.tuples(st.integers(1, 160), st.integers(1, 300)),
    threads=st.integers(1, 3),
)
def test_equals_float64_brute_force(  # noqa: PLR0917 - hypothesis names them
    seed: int,
    narrow: bool,  # noqa: FBT001 - drawn
    queries: int,
    documents: int,
    dimension: int,
    distinct: int,
    spread: float,
    k: int,
    edges: list[int],
    tiles: tuple[int, int],
    threads: int,
) -> None:
    rng = np.random.default_rng(seed)
    pool = crowd(rng, min(distinct, documents), dimension, spread)
    pool[rng.random(len(pool)) < 0.1] = 0
    pool[rng.random(len(pool)) < 0.2] *= -1
    vectors = (
        np.sort(pool[rng.integers(0, len(pool), documents)], axis=0)
        if seed % 3
        else pool[rng.integers(0, len(pool), documents)]
    )
    vectors = np.ascontiguousarray(vectors / np.maximum(1, np.linalg.norm(vectors.astype(np.float64), axis=1))[:, None])
    vectors = vectors.astype(np.float16)
    asking = np.concatenate([vectors[rng.integers(0, documents, queries // 2)], unit(rng, queries, dimension)])[
        :queries
    ]
    order = rng.permutation(documents).astype(np.int64)
    masks = (whole_pairs(rng, queries, documents, 0.2), whole_pairs(rng, queries, documents, 0.2))
    limits = rng.choice(np.append(all_scores(asking, vectors).ravel(), [-np.inf, np.inf]), queries)
    wanted = (Wanted(k, np.full(queries, np.inf)), Wanted(5, limits))
    rows, places = rng.integers(0, queries, 40), rng.integers(0, documents, 40)
    targets = Targets(rows, pair_scores(asking, rows, vectors, places), order[places])
    expected = reference.search(asking, cut(vectors, order, masks, []), wanted, targets)
    shards = cut(vectors, order, masks, edges)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = Search(asking, lambda: shards, wanted, targets, Scanned(narrow, Tiles(*tiles))).run()
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert_equal(found, expected)


@pytest.mark.parametrize("name", PASSES)
@pytest.mark.parametrize("dimension", [64, 384, 1024, 4096])
@pytest.mark.parametrize("k", [1, 100, 1000])
def test_all_dimensions_and_lengths_of_lists(name: str, dimension: int, k: int) -> None:
    rng = np.random.default_rng(dimension + k)
    vectors, queries = unit(rng, 1_501, dimension), unit(rng, 33, dimension)
    shards = cut(vectors, np.arange(1_501), (), [700])
    wanted = [Wanted(k, np.full(33, np.inf))]
    found = Search(queries, lambda: shards, wanted, first_pass=PASSES[name]).run()
    assert found.rescored == 0
    assert_equal(found, reference.search(queries, shards, wanted))


@pytest.mark.parametrize("name", PASSES)
def test_neighbours_in_consecutive_rows_and_thousands_of_equal_vectors_are_all_told_apart(name: str) -> None:
    rng = np.random.default_rng(9)
    vectors = unit(rng, 8_000, 128)
    queries = vectors[:3].copy()
    vectors[2_000:2_150] = queries[0]  # one block of equal vectors, longer than the list
    vectors[3_000:7_000] = queries[1]  # more than a query has room for
    vectors[7_000:7_100] = crowd(rng, 100, 128, 0.001)
    order = rng.permutation(8_000).astype(np.int64)
    wanted = [Wanted(100, np.full(3, np.inf)), Wanted(20, np.array([0.5, 1.0, 0.2]))]
    shards = [Shard(vectors, order)]
    found = Search(queries, lambda: shards, wanted, first_pass=PASSES[name]).run()
    assert_equal(found, reference.search(queries, shards, wanted))
    assert 1 <= found.rescored <= 2


def test_bfloat16_scores_stay_within_their_bound_and_nearly_fill_it() -> None:
    rng = np.random.default_rng(3)
    left, right = unit(rng, 64, 384), unit(rng, 2_000, 384)
    one, other = narrowed(left, narrow=True), narrowed(right, narrow=True)
    exact = all_scores(left, right)
    rough = (other.values @ one.values.T).T.double().numpy()
    bound = one.norms[:, None] * other.moved + one.moved[:, None] * (other.norms + other.moved)
    bound += 2.0**-8 * np.abs(rough) + 1e-6
    assert (np.abs(rough - exact) <= bound).all()
    np.testing.assert_allclose(one.norms, np.linalg.norm(left.astype(np.float64), axis=1), rtol=0.002)
    moved = np.linalg.norm(left.astype(np.float64) - one.values.double().numpy(), axis=1)
    assert (moved <= one.moved).all()
    assert (one.moved <= 1.01 * moved).all()
    assert torch.equal(one.values, torch.from_numpy(left).float().bfloat16()), "rounded as torch rounds"


@given(st.floats(width=32, allow_nan=False), st.floats(width=32, allow_nan=False), st.booleans())
def test_keys_are_ordered_as_their_numbers_are(
    one: float,
    other: float,
    narrow: bool,  # noqa: FBT001 - drawn
) -> None:
    numbers = torch.tensor([one, other])
    rounded = numbers.bfloat16() if narrow else numbers
    bits = rounded.view(torch.int16 if narrow else torch.int32).numpy()
    first, second = (key_of(each) for each in bits)
    a, b = rounded.double().tolist()
    assert value_of(int(first), narrow) == a
    assert (a < b) <= (first < second)
    assert (a >= one) <= (first >= key_down(one, narrow))
    assert (b >= one) <= (second >= key_down(one, narrow))
    assert (b <= one) <= (second <= key_up(one, narrow))


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=80), st.data())
def test_the_nth_key_is_that_of_sorted_keys(keys: list[int], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(keys) - 1))
    assert nth(np.array(keys, np.int16), place) == sorted(keys)[place]


@given(st.lists(st.floats(-1, 1, width=16), min_size=3, max_size=60), st.integers(1, 10), st.sampled_from([0.0, 0.01]))
def test_shrinking_keeps_all_that_may_be_among_the_best(scores: list[float], k: int, error: float) -> None:
    room = 64
    keys, places = np.zeros(room, np.int32), np.zeros(room, np.int32)
    bits = torch.tensor(scores).view(torch.int32).numpy()
    keys[: len(scores)] = [key_of(each) for each in bits]
    places[: len(scores)] = np.arange(len(scores))
    count, _, gone = shrink(keys, places, len(scores), k, NOTHING, 2**31 - 1, error, 0.0)
    best = sorted(scores, reverse=True)[:k][-1] if len(scores) >= k else -2.0
    kept = {scores[place] for place in places[:count]}
    lost = {score for score in scores if score >= best - 2 * error} - kept
    assert all(score <= value_of(int(gone), False) for score in lost) if lost else True
    assert gone == NOTHING or count >= room // 4


@pytest.mark.parametrize("used", [*PASSES.values(), Chunked(), first_pass()])
@pytest.mark.parametrize("bad", [np.nan, np.inf, 60_000.0])
def test_a_vector_that_cannot_be_searched_is_named(used: FirstPass, bad: float) -> None:
    vectors = unit(np.random.default_rng(1), 40, 128)
    vectors[17, 5] = bad
    order = np.arange(100, 140)
    wanted = [Wanted(1, np.full(2, np.inf))]
    with pytest.raises(UnfitVector, match=r"document 117 (is not finite|has length)") as caught:
        Search(vectors[:2], lambda: [Shard(vectors, order)], wanted, first_pass=used).run()
    assert (caught.value.side, caught.value.place) == ("document", 117)
    queries = vectors[16:18]
    with pytest.raises(UnfitVector, match="query 1") as caught:
        Search(queries, lambda: [Shard(vectors[:5], order[:5])], wanted, first_pass=used).run()
    assert (caught.value.side, caught.value.place) == ("query", 1)


@pytest.mark.parametrize("used", [*PASSES.values(), Chunked()])
def test_vectors_of_the_largest_length_are_searched_and_queries_too(used: FirstPass) -> None:
    rng = np.random.default_rng(4)
    vectors = np.asarray(5.597 * unit(rng, 300, 256).astype(np.float64), np.float16)
    assert 5.59 < np.linalg.norm(vectors.astype(np.float64), axis=1).max() <= LARGEST_NORM
    shards, wanted = [Shard(vectors, np.arange(300))], [Wanted(20, np.full(9, np.inf))]
    found = Search(vectors[:9], lambda: shards, wanted, first_pass=used).run()
    assert_equal(found, reference.search(vectors[:9], shards, wanted))


@pytest.mark.parametrize("name", PASSES)
@pytest.mark.parametrize("digits", [0x0003, 0x0004])
def test_products_whose_roundings_all_add_up_are_still_told_apart(name: str, digits: int) -> None:
    rng = np.random.default_rng(digits)
    bits = np.abs(np.repeat(unit(rng, 1, 384), 2_000, axis=0)).view(np.uint16)
    # Each number lies just below, or exactly at, the middle of two bfloat16 numbers; some differ in the last digit.
    last = rng.random(bits.shape) < 0.01
    vectors = np.asarray((bits & 0xFFF8 | digits) ^ last, np.uint16).view(np.float16)
    order = rng.permutation(2_000).astype(np.int64)
    shards = [Shard(vectors[:700], order[:700]), Shard(vectors[700:], order[700:])]
    scores = all_scores(vectors[:7], vectors)
    assert 10 < len(np.unique(scores)) < scores.size
    wanted = [Wanted(40, np.full(7, np.inf)), Wanted(40, np.median(scores, axis=1))]
    targets = Targets(np.arange(7), scores[np.arange(7), 100 + np.arange(7)], order[100:107])
    found = Search(vectors[:7], lambda: shards, wanted, targets, PASSES[name]).run()
    assert_equal(found, reference.search(vectors[:7], shards, wanted, targets))


def test_numbers_below_the_smallest_normal_float16_count_in_full() -> None:
    rng = np.random.default_rng(6)
    vectors = np.asarray(rng.integers(-20, 21, (900, 130)) * 2.0**-24, np.float16)
    shards, wanted = [Shard(vectors, np.arange(900))], [Wanted(30, np.full(5, np.inf))]
    expected = reference.search(vectors[:5], shards, wanted)
    assert expected.lists[0].scores.max() > 0
    ways: list[FirstPass] = [*PASSES.values(), Chunked()]
    for used in ways:
        assert_equal(Search(vectors[:5], lambda: shards, wanted, first_pass=used).run(), expected)


def test_small_shards_are_not_worth_compiling_for() -> None:
    passes = first_pass("cpu")
    assert isinstance(passes, OnCpu)
    small, large = np.zeros((2, 8), np.float16), np.zeros((SMALL // 8, 8), np.float16)
    assert type(passes.open(Shard(small, np.arange(2)))) is not type(passes.open(Shard(large, np.arange(len(large)))))


def test_both_kinds_of_shards_make_one_list() -> None:
    rng = np.random.default_rng(2)
    vectors, queries = unit(rng, 40_000, 256), unit(rng, 5, 256)
    shards = cut(vectors, np.arange(40_000), (), [100])
    wanted = [Wanted(10, np.full(5, np.inf))]
    assert_equal(Search(queries, lambda: shards, wanted).run(), reference.search(queries, shards, wanted))
