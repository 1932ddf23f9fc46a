"""Approximate search: what is found is scored exactly, what may not be found is not, and no list is short."""

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import BinaryIO

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from oreline.recipe.settings import CuvsCagra, FaissHnsw, FaissIvf
from oreline.search import reference
from oreline.search.approximate.index import Library, Vectors
from oreline.search.approximate.recall import Agreement, Measured, agreement, draw, is_drawn
from oreline.search.approximate.search import ApproximateSearch, Group
from oreline.search.scores import Float16, Int64, all_scores, pair_scores
from oreline.search.shards import NO_TARGETS, Found, Pairs, Ranked, Shard, Targets, Wanted
from test_search_exact import assert_equal

INFINITE = float("inf")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Threads that wait for each other make small searches slow on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def unit(rng: np.random.Generator, rows: int, dimension: int) -> Float16:
    vectors = rng.normal(size=(rows, dimension))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float16)


def exact(queries: Float16, shards: Callable[[], Iterable[Shard]], wanted: Sequence[Wanted], targets: Targets) -> Found:
    return reference.search(queries, shards(), wanted, targets)


@dataclass(frozen=True)
class Forgetful:
    """An index that knows some of its rows; of `effort` thousandths of them, the same for every query."""

    vectors: Float16
    known: Int64

    def search(self, queries: Float16, fetch: int, effort: int) -> Int64:
        known = self.known[: len(self.known) * effort // 1000]
        best = np.argsort(-all_scores(queries, self.vectors[known]), axis=1, kind="stable")[:, :fetch]
        rows = np.full((len(queries), fetch), -1, np.int64)
        rows[:, : best.shape[1]] = known[best]
        return rows

    def write(self, file: BinaryIO) -> None:
        raise NotImplementedError


@dataclass(frozen=True)
class World:
    queries: Float16
    shards: list[Shard]
    wanted: tuple[Wanted, ...]
    targets: Targets

    def exact(self) -> Found:
        return exact(self.queries, lambda: self.shards, self.wanted, self.targets)

    def found(self, groups: Sequence[Group], effort: int) -> Found:
        return ApproximateSearch(self.queries, groups, self.wanted, self.targets, effort, exact).run()


def world(seed: int, queries: int = 9, documents: int = 300, dimension: int = 8) -> World:
    """Random vectors, some equal, in three shards, with pairs left out, ceilings, and targets."""
    rng = np.random.default_rng(seed)
    vectors = unit(rng, documents, dimension)[rng.integers(0, documents, documents)]
    asking = np.concatenate([vectors[:2], unit(rng, queries, dimension)])[:queries]
    order = rng.permutation(documents).astype(np.int64)
    shards = []
    for start, stop in pairwise([0, documents // 5, documents // 2, documents]):
        masks = [np.nonzero(rng.random((queries, stop - start)) < share) for share in (0.1, 0.2)]
        left_out = tuple(Pairs(*(each.astype(np.int64) for each in mask)) for mask in masks)
        shards.append(Shard(vectors[start:stop], order[start:stop], left_out))
    below = rng.choice(np.array([-INFINITE, INFINITE, 0.8, 0.2, -0.5, -0.99]), queries)
    rows, places = rng.integers(0, queries, 20), rng.integers(0, documents, 20)
    targets = Targets(rows, pair_scores(asking, rows, vectors, places), order[places])
    return World(asking, shards, (Wanted(12, np.full(queries, INFINITE)), Wanted(5, below)), targets)


def vectors_of(shards: Sequence[Shard]) -> Vectors:
    rows = sum(len(each.order) for each in shards)
    return Vectors(rows, shards[0].vectors.shape[1], lambda: iter([each.vectors for each in shards]))


def forgetful(shards: list[Shard], seed: int, most: int) -> Group:
    vectors = np.concatenate([each.vectors for each in shards])
    known = np.random.default_rng(seed).permutation(len(vectors)).astype(np.int64)
    return Group(len(vectors), lambda: shards, lambda: Forgetful(vectors, known), most)


def built(library: Library, shards: list[Shard]) -> Group:
    """A group whose index was written and read again."""
    vectors = vectors_of(shards)
    file = io.BytesIO()
    library.build(vectors).write(file)
    return Group(vectors.rows, lambda: shards, lambda: library.read(io.BytesIO(file.getvalue()), vectors), 2_048)


def library_of(kind: str) -> Library:
    faiss_index = pytest.importorskip("oreline.search.approximate.faiss_index")
    library: Library
    if kind == "faiss_ivf":
        library = faiss_index.IvfLibrary(FaissIvf(kind="faiss_ivf", lists=10))
    else:
        library = faiss_index.HnswLibrary(FaissHnsw(kind="faiss_hnsw", neighbours=8))
    return library


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    effort=st.integers(0, 1000),
    most=st.integers(1, 400),
    cuts=st.sampled_from([(0, 3), (0, 1, 3), (0, 2, 3), (0, 1, 2, 3)]),
)
def test_whatever_an_index_finds_no_list_is_short_and_nothing_in_it_is_wrong(
    seed: int, effort: int, most: int, cuts: tuple[int, ...]
) -> None:
    here = world(seed)
    groups = [forgetful(here.shards[start:stop], seed, most) for start, stop in pairwise(cuts)]
    found, expected = here.found(groups, effort), here.exact()
    vectors = np.concatenate([each.vectors for each in here.shards])
    order = np.concatenate([each.order for each in here.shards])
    scores = all_scores(here.queries, vectors)[:, np.argsort(order)]
    out = np.zeros(scores.shape, np.bool_)
    for place, (mine, best, wanted) in enumerate(zip(found.lists, expected.lists, here.wanted, strict=True)):
        for shard in here.shards:
            out[shard.left_out[place].queries, shard.order[shard.left_out[place].rows]] = True
        assert not out[mine.queries, mine.order].any()
        assert mine.scores.tobytes() == scores[mine.queries, mine.order].tobytes()
        assert (mine.scores < wanted.below[mine.queries]).all()
        np.testing.assert_array_equal(mine.queries, best.queries)
        assert (mine.scores <= best.scores).all()
        assert len(set(zip(mine.queries.tolist(), mine.order.tolist(), strict=True))) == len(mine.queries)
        np.testing.assert_array_equal(np.lexsort((mine.order, -mine.scores, mine.queries)), np.arange(len(mine.order)))
    assert (found.ahead <= expected.ahead).all()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), effort=st.integers(0, 1000))
