"""Stage mine with two miners: each finds by its own score, and the reference miner scores what either found."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oreline.judging.shown import judged_documents
from oreline.recipe.settings import Bm25, Recipe
from oreline.records import Candidate, Document, Hit, Pair, PoolEntry, Query, Triple
from oreline.stages.catalog import BY_NAME
from oreline.tables.manifest import read_manifest
from test_bm25_search import plain_scores
from test_mine_stage import INPUTS, brute_force, document, mine, on_circle, pair, prepare, query

from house import recipe_for, rows_of, run_stage

BOTH = ["dense", "bm25"]


def with_words(
    recipe: Recipe,
    documents: list[Document],
    queries: list[Query],
    pairs: list[Pair],
    vectors: Mapping[str, np.ndarray],
) -> dict[str, Candidate]:
    """Adds to the dense miner's candidates what BM25 finds, by brute force."""
    dense = brute_force(recipe, documents, queries, pairs, vectors)
    of: defaultdict[str, set[str]] = defaultdict(set)
    for judged in pairs:
        of[judged.query_id].add(judged.doc_id)
    found = {}
    for each in queries:
        union = {d for other in queries if other.query_hash == each.query_hash for d in of[other.query_id]}
        contents = {document.content_hash for document in documents if document.doc_id in union}
        open_ = [d for d in documents if d.content_hash not in contents and d.text != each.query]
        score = dict(
            zip(
                [d.doc_id for d in documents],
                plain_scores([d.text for d in documents], each.query, recipe.mine.bm25),
                strict=True,
            )
        )
        line = sorted((d.doc_id for d in open_ if score[d.doc_id] > 0), key=lambda d: (-score[d], d))
        hits = {d: Hit("bm25", rank, score[d]) for rank, d in enumerate(line[: recipe.mine.top_k], 1)}
        pool = {entry.doc_id: entry for entry in dense[each.query_id].pool}
        for d, hit in hits.items():
            dot = float(vectors[each.query_id].astype(float) @ vectors[d].astype(float))
            pool[d] = PoolEntry(d, dot, [*(pool[d].hits if d in pool else []), hit])
        entries = sorted(pool.values(), key=lambda entry: (-entry.score, entry.doc_id))
        old = dense[each.query_id]
        found[each.query_id] = Candidate(each.query_id, old.positives, old.known, entries)
    return found


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**31), repeat=st.sampled_from([[], ["--direct_runner_bundle_repeat=1"]]))
def test_two_miners_equal_brute_force_on_random_worlds(
    tmp_path_factory: pytest.TempPathFactory, seed: int, repeat: list[str]
) -> None:
    rng = np.random.default_rng(seed)
    output = tmp_path_factory.mktemp("world")
    recipe = recipe_for(output, mine={"top_k": 4, "spare": 3, "miners": BOTH}, beam={"options": repeat})

    def text() -> str:
        return " ".join(rng.choice(list("abcdefgh"), rng.integers(1, 5)))

    documents = [document(f"{n:02}", text()) for n in range(36)]
    queries = [query(f"q{n}", text(), instruction=f"{n}") for n in range(10)]
    drawn = {pair(f"q{rng.integers(0, 10)}", f"{rng.integers(0, 36):02}") for _ in range(15)}
    pairs = sorted(drawn, key=lambda each: each.doc_id)
    ids = [each.doc_id for each in documents] + [each.query_id for each in queries]
    vectors = {own_id: on_circle(float(angle)) for own_id, angle in zip(ids, rng.integers(0, 360, 46), strict=True)}
    prepare(recipe, documents, queries, pairs, vectors)
    found = mine(recipe)
    assert found == with_words(recipe, documents, queries, pairs, vectors)
    assert any(entry.hits and entry.hits[0].miner == "bm25" for each in found.values() for entry in each.pool)


