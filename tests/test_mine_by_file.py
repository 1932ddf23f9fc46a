"""A file of candidates as the reference: its scores and ranks are the only ones, and nothing is encoded."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oreline.recipe.checks import check_recipe
from oreline.recipe.loading import load_recipe
from oreline.recipe.settings import Recipe
from oreline.records import Candidate, Document, Hit, Pair, PoolEntry, Query, Reject, Scored, Triple
from oreline.running import run
from oreline.search import ranges
from oreline.search.imported.checks import run_problems
from oreline.selection.ceilings import ceiling_of
from oreline.tables.manifest import read_manifest
from test_mine_encoders import positives_of_equals
from test_mine_stage import document, pair, query

from house import finish, recipe_for, rows_of, run_stage

INPUTS = {"documents": "ingest", "queries": "ingest", "pairs": "ingest"}
World = tuple[list[Document], list[Query], list[Pair]]


def by_file(folder: Path, lines: list[str], other: list[str] | None = None, **mining: object) -> Recipe:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "theirs.trec").write_text("\n".join(lines))
    (folder / "other.trec").write_text("\n".join(other or []))
    runs = {name: {"path": str(folder / f"{name}.trec"), "format": "trec"} for name in ("theirs", "other")}
    miners = ["theirs", *(["other"] if other else [])]
    section = {"miners": miners, "reference": "theirs", "runs": runs, **mining}
    return recipe_for(folder / "out", sources=[{"path": "unread", "dataset": "d"}], mine=section)


def mine(recipe: Recipe, world: World) -> dict[str, Candidate]:
    documents, queries, pairs = world
    finish(recipe, "ingest", {"documents": documents, "queries": queries, "pairs": pairs})
    run_stage(recipe, "mine", INPUTS)
    return {each.query_id: each for each in rows_of(recipe.output, "mine", "candidates", Candidate)}


def plain(recipe: Recipe, world: World, told: dict[str, dict[tuple[str, str], float]]) -> dict[str, Candidate]:
    """The candidates by brute force; `told` are the files' scores by miner, query and document."""
    documents, queries, pairs = world
    by_id = {each.doc_id: each for each in documents}
    found = {}
    for each in queries:
        score = {doc: value for (q, doc), value in told["theirs"].items() if q == each.query_id}
        line = sorted(score, key=lambda doc: (-score[doc], doc))
        own = {p.doc_id for p in pairs if p.query_id == each.query_id}
        ranks = {doc: 1 + sum(other not in own for other in line[: line.index(doc)]) for doc in own & score.keys()}
        union = positives_of_equals(each, queries, pairs)
        contents = {by_id[doc].content_hash for doc in union}
        open_ = [doc for doc in line if by_id[doc].content_hash not in contents and by_id[doc].text != each.query]
        parents = {parent for doc in own if (parent := by_id[doc].parent_id)}
        ceiling = ceiling_of(recipe.mine.ceiling, [score[doc] for doc in ranks])
        apart = [doc for doc in open_ if by_id[doc].parent_id not in parents and doc not in parents]
        spare = [doc for doc in apart if ceiling is not None and score[doc] < ceiling][: recipe.mine.spare]
        hits: dict[str, list[Hit]] = {doc: [] for doc in spare}
        for miner in recipe.mine.miners:
            values = {doc: value for (q, doc), value in told[miner].items() if q == each.query_id and doc in open_}
            best = sorted(values, key=lambda doc: (-values[doc], doc))[: recipe.mine.top_k]
            for rank, doc in enumerate(best, 1):
                hits.setdefault(doc, []).append(Hit(miner, rank, values[doc]))
        pool = [PoolEntry(doc, score[doc], hits[doc]) for doc in line if doc in hits]
        positives = [Scored(doc, ranks[doc], score[doc]) for doc in line if doc in ranks]
        found[each.query_id] = Candidate(each.query_id, positives, [], pool)
    return found


@settings(max_examples=5, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    rows=st.sampled_from([6, 65_536]),
    repeat=st.sampled_from([[], ["--direct_runner_bundle_repeat=1"]]),
)
def test_equals_the_plain_computation_however_it_is_cut(
    tmp_path_factory: pytest.TempPathFactory, seed: int, rows: int, repeat: list[str]
) -> None:
    rng = np.random.default_rng(seed)
    documents = [
        document(f"{n:02}", f"text {rng.integers(0, 30)}", parent_id=f"d/page{n // 3}" if n % 2 else None)
        for n in range(30)
    ]
    queries = [query(f"q{n}", f"text {rng.integers(25, 40)}", instruction=f"{n}") for n in range(8)]
    drawn = {pair(f"q{rng.integers(0, 8)}", f"{rng.integers(0, 30):02}") for _ in range(12)}
    world = documents, queries, sorted(drawn, key=lambda each: each.doc_id)
    told = {
        miner: {
            (q.query_id, d.doc_id): int(rng.integers(-8, 9)) / 4 for q in queries for d in documents if rng.random() < p
        }
        for miner, p in (("theirs", 0.7), ("other", 0.3))
    }
    written = {miner: [f"{q} Q0 {d} 0 {s} t" for (q, d), s in rows_.items()] for miner, rows_ in told.items()}
    folder = tmp_path_factory.mktemp("world")
    recipe = by_file(folder, written["theirs"], written["other"][::-1], top_k=4, spare=3)
    recipe = recipe.model_copy(update={"beam": recipe.beam.model_copy(update={"options": repeat})})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranges, "SHARD_ROWS", rows)
        patch.setattr(ranges, "BLOCK_QUERIES", rows)
        assert mine(recipe, world) == plain(recipe, world, told)


