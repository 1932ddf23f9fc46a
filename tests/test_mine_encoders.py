"""Stage mine with several encoders: each searches its own vectors, and the reference scores what any of them found."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oreline.recipe.checks import check_recipe
from oreline.recipe.loading import load_recipe
from oreline.recipe.settings import Recipe
from oreline.records import Candidate, Document, Hit, Pair, PoolEntry, Query
from oreline.search import ranges
from oreline.stages.catalog import BY_NAME
from oreline.tables.manifest import read_manifest
from test_mine_stage import brute_force, document, mine, on_circle, pair, pool, prepare, query

from house import recipe_for

OLD = {"model": "minilm", "max_tokens": 8}
NEW = {"model": "minilm", "max_tokens": 9}


def with_further(
    recipe: Recipe,
    world: tuple[list[Document], list[Query], list[Pair]],
    vectors: Mapping[str, np.ndarray],
    further: Mapping[str, Mapping[str, np.ndarray]],
) -> dict[str, Candidate]:
    """Adds to the dense miner's candidates what further encoders find, by brute force."""
    documents, queries, pairs = world
    found = brute_force(recipe, documents, queries, pairs, vectors)
    for miner in recipe.mine.miners:
        for each in queries:
            own = further.get(miner, {})
            if miner == "dense" or each.query_id not in own:
                continue
            union = positives_of_equals(each, queries, pairs)
            contents = {document.content_hash for document in documents if document.doc_id in union}
            open_ = [d for d in documents if d.content_hash not in contents and d.text != each.query]
            score = {d.doc_id: dot(own[each.query_id], own[d.doc_id]) for d in open_ if d.doc_id in own}
            line = sorted(score, key=lambda d: (-score[d], d))[: recipe.mine.top_k]
            hits = {d: Hit(miner, rank, score[d]) for rank, d in enumerate(line, 1)}
            old = found[each.query_id]
            known = {entry.doc_id: entry for entry in old.pool}
            for d, hit in hits.items():
                entry = known.get(d, PoolEntry(d, dot(vectors[each.query_id], vectors[d]), []))
                known[d] = PoolEntry(d, entry.score, [*entry.hits, hit])
            entries = sorted(known.values(), key=lambda entry: (-entry.score, entry.doc_id))
            found[each.query_id] = Candidate(each.query_id, old.positives, old.known, entries)
    return found


def positives_of_equals(asked: Query, queries: list[Query], pairs: list[Pair]) -> set[str]:
    equal = {each.query_id for each in queries if each.query_hash == asked.query_hash}
    return {each.doc_id for each in pairs if each.query_id in equal}


def dot(left: np.ndarray, right: np.ndarray) -> float:
    return float(left.astype(float) @ right.astype(float))


@settings(max_examples=5, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    rows=st.sampled_from([7, 65_536]),
    repeat=st.sampled_from([[], ["--direct_runner_bundle_repeat=1"]]),
)
def test_several_encoders_equal_brute_force_however_the_corpus_is_cut(
    tmp_path_factory: pytest.TempPathFactory, seed: int, rows: int, repeat: list[str]
) -> None:
    rng = np.random.default_rng(seed)
    mining = {"top_k": 4, "spare": 3, "miners": ["dense", "old", "new"], "encoders": {"old": OLD, "new": NEW}}
    recipe = recipe_for(tmp_path_factory.mktemp("world"), mine=mining, beam={"options": repeat})
    documents = [document("00", "for old alone"), document("01", "for old and new")]
    documents += [document(f"{n:02}", f"text {rng.integers(0, 30)}") for n in range(2, 30)]
    queries = [query(f"q{n}", f"text {rng.integers(25, 40)}", instruction=f"{n}") for n in range(9)]
    drawn = {pair(f"q{rng.integers(0, 9)}", f"{rng.integers(2, 30):02}") for _ in range(12)}
    pairs = sorted(drawn, key=lambda each: each.doc_id)
    ids = [each.doc_id for each in documents] + [each.query_id for each in queries]
    vectors, old, new = ({own_id: on_circle(15.0 * int(rng.integers(0, 24))) for own_id in ids} for _ in range(3))
    # What the new encoder cannot take, it does not find.
    new = {own_id: vector for own_id, vector in new.items() if rng.random() < 0.8}
    # Far from the first query for the reference, and at it for the others.
    vectors |= {"d/q0": on_circle(0), "d/00": on_circle(180), "d/01": on_circle(180)}
    old |= dict.fromkeys(("d/q0", "d/00", "d/01"), on_circle(0))
    new |= {"d/q0": on_circle(0), "d/00": on_circle(180), "d/01": on_circle(0)}
    further = {"old": old, "new": new}
    prepare(recipe, documents, queries, pairs, vectors, further)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranges, "SHARD_ROWS", rows)
        patch.setattr(ranges, "BLOCK_QUERIES", rows)
        found = mine(recipe)
    assert found == with_further(recipe, (documents, queries, pairs), vectors, further)
    hits = {entry.doc_id: [hit.miner for hit in entry.hits] for entry in found["d/q0"].pool}
    assert (hits["d/00"], hits["d/01"]) == (["old"], ["old", "new"])