def test_statistics_are_those_of_what_is_searched_and_titles_count(tmp_path: Path) -> None:
    documents = [document("a", "rare word"), document("b", "word"), document("c", "rare rare", dataset="e")]
    documents.append(Document(**{**vars(document("t", "nothing")), "title": "Rare"}))
    queries = [query("q", "rare?")]
    vectors = {each.doc_id: on_circle(3) for each in documents} | {"d/q": on_circle(0)}
    for within, expected in (("dataset", ["d/a", "d/t"]), ("all", ["e/c", "d/a", "d/t"])):
        recipe = recipe_for(tmp_path / within, mine={"within": within, "miners": BOTH})
        prepare(recipe, documents, queries, [], vectors)
        hits = {hit.rank: (entry.doc_id, hit.score) for entry in mine(recipe)["d/q"].pool for hit in entry.hits[1:]}
        assert [hits[rank][0] for rank in sorted(hits)] == expected
        texts = ["rare word", "word", "rare nothing"] + (["rare rare"] if within == "all" else [])
        scores = sorted(plain_scores(texts, "rare", recipe.mine.bm25), reverse=True)
        assert [hits[rank][1] for rank in sorted(hits)] == [each for each in scores if each > 0]


def test_a_document_without_vector_is_found_by_no_miner(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path, mine={"miners": BOTH, "top_k": 2})
    documents = [document("a", "gate"), document("b", "gate"), document("c", "open")]
    vectors = {"d/a": on_circle(5), "d/c": on_circle(4), "d/q": on_circle(0)}
    prepare(recipe, documents, [query("q", "the gate")], [], vectors)
    pool = mine(recipe)["d/q"].pool
    assert [(entry.doc_id, [hit.miner for hit in entry.hits]) for entry in pool] == [
        ("d/c", ["dense"]),
        ("d/a", ["dense", "bm25"]),
    ]
    manifest = read_manifest(recipe.output, "mine")
    assert manifest is not None
    assert manifest.counts["documents_that_only_dense_found"] == 1
    assert manifest.counts["documents_that_only_bm25_found"] == 0


def test_a_judge_is_shown_what_each_miner_may_give() -> None:
    def entry(name: str, score: float, *hits: Hit) -> PoolEntry:
        return PoolEntry(name, score, list(hits))

    pool = [entry(f"d/{n}", 0.9 - n / 10, Hit("dense", n, 0.9 - n / 10)) for n in range(1, 5)]
    pool += [entry("d/low", 0.1, Hit("bm25", 1, 7.0)), entry("d/lowest", 0.0, Hit("bm25", 2, 6.0))]
    candidate = Candidate("d/q", [], [], pool)
    assert judged_documents(candidate, 1, 1, "none") == ["d/1", "d/2"]
    assert judged_documents(candidate, 1, 1, "none", per_miner=True) == ["d/1", "d/2", "d/low", "d/lowest"]


@pytest.mark.parametrize(("duplicates", "ids"), [("drop", ["d/far", "d/near"]), ("keep", ["d/near", "d/near"])])
def test_each_miner_gives_its_share_of_a_row(tmp_path: Path, duplicates: str, ids: list[str]) -> None:
    select = {"per_miner": {"duplicates": duplicates}, "negatives": 2, "window": [1, 2], "pick": "hardest"}
    recipe = recipe_for(tmp_path, mine={"miners": BOTH}, select=select, judge={"enabled": False})
    documents = [
        document("positive", "the gate opens at nine"),
        document("near", "nine gates and the gate"),
        document("other", "closed"),
        document("far", "a gate of iron and a fence of wood and much besides"),
    ]
    angles = {"positive": 5, "near": 40, "other": 60, "far": 80}
    vectors = {f"d/{name}": on_circle(angle) for name, angle in angles.items()} | {"d/q": on_circle(0)}
    prepare(recipe, documents, [query("q", "gate")], [pair("q", "positive")], vectors)
    mine(recipe)
    run_stage(recipe, "select", {**INPUTS, "candidates": "mine"})
    (triple,) = rows_of(recipe.output, "select", "triples", Triple)
    assert sorted(each.doc_id for each in triple.negatives) == ids
    assert {each.miner for each in triple.negatives} == {"dense", "bm25"}


def test_settings_of_bm25_matter_to_no_fingerprint_where_it_does_not_search(tmp_path: Path) -> None:
    def keys(stage: str, **section: object) -> object:
        return BY_NAME[stage].keys(recipe_for(tmp_path, mine=section))

    changed = Bm25(k1=0.9)
    for stage in ("mine", "select"):
        assert keys(stage, bm25=changed) == keys(stage)
        assert keys(stage, bm25=changed, miners=BOTH) != keys(stage, miners=BOTH) != keys(stage)
