"""Stage mine: equal to a plain float64 computation over the vectors that stand in the store."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oreline import normalise
from oreline.embeddings.store import VectorStore, vector_key
from oreline.encoders.identity import identity
from oreline.recipe.settings import Recipe
from oreline.records import Candidate, Document, FurtherVector, Label, Pair, Query, Side, VectorRow
from oreline.selection.ceilings import ceiling_of

from house import finish, recipe_for, rows_of, run_stage

INPUTS = {"documents": "ingest", "queries": "ingest", "pairs": "ingest", "vectors": "embed"}


def document(
    own_id: str, text: str, dataset: str = "d", parent_id: str | None = None, group: str | None = None
) -> Document:
    content, plain = normalise.content_hash(None, text, "text"), normalise.text_hash(text, "text")
    return Document(f"{dataset}/{own_id}", dataset, text, content, plain, parent_id=parent_id, group=group)


def query(own_id: str, text: str, dataset: str = "d", instruction: str | None = None) -> Query:
    return Query(f"{dataset}/{own_id}", dataset, text, normalise.query_hash(text), instruction=instruction)


def pair(query_id: str, doc_id: str, label: Label = "positive") -> Pair:
    return Pair(f"d/{query_id}", f"d/{doc_id}", label, "human")


def prepare(  # noqa: PLR0917 - a world
    recipe: Recipe,
    documents: list[Document],
    queries: list[Query],
    pairs: list[Pair],
    vectors: Mapping[str, np.ndarray],
    further: Mapping[str, Mapping[str, np.ndarray]] = MappingProxyType({}),
) -> None:
    """Commits ingest, and an embed whose vectors are given by id; an id without one has no row.

    `further` are the vectors of further encoders, by miner and id.
    """
    keys = stored(recipe, "dense", vectors)
    others = {miner: stored(recipe, miner, its) for miner, its in further.items()}
    finish(recipe, "ingest", {"documents": documents, "queries": queries, "pairs": pairs})

    def row(own_id: str, side: Side) -> VectorRow:
        found = [FurtherVector(miner, its[own_id]) for miner, its in sorted(others.items()) if own_id in its]
        return VectorRow(own_id, side, keys[own_id], found or None)

    rows = [row(each.doc_id, "document") for each in documents if each.doc_id in keys]
    rows += [row(each.query_id, "query") for each in queries if each.query_id in keys]
    finish(recipe, "embed", {"vectors": rows})


def stored(recipe: Recipe, miner: str, vectors: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Writes vectors into the store of a miner's encoder; returns their keys by id."""
    encoder = identity(recipe.encoders()[miner])
    keys = {
        own_id: vector_key(encoder.digest, f"{own_id} {vector.tobytes().hex()}") for own_id, vector in vectors.items()
    }
    if keys:
        padded = np.zeros((len(keys), encoder.dimension), np.float16)
        for row, vector in enumerate(vectors.values()):
            padded[row, : len(vector)] = vector
        VectorStore(recipe.cache_folder, encoder.digest, encoder.dimension).write(0, 1, list(keys.values()), padded)
    return keys


def mine(recipe: Recipe) -> dict[str, Candidate]:
    run_stage(recipe, "mine", INPUTS)
    return {each.query_id: each for each in rows_of(recipe.output, "mine", "candidates", Candidate)}


def on_circle(degrees: float) -> np.ndarray:
    angle = np.deg2rad(degrees)
    return np.array([np.cos(angle), np.sin(angle)], np.float16)


def pool(candidate: Candidate) -> list[str]:
    return [entry.doc_id.removeprefix("d/") for entry in candidate.pool]


def test_what_may_never_be_a_negative_consumes_no_rank(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path, mine={"top_k": 3, "spare": 0})
    documents = [
        document("positive", "the answer", parent_id="d/page", group="g"),
        document("same", "The Answer!", parent_id="d/elsewhere"),
        document("translation", "die Antwort", group="g"),
        document("question", "what is asked?"),
        document("equal-positive", "another answer"),
        replace(document("derived", "answer, in short", parent_id="d/source"), origin="generated", searchable=False),
        document("source", "the answer, at length"),
        document("source-copy", "The answer, at length."),
        document("partial", "nearly"),
        document("first", "one"),
        document("second", "two"),
        document("third", "three"),
    ]
    queries = [query("q", "What is asked"), query("q2", "what is  ASKED", instruction="other")]
    pairs = [
        pair("q", "positive"),
        pair("q", "derived"),
        pair("q2", "equal-positive"),
        pair("q", "partial", "partial"),
        pair("q", "third", "negative"),
    ]
    vectors = {each.doc_id: on_circle(5 + place) for place, each in enumerate(documents)}
    prepare(recipe, documents, queries, pairs, {**vectors, "d/q": on_circle(0), "d/q2": on_circle(0)})
    found = mine(recipe)["d/q"]
    assert pool(found) == ["partial", "first", "second"]
    assert [entry.hits[0].rank for entry in found.pool] == [1, 2, 3]
    assert [(each.doc_id, each.rank) for each in found.positives] == [("d/positive", 1), ("d/derived", 5)]
    assert [(each.doc_id, each.rank) for each in found.known] == [("d/third", 10)]


