"""Stars and components: edges in a number that grows with the members, components the same by every road."""

from itertools import combinations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from oreline.minhash.components import labels_of, large_star, small_star
from oreline.minhash.stars import CENTRES, distinct_edges, star_edges

edge_lists = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=20)
members = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), max_size=25)


def edges_of(pairs: list[tuple[int, int]]) -> pa.Table:
    array = np.array(pairs, np.int64).reshape(-1, 2)
    return distinct_edges(array[:, 0], array[:, 1])


def tuples(edges: pa.Table) -> set[tuple[int, int]]:
    return set(zip(edges["low"].to_pylist(), edges["high"].to_pylist(), strict=True))


def by_hand(pairs: set[tuple[int, int]]) -> dict[int, int]:
    names = {node: node for pair in pairs for node in pair}
    for _ in names:
        for one, other in pairs:
            names[one] = names[other] = min(names[one], names[other])
    return names


def by_rounds(edges: pa.Table) -> tuple[dict[int, int], int]:
    """Rounds over all edges at once until one changes nothing, and how many there were."""
    rounds = 0
    while True:
        rounds += 1
        low, high = edges["low"].to_numpy(), edges["high"].to_numpy()
        larger = large_star(np.concatenate([low, high]), np.concatenate([high, low]))
        smaller = small_star(larger.edges["high"].to_numpy(), larger.edges["low"].to_numpy())
        edges = smaller.edges
        if larger.changes + smaller.changes == 0:
            found = dict(zip(edges["high"].to_pylist(), edges["low"].to_pylist(), strict=True))
            return {**{centre: centre for centre in found.values()}, **found}, rounds


def test_edges_are_kept_once_the_smaller_end_first() -> None:
    assert tuples(edges_of([(2, 1), (1, 2), (3, 3), (1, 4)])) == {(1, 2), (1, 4)}


@settings(max_examples=200, deadline=None)
@given(edge_lists)
def test_components_are_the_same_by_scipy_by_rounds_and_by_hand(pairs: list[tuple[int, int]]) -> None:
    edges = edges_of(pairs)
    labels = labels_of(edges)
    found = dict(zip(labels["node"].to_pylist(), labels["label"].to_pylist(), strict=True))
    assert found == by_hand(tuples(edges)) == by_rounds(edges)[0]


def test_a_long_path_settles_in_some_rounds() -> None:
    order = np.random.default_rng(1).permutation(20_000).astype(np.int64)
    edges = distinct_edges(order[:-1], order[1:])
    found, rounds = by_rounds(edges)
    assert set(found.values()) == {0}
    assert len(found) == 20_000
    assert 5 < rounds < 20


def test_a_star_needs_one_round() -> None:
    ends = np.arange(1, 100_000)
    assert by_rounds(distinct_edges(np.zeros_like(ends), ends))[1] == 1


@settings(max_examples=200, deadline=None)
@given(members, st.integers(1, 3))
def test_members_of_a_bucket_are_joined_to_its_first_ones(rows: list[tuple[int, int]], centres: int) -> None:
    buckets = np.array([row[0] for row in rows], np.uint64)
    nodes = np.arange(len(rows))
    classes = np.array([row[1] for row in rows], np.uint64)
    found = tuples(star_edges(buckets, classes, nodes, centres))
    expected = set()
    for bucket in set(buckets.tolist()):
        of_class: dict[int, int] = {}
        for node in nodes[buckets == bucket].tolist():
            of_class.setdefault(int(classes[node]), node)
        ordered = [of_class[each] for each in sorted(of_class)]
        expected |= {
            (min(one, other), max(one, other))
            for (place, one), (_, other) in combinations(enumerate(ordered), 2)
            if place < centres
        }
    assert found == expected


def test_a_bucket_of_a_hundred_thousand_has_no_more_edges_than_members_times_centres() -> None:
    number = 100_000
    same, nodes = np.zeros(number, np.uint64), np.arange(number)
    assert star_edges(same, same, nodes, CENTRES).num_rows == 0
    assert star_edges(same, nodes.astype(np.uint64), nodes, CENTRES).num_rows < CENTRES * number