def test_the_order_of_indexes_changes_nothing(seed: int, effort: int) -> None:
    here = world(seed)
    groups = [forgetful([each], place, 100) for place, each in enumerate(here.shards)]
    assert_equal(here.found(groups, effort), here.found(groups[::-1], effort))


def test_an_index_that_looks_at_everything_gives_what_the_exact_search_gives() -> None:
    here = world(1)
    expected = here.exact()
    groups = [built(library_of("faiss_ivf"), here.shards[:2]), built(library_of("faiss_ivf"), here.shards[2:])]
    found = here.found([replace(each, most_fetched=10_000) for each in groups], 10)
    assert [each.order.tolist() for each in found.lists] == [each.order.tolist() for each in expected.lists]
    assert agreement(expected, found).recalls == (1.0, 1.0)
    assert_equal(here.found([replace(each, index=None) for each in groups], 10), expected)


@pytest.mark.parametrize("kind", ["faiss_ivf", "faiss_hnsw"])
def test_less_effort_finds_less(kind: str) -> None:
    here = world(2, queries=60, documents=2_000, dimension=32)
    here = replace(here, wanted=(Wanted(100, np.full(60, INFINITE)), Wanted(0, np.full(60, -INFINITE))))
    group = built(library_of(kind), here.shards)
    least, most = (1, 10) if kind == "faiss_ivf" else (1, 2_000)
    little, much = (agreement(here.exact(), here.found([group], effort)).recalls[0] for effort in (least, most))
    assert 0.1 < little < much
    assert much > 0.98


@pytest.mark.parametrize("kind", ["faiss_ivf", "faiss_hnsw"])
def test_an_index_is_the_same_when_built_again_and_finds_the_same_on_any_number_of_threads(kind: str) -> None:
    here = world(3, queries=40, documents=1_500, dimension=16)
    library, files, found = library_of(kind), [], []
    for threads in (1, 4):
        torch.set_num_threads(threads)
        file = io.BytesIO()
        index = library.build(vectors_of(here.shards))
        index.write(file)
        files.append(file.getvalue())
        found.append(index.search(here.queries, 50, 4))
    assert files[0] == files[1]
    np.testing.assert_array_equal(found[0], found[1])


@pytest.mark.parametrize("kind", ["faiss_ivf", "faiss_hnsw"])
def test_scores_of_a_faiss_index_are_those_of_the_stored_vectors(kind: str) -> None:
    here = world(4)
    found = here.found([built(library_of(kind), here.shards)], 2)
    vectors = np.concatenate([each.vectors for each in here.shards])
    order = np.concatenate([each.order for each in here.shards])
    scores = all_scores(here.queries, vectors)[:, np.argsort(order)]
    for each in found.lists:
        assert each.scores.tobytes() == scores[each.queries, each.order].tobytes()


def test_documents_left_out_in_numbers_cost_a_query_no_place() -> None:
    rng = np.random.default_rng(5)
    vectors = unit(rng, 3_000, 16)
    queries = vectors[:2]
    nearest = np.argsort(-all_scores(queries, vectors), axis=1, kind="stable")
    # The first query leaves out its 100 nearest, which growth reaches; the second all but ten.
    left_out = Pairs(np.repeat([0, 1], [100, 2_990]), np.concatenate([nearest[0, :100], nearest[1, :2_990]]))
    shards = [Shard(vectors, np.arange(3_000), (left_out,))]
    group = forgetful(shards, 0, 2_048)
    here = World(queries, shards, (Wanted(20, np.full(2, INFINITE)),), NO_TARGETS)
    found = here.found([group], 1_000)
    assert_equal(found, here.exact())
    assert found.rescored == 1
    assert [len(found.lists[0].of(query)) for query in (0, 1)] == [20, 10]