def test_spare_documents_lie_below_the_ceiling_and_are_no_siblings(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path, mine={"top_k": 2, "spare": 2, "ceiling": {"margin": 0.1}})
    documents = [
        document("positive", "p", parent_id="d/page"),
        document("close", "a"),
        document("closer", "b"),
        document("sibling", "c", parent_id="d/page"),
        document("page", "whole"),
        document("far", "e"),
        document("farther", "f"),
        document("farthest", "g"),
    ]
    angles = {"positive": 10, "close": 14, "closer": 12, "sibling": 40, "page": 41, "far": 50, "farther": 120}
    vectors = {f"d/{name}": on_circle(angle) for name, angle in angles.items()} | {"d/farthest": on_circle(180)}
    prepare(recipe, documents, [query("q", "?")], [pair("q", "positive")], {**vectors, "d/q": on_circle(0)})
    found = mine(recipe)["d/q"]
    assert pool(found) == ["closer", "close", "far", "farther"]
    assert [len(entry.hits) for entry in found.pool] == [1, 1, 0, 0]
    assert found.pool[-1].score < 0


def test_siblings_of_what_a_positive_was_derived_from_are_not_spare(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path, mine={"top_k": 1, "spare": 3, "ceiling": {"margin": 0.1}})
    documents = [
        replace(document("derived", "d", parent_id="d/chunk"), origin="generated", searchable=False),
        document("chunk", "whole chunk", parent_id="d/page"),
        document("next-chunk", "next", parent_id="d/page"),
        document("page", "the page"),
        document("part-of-chunk", "part", parent_id="d/chunk"),
        document("other", "o", parent_id="d/other-page"),
        document("another", "a"),
    ]
    angles = {"derived": 10, "chunk": 11, "next-chunk": 40, "page": 41, "part-of-chunk": 42, "other": 50, "another": 60}
    vectors = {f"d/{name}": on_circle(angle) for name, angle in angles.items()}
    prepare(recipe, documents, [query("q", "?")], [pair("q", "derived")], {**vectors, "d/q": on_circle(0)})
    found = mine(recipe)["d/q"]
    assert [(entry.doc_id, len(entry.hits)) for entry in found.pool] == [
        ("d/next-chunk", 1),
        ("d/other", 0),
        ("d/another", 0),
    ]


def test_queries_without_vector_or_positive_still_get_a_row(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path, mine={"top_k": 5})
    documents = [document("a", "a"), document("b", "b"), document("no-vector", "c")]
    queries = [query("bare", "x"), query("no-vector-query", "y"), query("lost", "z")]
    vectors = {"d/a": on_circle(0), "d/b": on_circle(0), "d/bare": on_circle(1), "d/lost": on_circle(90)}
    prepare(recipe, documents, queries, [pair("lost", "no-vector")], vectors)
    found = mine(recipe)
    assert found["d/no-vector-query"] == Candidate("d/no-vector-query", [], [], [])
    assert pool(found["d/bare"]) == ["a", "b"]
    assert found["d/lost"].positives == []


def test_search_stays_within_the_dataset_unless_told_otherwise(tmp_path: Path) -> None:
    documents = [document("a", "a"), document("b", "b", dataset="e")]
    queries = [query("q", "x"), query("r", "y", dataset="e")]
    vectors = {each.doc_id: on_circle(3) for each in documents} | {"d/q": on_circle(0), "e/r": on_circle(0)}
    expected = {"dataset": (["d/a"], ["e/b"]), "all": (["d/a", "e/b"],) * 2, "list": (["e/b"], ["e/b"])}
    for within, (first, second) in expected.items():
        setting: object = ["e"] if within == "list" else within
        recipe = recipe_for(tmp_path / within, mine={"within": setting})
        prepare(recipe, documents, queries, [], vectors)
        found = mine(recipe)
        assert [entry.doc_id for entry in found["d/q"].pool] == first
        assert [entry.doc_id for entry in found["e/r"].pool] == second