def test_without_the_dense_miner_places_and_spare_documents_are_still_the_references(tmp_path: Path) -> None:
    mining = {"miners": ["old"], "encoders": {"old": OLD}, "top_k": 1, "spare": 1, "ceiling": {"margin": 0.1}}
    recipe = recipe_for(tmp_path, mine=mining)
    angles = {"positive": 10, "near": 5, "far": 60, "farther": 70}
    documents = [document(name, name) for name in angles]
    vectors = {f"d/{name}": on_circle(angle) for name, angle in angles.items()} | {"d/q": on_circle(0)}
    turned = {f"d/{name}": on_circle(90 - angle) for name, angle in angles.items()} | {"d/q": on_circle(0)}
    prepare(recipe, documents, [query("q", "?")], [pair("q", "positive")], vectors, {"old": turned})
    found = mine(recipe)["d/q"]
    assert [(each.doc_id, each.rank) for each in found.positives] == [("d/positive", 2)]
    assert pool(found) == ["far", "farther"]
    assert [[hit.miner for hit in entry.hits] for entry in found.pool] == [[], ["old"]]


def test_a_further_store_that_lost_vectors_fails_with_the_remedy(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path, mine={"miners": ["dense", "old"], "encoders": {"old": OLD}})
    vectors = {"d/a": on_circle(0), "d/q": on_circle(0)}
    old = {"d/a": on_circle(50), "d/q": on_circle(50)}
    prepare(recipe, [document("a", "a")], [query("q", "x")], [], vectors, {"old": old})
    before = set((tmp_path / "_cache").rglob("*.parquet"))
    assert len(before) == 2
    for path in before:
        if path.parts[-3] != recipe_digest(recipe):
            path.write_bytes(b"torn")
    with pytest.raises(pytest.fail.Exception, match=r"2 vectors|1 vectors"):
        mine(recipe)


def recipe_digest(recipe: Recipe) -> str:
    from oreline.encoders.identity import identity

    return identity(recipe.encoder).digest


def test_what_only_one_of_them_found_is_counted(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path, mine={"miners": ["dense", "old"], "encoders": {"old": OLD}, "top_k": 1, "spare": 0})
    documents = [document("a", "a"), document("b", "b")]
    vectors = {"d/a": on_circle(0), "d/b": on_circle(90), "d/q": on_circle(0)}
    old = {"d/a": on_circle(90), "d/b": on_circle(0), "d/q": on_circle(0)}
    prepare(recipe, documents, [query("q", "x")], [], vectors, {"old": old})
    assert pool(mine(recipe)["d/q"]) == ["a", "b"]
    manifest = read_manifest(recipe.output, "mine")
    assert manifest is not None
    assert manifest.counts["documents_that_only_dense_found"] == 1
    assert manifest.counts["documents_that_only_old_found"] == 1


@pytest.mark.parametrize(
    ("mine", "said"),
    [
        ("{miners: [dense, dense]}", "dense is named twice"),
        ("{miners: [dense, odl], encoders: {old: {max_tokens: 8}}}", 'did you mean "old"?'),
        ("{miners: [dense, old], encoders: {old: {}}}", "its settings are those of the recipe's own encoder"),
        ("{encoders: {bm25: {max_tokens: 8}}}", "bm25 is the miner of words"),
        ("{runs: {'a b': {path: x}}}", "expected a name of letters"),
        ("{encoders: {old: {max_tokens: 8}}, runs: {old: {path: x}}}", "an encoder in mine.encoders has this name too"),
    ],
)
def test_miners_that_make_no_sense_are_named(tmp_path: Path, mine: str, said: str) -> None:
    (tmp_path / "docs").mkdir()
    path = tmp_path / "recipe.yaml"
    path.write_text(f"output: out\nsources: [{tmp_path}/docs]\nmine: {mine}\n")
    problems = check_recipe(load_recipe(str(path)))
    assert any("recipe.yaml:3" in each and "mine." in each and said in each for each in problems), problems


def test_an_encoder_that_no_miner_names_matters_to_no_fingerprint(tmp_path: Path) -> None:
    def keys(stage: str, **section: object) -> object:
        return BY_NAME[stage].keys(recipe_for(tmp_path, mine=section))

    for stage in ("embed", "mine", "select"):
        assert keys(stage, encoders={"old": OLD}) == keys(stage)
    assert keys("embed", encoders={"old": OLD}, miners=["dense", "old"]) != keys("embed")
