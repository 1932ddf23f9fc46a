"""The fused search equals plain float64, bit for bit. Run by `test_search_fused.py`, in a process of its own.

Triton reads at its import whether it interprets, so these cases are kept apart from the process of all other tests.
"""

import numpy as np
import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from fused_cases import (
    DEVICE,
    SMALL,
    World,
    everything,
    fused_pass,
    some_targets,
    unit,
    whole_pairs,
)
from oreline.search.fused.bound import packed_error
from oreline.search.fused.launch import Best, Config, Outputs, score_bins
from oreline.search.fused.layout import Layout
from oreline.search.fused.upload import corpus_of, upload
from oreline.search.scores import Unfit, all_scores, float32_error
from oreline.search.shards import Pairs, Shard, Targets, Wanted

needs_gpu = pytest.mark.skipif(DEVICE == "cpu", reason="too much for the interpreter")


# Without shrinking, which would take minutes in the interpreter.
@settings(max_examples=10, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(
    seed=st.integers(0, 2**31),
    queries=st.integers(1, 20),
    documents=st.integers(1, 250),
    dimension=st.sampled_from([1, 3, 8, 64, 65]),
    distinct=st.integers(1, 400),
    k=st.integers(0, 50),
    share=st.sampled_from([0.0, 0.02, 0.5]),
    edge=st.integers(0, 400),
)
def test_random_worlds(  # noqa: PLR0917 - hypothesis names them
    seed: int, queries: int, documents: int, dimension: int, distinct: int, k: int, share: float, edge: int
) -> None:
    rng = np.random.default_rng(seed)
    pool = unit(rng, min(distinct, documents), dimension)
    pool[rng.random(len(pool)) < 0.1] = 0
    vectors = pool[rng.integers(0, len(pool), documents)]
    asking = unit(rng, queries, dimension)
    asking[: queries // 2] = vectors[rng.integers(0, documents, queries // 2)]
    order = rng.permutation(documents).astype(np.int64)
    shards = []
    for part in (slice(0, edge % documents), slice(edge % documents, documents)):
        number = len(order[part])
        pairs = whole_pairs(rng, queries, number, share), whole_pairs(rng, queries, number, 0.05)
        shards.append(Shard(vectors[part], order[part], pairs))
    ceilings = rng.choice(np.append(all_scores(asking, vectors).ravel(), [-np.inf, np.inf]), queries)
    wanted = Wanted(k, everything(queries)), Wanted(5, ceilings), Wanted(3, everything(queries))
    World(asking, shards, wanted, some_targets(rng, asking, vectors, 9)).assert_exact(fused_pass())


@pytest.mark.parametrize("dimension", [64, 100, 768, 4_096])
def test_dimensions(dimension: int) -> None:
    rng = np.random.default_rng(dimension)
    queries, vectors = unit(rng, 9, dimension), unit(rng, 700, dimension)
    world = World(queries, [Shard(vectors, np.arange(700))], (Wanted(10, everything(9)),))
    assert world.assert_exact(fused_pass(Config(16, 64, 512, pairs=1_024))).fused == 9


@pytest.mark.parametrize("k", [1, 100, 1_000])
def test_lists_from_one_to_a_thousand(k: int) -> None:
    rng = np.random.default_rng(k)
    queries, vectors = unit(rng, 5, 64), unit(rng, 2_500, 64)
    World(queries, [Shard(vectors, np.arange(2_500))], (Wanted(k, everything(5)),)).assert_exact(fused_pass())


def test_the_tile_sizes_of_a_real_gpu() -> None:
    rng = np.random.default_rng(1)
    queries, vectors = unit(rng, 130, 384), unit(rng, 3_001, 384)
    ceilings = np.quantile(all_scores(queries, vectors), 0.9, axis=1)
    wanted = Wanted(10, everything(130)), Wanted(5, ceilings)
    pairs = whole_pairs(rng, 130, 3_001, 0.002), whole_pairs(rng, 130, 3_001, 0.02)
    shards = [Shard(vectors, np.arange(3_001), pairs)]
    world = World(queries, shards, wanted, some_targets(rng, queries, vectors, 200))
    config = None if DEVICE == "cuda" else Config(pairs=4_096)
    tally = world.assert_exact(fused_pass(config, memory=1 << 24))
    assert tally.fallback == 0


@pytest.mark.parametrize("described", [True, False])
def test_with_and_without_tensor_descriptors(described: bool) -> None:  # noqa: FBT001 - a parameter
    rng = np.random.default_rng(2)
    queries, vectors = unit(rng, 20, 50), unit(rng, 500, 50)
    config = Config(16, 64, 32, described=described, pairs=1_024)
    wanted = Wanted(10, everything(20)), Wanted(5, np.full(20, 0.1))
    world = World(queries, [Shard(vectors, np.arange(500))], wanted, some_targets(rng, queries, vectors, 30))
    assert world.assert_exact(fused_pass(config)).fallback == 0


def test_an_order_made_to_fill_single_bins() -> None:
    rng = np.random.default_rng(3)
    vectors, query = unit(rng, 2_000, 64), unit(rng, 1, 64)
    layout = Layout(2_000, SMALL.documents)
    best_first = np.argsort(-all_scores(query, vectors)[0])
    bins, positions = torch.meshgrid(torch.arange(layout.bins), torch.arange(layout.places), indexing="ij")
    slots = layout.document(bins.flatten(), positions.flatten()).numpy()
    slots = slots[slots < 2_000]
    vectors[slots] = vectors[best_first]
    wanted = (Wanted(10, everything(1)),)
    tally = World(query, [Shard(vectors, np.arange(2_000))], wanted).assert_exact(fused_pass())
    assert (tally.fused, tally.fallback) == (1, 0)


def test_neighbours_by_number_do_not_share_a_bin() -> None:
    layout = Layout(5_000, 256)
    bins = layout.bin_of(torch.arange(5_000))[0]
    assert all(len(bins[start : start + 20].unique()) == 20 for start in range(4_980))  # type: ignore[no-untyped-call] # torch leaves it untyped


def test_a_document_is_found_where_the_layout_puts_it() -> None:
    for documents in (1, 31, 32, 33, 1_000):
        layout = Layout(documents, 32)
        every = torch.arange(documents)
        bins, positions = layout.bin_of(every)
        assert torch.equal(layout.document(bins, positions), every)
        assert len(set(layout.slot(every).tolist())) == documents
        assert int(bins.max()) < layout.bins <= layout.stored_bins


def test_hundreds_of_equal_texts() -> None:
    rng = np.random.default_rng(4)
    vectors = unit(rng, 3_000, 64)
    vectors[rng.permutation(3_000)[:300]] = vectors[0]
    queries = np.concatenate([vectors[:1], unit(rng, 6, 64)])
    order = rng.permutation(3_000).astype(np.int64)
    tally = World(queries, [Shard(vectors, order)], (Wanted(5, everything(7)),)).assert_exact(fused_pass())
    assert tally.fallback == 1
    assert tally.fused == 6


def test_zero_vectors_of_documents_and_queries() -> None:
    rng = np.random.default_rng(5)
    vectors, queries = unit(rng, 900, 64), unit(rng, 6, 64)
    vectors[::3] = 0
    vectors[-64:] = -vectors[:1]
    queries[:2] = 0
    targets = Targets(np.arange(6), np.zeros(6), np.arange(6) * 3)
    wanted = Wanted(10, everything(6)), Wanted(10, np.zeros(6))
    World(queries, [Shard(vectors, np.arange(900))], wanted, targets).assert_exact(fused_pass())


def test_only_documents_that_score_below_zero() -> None:
    rng = np.random.default_rng(6)
    query = unit(rng, 1, 64)
    vectors = unit(rng, 301, 64)
    vectors[all_scores(query, vectors)[0] > 0] *= -1
    World(query, [Shard(vectors, np.arange(301))], (Wanted(200, everything(1)),)).assert_exact(fused_pass())


def test_most_of_the_corpus_left_out() -> None:
    rng = np.random.default_rng(7)
    queries, vectors = unit(rng, 12, 64), unit(rng, 1_500, 64)
    best = np.argsort(-all_scores(queries, vectors), axis=1)
    rows, places = np.repeat(np.arange(12), 750), best[:, :750].ravel()
    sorting = np.lexsort((places, rows))
    worst_kept = Pairs(rows[sorting], places[sorting])
    wanted = Wanted(10, everything(12)), Wanted(10, everything(12))
    for pairs in ((worst_kept,), (whole_pairs(rng, 12, 1_500, 0.5), whole_pairs(rng, 12, 1_500, 0.9))):
        World(queries, [Shard(vectors, np.arange(1_500), pairs)], wanted).assert_exact(fused_pass())


def test_starving_queries_get_their_best_below_the_ceiling() -> None:
    rng = np.random.default_rng(8)
    queries, vectors = unit(rng, 10, 64), unit(rng, 2_000, 64)
    scores = np.sort(all_scores(queries, vectors), axis=1)
    # Exactly the score of the 200th best: far below the list, and itself not below the ceiling.
    wanted = Wanted(20, everything(10)), Wanted(10, scores[:, -200].copy())
    tally = World(queries, [Shard(vectors, np.arange(2_000))], wanted).assert_exact(fused_pass())
    assert tally.fallback == 0


def test_many_targets_of_one_query_and_targets_without_documents() -> None:
    rng = np.random.default_rng(9)
    queries, vectors = unit(rng, 6, 64), unit(rng, 800, 64)
    vectors[400:500] = vectors[7]
    rows = np.repeat([1, 2, 5], [11, 2, 1]).astype(np.int64)
    scores = np.append(all_scores(queries, vectors)[rows[:-1], np.arange(len(rows) - 1)], 7.0)
    order = np.append(np.arange(len(rows) - 1), 10_000).astype(np.int64)
    world = World(queries, [Shard(vectors, np.arange(800))], (), Targets(rows, scores, order))
    world.assert_exact(fused_pass())


def test_little_memory_cuts_the_queries_into_parts() -> None:
    rng = np.random.default_rng(10)
    queries, vectors = unit(rng, 40, 64), unit(rng, 300, 64)
    wanted = Wanted(5, everything(40)), Wanted(5, np.full(40, 0.1))
    pairs = whole_pairs(rng, 40, 300, 0.1), whole_pairs(rng, 40, 300, 0.1)
    targets = some_targets(rng, queries, vectors, 50)
    World(queries, [Shard(vectors, np.arange(300), pairs)], wanted, targets).assert_exact(fused_pass(memory=4_000))


def test_a_shard_with_few_bins_goes_to_the_fallback() -> None:
    rng = np.random.default_rng(11)
    queries, vectors = unit(rng, 5, 64), unit(rng, 500, 64)
    world = World(queries, [Shard(vectors, np.arange(500))], (Wanted(20, everything(5)),))
    tally = world.assert_exact(fused_pass(bins_per_place=4))
    assert (tally.fused, tally.fallback) == (0, 5)


def test_a_vector_that_is_not_finite_is_named() -> None:
    vectors = unit(np.random.default_rng(12), 70, 64)
    vectors[33, 5] = np.nan
    with pytest.raises(Unfit, match="vector 33 of 70"):
        fused_pass().open(Shard(vectors, np.arange(70)))


def test_packed_scores_stay_within_their_bound() -> None:
    rng = np.random.default_rng(13)
    queries, vectors = unit(rng, 16, 768), unit(rng, 600, 768)
    device = torch.device(DEVICE)
    config = Config(16, 256, 256, pairs=1_024) if DEVICE == "cpu" else Config()
    corpus, asking = corpus_of(Shard(vectors, np.arange(600)), config, device), upload(queries, device)
    best = Best.empty(16, corpus.layout, device)
    score_bins(asking, corpus.vectors, corpus.layout, Outputs(best=best), config)
    packed = best.first[:, : corpus.layout.bins].contiguous()
    documents = corpus.layout.document(torch.arange(corpus.layout.bins, device=device), corpus.layout.position(packed))
    exact = torch.from_numpy(all_scores(queries, vectors)).to(device).gather(1, documents)
    assert (packed.double() - exact).abs().max() < packed_error(768, 1.001, 1.001, corpus.layout.places) / 2


@pytest.mark.parametrize("block", [4, 8, 16])
@pytest.mark.parametrize("dimension", [64, 4_096])
def test_sums_that_are_cut_off_as_tensor_cores_do_stay_within_the_bound(block: int, dimension: int) -> None:
    rng = np.random.default_rng(14)
    left, right = np.abs(unit(rng, 50, dimension)), np.abs(unit(rng, 50, dimension))
    products = left.astype(np.float64) * right.astype(np.float64)
    total = np.zeros(50)
    for start in range(0, dimension, block):
        terms = np.concatenate([total[:, None], products[:, start : start + block]], axis=1)
        quantum = np.exp2(np.floor(np.log2(terms.max(axis=1))) - 23)[:, None]
        summed = (np.trunc(terms / quantum) * quantum).sum(axis=1)
        last = np.exp2(np.floor(np.log2(summed)) - 23)
        total = np.trunc(summed / last) * last
    error = np.abs(total - products.sum(axis=1)).max()
    assert error < packed_error(dimension, 1.001, 1.001, 64)
    if dimension == 4_096 and block == 4:
        assert error > float32_error(dimension, 1.0, 1.0) / 50


@needs_gpu
@pytest.mark.parametrize(
    ("documents", "dimension", "k"), [(300_000, 768, 100), (1_000_000, 64, 1_000), (70_001, 4_096, 10)]
)
def test_large_corpora(documents: int, dimension: int, k: int) -> None:
    rng = np.random.default_rng(15)
    queries = unit(rng, 200, dimension)
    vectors = np.concatenate([unit(rng, 10_000, dimension) for _ in range(-(-documents // 10_000))])[:documents]
    vectors[1_000:1_200] = vectors[1_000]
    wanted = Wanted(k, everything(200)), Wanted(20, np.full(200, 0.05))
    world = World(queries, [Shard(vectors, np.arange(documents))], wanted, some_targets(rng, queries, vectors, 300))
    assert world.assert_exact(fused_pass(None, memory=1 << 30, bins_per_place=4)).fused > 0
