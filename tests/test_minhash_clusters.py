"""Clusters equal the direct computation: connected components of all candidate pairs that reach the threshold."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup_world import document
from oreline.minhash.clusters import MEMBERS, decide
from oreline.minhash.components import labels_of
from oreline.minhash.documents import classes_of, grams_of, scopes_of
from oreline.minhash.grams import shingle_sets
from oreline.minhash.parameters import Parameters
from oreline.minhash.permutations import band_hashes
from oreline.minhash.similarity import jaccard
from oreline.minhash.stars import distinct_edges, star_edges
from oreline.minhash.words import words_of
from oreline.records import Document
from oreline.tables.schema import to_arrow

# 96 bands of one row: a pair with a similarity of 0.5 is missed once in 2**96.
SURE = Parameters(threshold=0.5, ngram=2, bands=96, rows=1)
EVERY = 12
"""Centres that make a bucket's stars all its pairs."""

texts = st.lists(st.sampled_from("abc"), min_size=0, max_size=7).map(" ".join)
worlds = st.lists(st.tuples(texts, st.sampled_from(["d", "e"]), st.booleans(), st.booleans()), min_size=1, max_size=12)


def world_of(drawn: list[tuple[str, str, bool, bool]]) -> tuple[list[Document], set[str]]:
    documents = [
        document(f"{number:02}", text or "-", dataset=dataset, searchable=searchable)
        for number, (text, dataset, searchable, _) in enumerate(drawn)
    ]
    return documents, {each.doc_id for each, (*_, judged) in zip(documents, drawn, strict=True) if judged}


def members_of(documents: list[Document], judged: set[str], parameters: Parameters, centres: int) -> pa.Table:
    """The road of the stage, without its groups and files."""
    table = to_arrow(Document, documents)
    nodes = np.arange(len(documents))
    scopes = scopes_of(table, parameters.within)
    buckets, _ = classes_of(table, scopes)
    equal = star_edges(buckets, nodes.astype(np.uint64), nodes, 1)
    sequences = grams_of(table, parameters.shape)
    signed = np.flatnonzero(np.diff(sequences.starts))
    hashes = band_hashes(
        parameters.drawn.signatures(sequences)[signed], scopes[signed], parameters.bands, parameters.rows
    )
    bands = parameters.bands
    near = star_edges(hashes.ravel(), np.repeat(buckets[signed], bands), np.repeat(nodes[signed], bands), centres)
    sets = shingle_sets(sequences)
    low, high = near["low"].to_numpy(), near["high"].to_numpy()
    reached = jaccard(sets.take(low), sets.take(high)) >= parameters.threshold
    ones, others = (
        np.concatenate([equal[end].to_numpy(), ends[reached]]) for end, ends in (("low", low), ("high", high))
    )
    labels = labels_of(distinct_edges(ones, others))
    classes = nodes.copy()
    classes[equal["high"].to_numpy()] = equal["low"].to_numpy()
    label = nodes.copy()
    label[labels["node"].to_numpy()] = labels["label"].to_numpy()
    rows = labels["node"].to_pylist()
    return pa.table(
        [
            [*rows],
            label[rows],
            classes[rows],
            [documents[row].doc_id for row in rows],
            [False] * len(rows),
            [None] * len(rows),
            [documents[row].searchable for row in rows],
            [documents[row].doc_id in judged for row in rows],
            [0.0] * len(rows),
        ],
        schema=MEMBERS,
    )


def decisions(
    documents: list[Document], judged: set[str], parameters: Parameters = SURE, centres: int = EVERY
) -> dict[str, tuple[str, str]]:
    found = decide(members_of(documents, judged, parameters, centres)).decisions.to_pylist()
    return {documents[row["node"]].doc_id: (row["keeper"], row["reason"]) for row in found if row["keeper"] is not None}


def grams(each: Document, ngram: int) -> set[tuple[str, ...]]:
    words = words_of(each.title, each.text, each.content)
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


