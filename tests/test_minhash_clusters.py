"""Clusters equal the direct computation: connected components of all candidate pairs that reach the threshold."""

from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup_world import document
from oreline.minhash.candidates import describe, shared_buckets
from oreline.minhash.clusters import decide
from oreline.minhash.parameters import Parameters
from oreline.minhash.shingles import tokens
from oreline.minhash.verification import components, is_near, jaccard
from oreline.records import Document
from oreline.tables.schema import to_arrow

# 96 bands of one row: a pair with a similarity of 0.5 is missed once in 2**96.
SURE = Parameters(threshold=0.5, ngram=2, bands=96, rows=1)

texts = st.lists(st.sampled_from("abc"), min_size=0, max_size=7).map(" ".join)
shingle_sets = st.sets(st.integers(0, 12))
worlds = st.lists(st.tuples(texts, st.sampled_from(["d", "e"]), st.booleans(), st.booleans()), min_size=1, max_size=12)


def world_of(drawn: list[tuple[str, str, bool, bool]]) -> tuple[list[Document], set[str]]:
    documents = [
        document(f"{number:02}", text or "-", dataset=dataset, searchable=searchable)
        for number, (text, dataset, searchable, _) in enumerate(drawn)
    ]
    return documents, {each.doc_id for each, (*_, judged) in zip(documents, drawn, strict=True) if judged}


def decisions(documents: list[Document], judged: set[str], parameters: Parameters = SURE) -> dict[str, tuple[str, str]]:
    described = describe(to_arrow(Document, documents), parameters)
    shared = shared_buckets(described.buckets)
    wanted = set(shared.column("doc_id").to_pylist())
    nodes = described.nodes.filter(pa.array([doc_id in wanted for doc_id in described.nodes["doc_id"].to_pylist()]))
    rows = decide(nodes, shared, judged, parameters.threshold).to_pylist()
    return {row["doc_id"]: (row["keeper"], row["reason"]) for row in rows}


def grams(each: Document, ngram: int) -> set[tuple[str, ...]]:
    words = tokens(each.title, each.text, each.content)
    return {tuple(words[place : place + ngram]) for place in range(len(words) - ngram + 1)}


def similar(one: Document, other: Document, parameters: Parameters) -> bool:
    mine, others = grams(one, parameters.ngram), grams(other, parameters.ngram)
    return bool(mine | others) and len(mine & others) / len(mine | others) >= parameters.threshold


def by_brute_force(documents: list[Document], judged: set[str]) -> dict[str, tuple[str, str]]:
    """Every pair compared by sets of tuples, components by repeated relabelling."""
    first: dict[tuple[str, str], Document] = {}
    order = sorted(documents, key=lambda each: (not each.searchable, each.doc_id))
    for each in order:
        first.setdefault((each.dataset, each.content_hash), each)
    exact = {each.doc_id: first[each.dataset, each.content_hash].doc_id for each in documents}
    names = {each.doc_id: exact[each.doc_id] for each in documents}
    edges = [
        (one, other)
        for one, other in combinations(documents, 2)
        if one.dataset == other.dataset and (exact[one.doc_id] == exact[other.doc_id] or similar(one, other, SURE))
    ]
    for _ in documents:
        for one, other in edges:
            names[one.doc_id] = names[other.doc_id] = min(names[one.doc_id], names[other.doc_id])
    place = {each.doc_id: number for number, each in enumerate(order)}
    keepers: dict[str, str] = {}
    for each in order:
        keepers.setdefault(names[each.doc_id], each.doc_id)
    judged_texts = {exact[doc_id] for doc_id in judged}
    found = {}
    for each in sorted(documents, key=lambda each: place[each.doc_id]):
        own = exact[each.doc_id]
        keeper = own if own in judged_texts else keepers[names[each.doc_id]]
        if keeper != each.doc_id:
            found[each.doc_id] = (keeper, "near_duplicate" if own == each.doc_id else "exact_duplicate")
    return found