def test_a_store_that_lost_vectors_fails_with_the_remedy(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path)
    prepare(recipe, [document("a", "a")], [query("q", "x")], [], {"d/a": on_circle(0), "d/q": on_circle(0)})
    for path in (tmp_path / "_cache").rglob("*.parquet"):
        path.write_bytes(b"torn")
    with pytest.raises(pytest.fail.Exception, match=r"are not in .* cannot be read"):
        mine(recipe)


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**31), repeat=st.sampled_from([[], ["--direct_runner_bundle_repeat=1"]]))
def test_equals_plain_float64_on_random_worlds(
    tmp_path_factory: pytest.TempPathFactory, seed: int, repeat: list[str]
) -> None:
    rng = np.random.default_rng(seed)
    recipe = recipe_for(
        tmp_path_factory.mktemp("world"),
        mine={"top_k": 4, "spare": 3},
        beam={"options": repeat},
    )
    documents = [
        document(f"{n}", f"text {rng.integers(0, 30)}", parent_id=f"d/page{n // 3}" if n % 2 else None)
        for n in range(36)
    ]
    documents += [
        replace(document(f"{n}", f"derived {n}", parent_id=f"d/{n % 36 * 5}"), origin="generated", searchable=False)
        for n in range(36, 40)
    ]
    queries = [query(f"q{n}", f"text {rng.integers(25, 40)}", instruction=f"{n}") for n in range(10)]
    pairs = sorted(
        {pair(f"q{rng.integers(0, 10)}", f"{rng.integers(0, 40)}") for _ in range(15)}, key=lambda each: each.doc_id
    )
    angles = rng.integers(0, 12, 50) * 30
    ids = [each.doc_id for each in documents] + [each.query_id for each in queries]
    vectors = {own_id: on_circle(float(angle)) for own_id, angle in zip(ids, angles, strict=True)}
    prepare(recipe, documents, queries, pairs, vectors)
    assert mine(recipe) == brute_force(recipe, documents, queries, pairs, vectors)


def brute_force(
    recipe: Recipe,
    documents: list[Document],
    queries: list[Query],
    pairs: list[Pair],
    vectors: Mapping[str, np.ndarray],
) -> dict[str, Candidate]:
    from oreline.records import Hit, PoolEntry, Scored

    of: defaultdict[str, set[str]] = defaultdict(set)
    for pair in pairs:
        of[pair.query_id].add(pair.doc_id)
    by_id = {each.doc_id: each for each in documents}
    found = {}
    for each in queries:
        score = {d: float(vectors[each.query_id].astype(float) @ vectors[d].astype(float)) for d in by_id}
        line = sorted(by_id, key=lambda d: (-score[d], d))
        own = of[each.query_id]
        union = {d for other in queries if other.query_hash == each.query_hash for d in of[other.query_id]}
        never = union | {by_id[d].parent_id or "" for d in union if by_id[d].origin == "generated"}
        contents = {by_id[d].content_hash for d in never}
        parents = {parent for d in own if (parent := by_id[d].parent_id)}
        parents |= {parent for d in parents & by_id.keys() if (parent := by_id[d].parent_id)}
        searched = [d for d in line if by_id[d].searchable]
        open_ = [d for d in searched if by_id[d].content_hash not in contents and by_id[d].text != each.query]
        ceiling = ceiling_of(recipe.mine.ceiling, [score[d] for d in own])
        apart = [d for d in open_ if by_id[d].parent_id not in parents and d not in parents]
        spare = [d for d in apart if ceiling is not None and score[d] < ceiling][: recipe.mine.spare]
        hits = {d: [Hit("dense", rank, score[d])] for rank, d in enumerate(open_[: recipe.mine.top_k], 1)}
        mined = [PoolEntry(d, score[d], hits.get(d, [])) for d in line if d in hits or d in spare]
        ranks = {
            d: 1 + sum(other not in own for other in line[: line.index(d)] if by_id[other].searchable) for d in own
        }
        positives = [Scored(d, ranks[d], score[d]) for d in line if d in own]
        found[each.query_id] = Candidate(each.query_id, positives, [], mined)
    return found