def test_documents_below_a_ceiling_are_found_however_many_are_above() -> None:
    rng = np.random.default_rng(6)
    vectors = unit(rng, 4_000, 16)
    queries = vectors[:3]
    scores = np.sort(all_scores(queries, vectors), axis=1)[:, ::-1]
    below = np.array([scores[0, 300], scores[1, 3_000], -INFINITE])
    shards = [Shard(vectors, np.arange(4_000))]
    here = World(queries, shards, (Wanted(10, np.full(3, INFINITE)), Wanted(5, below)), NO_TARGETS)
    found = here.found([forgetful(shards, 0, 2_048)], 1_000)
    assert_equal(found, here.exact())
    assert found.rescored == 1  # the second: 3,000 documents are above its ceiling, and no more than 2,048 are fetched


def test_a_place_counts_the_documents_that_were_found_and_the_query_s_own() -> None:
    vectors = np.array([[np.cos(angle), np.sin(angle)] for angle in np.deg2rad([0, 10, 20, 30, 40, 50])], np.float16)
    shards = [Shard(vectors, np.arange(6))]
    order = np.array([4, 2])
    targets = Targets(np.zeros(2, np.int64), all_scores(vectors[:1], vectors)[0, order], order)
    group = Group(6, lambda: shards, lambda: Forgetful(vectors, np.array([0, 3])), 6)
    here = World(vectors[:1], shards, (Wanted(1, np.array([INFINITE])),), targets)
    assert here.exact().ahead.tolist() == [4, 2]
    # Ahead of document 4 stand 0 and 3, which the index knows, and 2, which is asked for by name; 1 is missed.
    assert here.found([group], 1_000).ahead.tolist() == [3, 1]


def ranked(*hits: tuple[int, int]) -> Ranked:
    return Ranked(np.array([q for q, _ in hits]), np.array([d for _, d in hits]), np.linspace(1, 0, len(hits)))


def test_recall_is_the_share_of_each_exact_list_that_was_found() -> None:
    one = Found((ranked((0, 1), (0, 2), (1, 2), (1, 7)), ranked((0, 9))), np.array([3, 4, 5]))
    other = Found((ranked((0, 1), (0, 3), (1, 2), (1, 7)), ranked((0, 8))), np.array([3, 2, 5]))
    both = agreement(one, other)
    assert both == Agreement((3, 0), (4, 1), 2, 3)
    assert both.recalls == (0.75, 0.0)
    assert (both + Agreement((1, 1), (1, 1), 0, 0)).recalls == (0.8, 0.5)
    nothing = Found((ranked(), ranked()), np.empty(0, np.int64))
    assert agreement(nothing, nothing).recalls == (1.0, 1.0)


def test_a_recall_below_the_least_says_what_to_do() -> None:
    measured = Measured(Agreement((90, 10), (100, 10), 0, 0), 64, 20, 1_000, 0)
    index = FaissHnsw(kind="faiss_hnsw")
    fixed = measured.shortfall("dense", index, "ef_search", fixed=True)
    assert fixed is not None
    assert "at mine.index.ef_search 64, faiss_hnsw finds 0.900 of the documents (mine.top_k, miner dense)" in fixed
    assert "least_recall is 0.95; raise mine.index.ef_search, lower least_recall, or search exactly" in fixed
    free = measured.shortfall("dense", index, "ef_search", fixed=False)
    assert free is not None
    assert "raise mine.index.neighbours, mine.index.ef_construction or mine.index.ef_search" in free
    enough = index.model_copy(update={"least_recall": 0.9})
    assert measured.shortfall("dense", enough, "ef_search", fixed=True) is None


def test_a_sample_is_drawn_by_ids_and_is_large_enough() -> None:
    ids = [f"d/{number}" for number in range(20_000)]
    drawn = [each for each in ids if is_drawn(each, 100, len(ids))]
    assert 100 <= len(drawn) < 250
    assert all(is_drawn(each, 100, 90) for each in ids[:90])
    assert 0 <= draw("d/1") < draw("d/4") < 1


@pytest.mark.parametrize("rows", [1, 2, 9, 40])
@pytest.mark.parametrize("kind", ["faiss_ivf", "faiss_hnsw"])
def test_very_few_documents_have_an_index_too(kind: str, rows: int) -> None:
    rng = np.random.default_rng(rows)
    shards = [Shard(unit(rng, rows, 4), np.arange(rows))]
    here = World(unit(rng, 3, 4), shards, (Wanted(5, np.full(3, INFINITE)),), NO_TARGETS)
    assert_equal(here.found([built(library_of(kind), shards)], 64), here.exact())


@pytest.mark.gpu
def test_cagra_finds_what_exact_search_finds() -> None:
    pytest.importorskip("cuvs")
    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    from oreline.search.approximate.cagra_index import CagraLibrary

    here = world(8, queries=200, documents=20_000, dimension=64)
    library = CagraLibrary(CuvsCagra(kind="cuvs_cagra"), "cuda")
    found = here.found([built(library, here.shards)], 256)
    assert min(agreement(here.exact(), found).recalls) > 0.95