def test_a_positive_that_the_file_does_not_hold_has_no_score_and_its_query_no_row(tmp_path: Path) -> None:
    lines = ["q Q0 a 1 9 t", "q Q0 b 2 8 t", "q Q0 c 3 1 t", "p Q0 a 1 3 t", "p Q0 b 1 2 t"]
    documents = [document(name, f"text {name}") for name in "abc"]
    world = documents, [query("q", "x"), query("p", "y")], [pair("q", "a"), pair("p", "c")]
    recipe = by_file(tmp_path, lines)
    found = mine(recipe, world)
    assert found["d/q"].positives == [Scored("d/a", 1, 9.0)]
    assert found["d/p"].positives == []
    judge = {"enabled": False}
    select = {"negatives": 1, "pick": "hardest", "window": [1, 2], "near_equal": None}
    recipe = Recipe.model_validate({**recipe.model_dump(), "judge": judge, "select": select})
    run_stage(recipe, "select", {**INPUTS, "candidates": "mine"})
    (triple,) = rows_of(recipe.output, "select", "triples", Triple)
    assert [(each.doc_id, each.score, each.miner) for each in triple.negatives] == [("d/b", 8.0, "theirs")]
    (reject,) = rows_of(recipe.output, "select", "rejects", Reject)
    assert (reject.row_id, reject.reason) == ("d/p", "not_mined")


def test_what_only_another_file_holds_has_no_score_and_is_counted(tmp_path: Path) -> None:
    recipe = by_file(tmp_path, ["q Q0 a 1 9 t"], ["q Q0 b 1 5 t", "q Q0 a 2 4 t"])
    world: World = [document(name, f"text {name}") for name in "ab"], [query("q", "x")], []
    assert mine(recipe, world)["d/q"].pool == [PoolEntry("d/a", 9.0, [Hit("theirs", 1, 9.0), Hit("other", 1, 4.0)])]
    manifest = read_manifest(recipe.output, "mine")
    assert manifest is not None
    runs = manifest.facts["runs"]
    assert isinstance(runs, dict)
    assert isinstance(runs["other"], dict)
    assert runs["other"]["without_reference_score"] == 1


def test_nothing_is_encoded_from_sources_to_triples(tmp_path: Path) -> None:
    sources = [{"path": str(Path(json.__file__).parent), "format": "python-docs", "dataset": "json"}]
    recipe: dict[str, object] = {"output": str(tmp_path / "out"), "sources": sources}
    run({**recipe, "select": {"negatives": 0}})
    documents = rows_of(tmp_path / "out", "synthesize", "documents", Document)
    queries = rows_of(tmp_path / "out", "filter", "queries", Query)
    pairs = rows_of(tmp_path / "out", "filter", "pairs", Pair)
    positive = {each.query_id: each.doc_id for each in pairs}
    lines = [f"{each.query_id} Q0 {positive[each.query_id]} 1 40.0 t\n" for each in queries]
    lines += [
        f"{each.query_id} Q0 {other.doc_id} {rank} {30 - rank} t\n"
        for each in queries
        for rank, other in enumerate(documents, 2)
        if other.searchable
    ]
    (tmp_path / "run.trec").write_text("".join(lines))
    runs = {"theirs": {"path": str(tmp_path / "run.trec")}}
    section = {"miners": ["theirs"], "reference": "theirs", "runs": runs}
    result = run({**recipe, "mine": section})
    stages = {each.name: each for each in result.stages}
    assert (stages["embed"].how, stages["embed"].cause) == (
        "skipped",
        "mine.reference is theirs, which needs no vector",
    )
    assert not (tmp_path / "out" / "_cache" / "vectors").exists()
    triples = rows_of(result.output, "select", "triples", Triple)
    assert len(triples) == len(queries) > 10
    assert all(len(each.negatives) == 4 and each.negatives[0].score is not None for each in triples)


@pytest.mark.parametrize(
    ("mine", "said"),
    [
        ("{reference: thiers, miners: [theirs], runs: {theirs: {path: x}}}", 'did you mean "theirs"?'),
        ("{reference: theirs, runs: {theirs: {path: x}}}", "theirs is not among mine.miners"),
        ("{reference: theirs, miners: [theirs, bm25], runs: {theirs: {path: x}}}", "bm25 searches, but mine.reference"),
        ("{reference: old, encoders: {old: {model: x}}}", "to let its scores count, write it as the recipe's encoder"),
    ],
)
def test_a_reference_that_makes_no_sense_is_named(tmp_path: Path, mine: str, said: str) -> None:
    (tmp_path / "docs").mkdir()
    path = tmp_path / "recipe.yaml"
    path.write_text(f"output: out\nsources: [{tmp_path}/docs]\nmine: {mine}\n")
    problems = check_recipe(load_recipe(str(path)))
    assert any("recipe.yaml:3" in each and "mine." in each and said in each for each in problems), problems


@pytest.mark.parametrize(
    "line",
    ['{"query_id": "q", "negative_document_ids": ["a"]}', '{"query": "q", "pos": ["a"], "neg": ["b"]}', "q\ta\t1"],
)
def test_a_file_without_scores_is_no_reference(tmp_path: Path, line: str) -> None:
    recipe = by_file(tmp_path, [])
    (tmp_path / "theirs.trec").write_text(line + "\n")
    runs = {"theirs": {"path": str(tmp_path / "theirs.trec")}}
    recipe = recipe.model_copy(update={"mine": recipe.mine.model_validate({**recipe.mine.model_dump(), "runs": runs})})
    (problem,) = run_problems(recipe)
    assert "has no scores, but mine.reference is theirs" in problem