@settings(max_examples=200, deadline=None)
@given(worlds)
def test_decisions_equal_brute_force(drawn: list[tuple[str, str, bool, bool]]) -> None:
    documents, judged = world_of(drawn)
    assert decisions(documents, judged) == by_brute_force(documents, judged)


@settings(max_examples=50, deadline=None)
@given(worlds, st.sampled_from([1, 3]))
def test_decisions_do_not_depend_on_order(drawn: list[tuple[str, str, bool, bool]], centres: int) -> None:
    documents, judged = world_of(drawn)
    shuffled = sorted(documents, key=lambda each: each.text[::-1] + each.doc_id[::-1])
    assert decisions(shuffled, judged, centres=centres) == decisions(documents, judged, centres=centres)


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
    loose = replace(SURE, threshold=0.9)
    documents = [document("a", "a b c d e f g h"), document("b", "a b c d e f g x y z")]
    assert decisions(documents, set(), loose) == {}
    assert decisions(documents, set()) == {"d/b": ("d/a", "near_duplicate")}


def member(name: str, cluster: int, equal: int, **others: object) -> dict[str, object]:
    plain = {"known": False, "known_keeper": None, "searchable": True, "judged": False, "weight": 0.0}
    return {"doc_id": name, "label": cluster, "class": equal, **plain, **others}


def decided(*members: dict[str, object]) -> dict[str, tuple[str | None, str | None, str, int]]:
    rows = [{"node": node, **each} for node, each in enumerate(members)]
    found = decide(pa.Table.from_pylist(rows, schema=MEMBERS)).decisions.to_pylist()
    return {
        str(members[row["node"]]["doc_id"]): (row["keeper"], row["reason"], row["cluster"], row["members"])
        for row in found
    }


def test_the_heaviest_stays_whatever_its_id_and_the_cluster_has_the_smallest() -> None:
    found = decided(member("a", 0, 0, weight=1.0), member("b", 0, 1, weight=3.0), member("c", 0, 2, weight=3.0))
    assert found["a"] == ("b", "near_duplicate", "a", 3)
    assert found["b"] == (None, None, "a", 3)
    assert found["c"] == ("b", "near_duplicate", "a", 3)


def test_a_searchable_document_stays_before_a_heavier_one_that_is_not() -> None:
    found = decided(member("a", 0, 0, weight=9.0, searchable=False), member("b", 0, 1))
    assert found["a"][0] == "b"


def test_new_documents_are_dropped_for_known_ones() -> None:
    found = decided(
        member("old", 0, 0, known=True),
        member("equal", 0, 0),
        member("near", 0, 3),
        member("judged", 0, 4, judged=True),
    )
    assert found["equal"] == ("old", "exact_duplicate", "equal", 4)
    assert found["near"] == ("old", "near_duplicate", "equal", 4)
    assert found["judged"][0] is None
    assert "old" not in found


def test_what_equals_a_known_document_that_was_dropped_is_dropped_for_its_keeper() -> None:
    found = decided(
        member("old", 0, 0, known=True),
        member("old2", 0, 1, known=True, known_keeper="old"),
        member("equal", 0, 1),
    )
    assert found["equal"][:2] == ("old", "exact_duplicate")


def test_judged_documents_that_equal_a_known_one_stay_once_and_their_pairs_move() -> None:
    rows = [
        member("old", 0, 0, known=True),
        member("a", 0, 0),
        member("b", 0, 0, judged=True),
    ]
    assert decided(*rows)["a"][0] is None
    assert decided(*rows)["b"][:2] == ("a", "exact_duplicate")
    table = pa.Table.from_pylist([{"node": node, **each} for node, each in enumerate(rows)], schema=MEMBERS)
    assert decide(table).moves.to_pylist() == [{"doc_id": "b", "keeper": "a"}]


@pytest.mark.parametrize("known", [True, False])
def test_no_members_make_no_decisions(known: bool) -> None:  # noqa: FBT001 - parametrize
    members = [member("a", 0, 0, known=True), member("b", 0, 1, known=True)] if known else []
    assert decided(*members) == {}