@settings(max_examples=300, deadline=None)
@given(worlds)
def test_decisions_equal_brute_force(drawn: list[tuple[str, str, bool, bool]]) -> None:
    documents, judged = world_of(drawn)
    assert decisions(documents, judged) == by_brute_force(documents, judged)


@settings(max_examples=50, deadline=None)
@given(worlds)
def test_decisions_do_not_depend_on_order(drawn: list[tuple[str, str, bool, bool]]) -> None:
    documents, judged = world_of(drawn)
    shuffled = sorted(documents, key=lambda each: each.text[::-1] + each.doc_id[::-1])
    assert decisions(shuffled, judged) == decisions(documents, judged)


@settings(max_examples=100, deadline=None)
@given(worlds)
def test_a_keeper_is_kept_and_a_judged_text_stays(drawn: list[tuple[str, str, bool, bool]]) -> None:
    documents, judged = world_of(drawn)
    found = decisions(documents, judged)
    hashes = {each.doc_id: each.content_hash for each in documents}
    for keeper, _ in found.values():
        assert keeper not in found
    for doc_id in judged & set(found):
        keeper, reason = found[doc_id]
        assert reason == "exact_duplicate"
        assert hashes[keeper] == hashes[doc_id]


def test_a_chain_of_small_steps_is_one_cluster() -> None:
    words = [f"w{number}" for number in range(40)]
    documents = [document(f"{start:02}", " ".join(words[start : start + 20])) for start in range(0, 20, 4)]
    assert not similar(documents[0], documents[-1], SURE)
    assert set(decisions(documents, set()).values()) == {("d/00", "near_duplicate")}


def test_banding_alone_decides_nothing() -> None:
    loose = Parameters(threshold=0.9, ngram=2, bands=96, rows=1)
    documents = [document("a", "a b c d e f g h"), document("b", "a b c d e f g x y z")]
    assert describe(to_arrow(Document, documents), loose).buckets.num_rows == 2 * 97
    assert decisions(documents, set(), loose) == {}


def test_an_empty_block_gives_empty_tables() -> None:
    described = describe(to_arrow(Document, []), SURE)
    assert described.nodes.num_rows == 0
    assert shared_buckets(described.buckets).num_rows == 0


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_only_shared_buckets_are_candidates(rows: int) -> None:
    table = pa.table({"bucket": np.array([5, 7, 5][:rows], np.uint64), "doc_id": ["a", "b", "c"][:rows]})
    assert shared_buckets(table).column("doc_id").to_pylist() == (["a", "c"] if rows == 3 else [])


@settings(max_examples=300, deadline=None)
@given(shingle_sets, shingle_sets, st.sampled_from([1e-9, 1 / 3, 0.5, 0.8, 0.9, 1.0]))
def test_near_says_what_the_whole_count_says(one: set[int], other: set[int], threshold: float) -> None:
    flat = np.array([*sorted(one), *sorted(other)], np.uint32)
    starts = np.array([0, len(one), len(one) + len(other)])
    exact = len(one & other) / len(one | other) if one | other else 0.0
    assert jaccard(flat, starts, 0, 1) == exact
    assert is_near(flat, starts, 0, 1, threshold) == (exact >= threshold)


def test_members_of_a_group_are_compared_even_if_the_first_is_like_none_of_them() -> None:
    shingles = np.array([1, 2, 3, 4, 5, 6, 7, 5, 6, 7, 8], np.uint32)
    starts, scopes = np.array([0, 4, 7, 11]), np.zeros(3, np.int64)
    group, bounds = np.array([0, 1, 2]), np.array([0, 3])
    assert components(shingles, starts, scopes, group, bounds, 0.75).tolist() == [0, 1, 1]
    assert components(shingles, starts, scopes, group, bounds, 0.76).tolist() == [0, 1, 2]
    assert components(shingles, starts, np.array([0, 0, 1]), group, bounds, 0.75).tolist() == [0, 1, 2]
