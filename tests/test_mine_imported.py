"""Imported candidates: a file's list is the list of a miner, under the same rules, or it is said why not."""

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oreline import normalise
from oreline.errors import CallError
from oreline.fingerprint import pending
from oreline.recipe.settings import Recipe, Run
from oreline.records import Candidate, Document, Hit, Query, Reject
from oreline.search import ranges
from oreline.search.imported import lines, steps
from oreline.search.imported.checks import run_problems
from oreline.search.imported.formats import form_of
from oreline.search.imported.lines import Lines, blocks_of
from oreline.search.imported.parsing import parse
from oreline.stages.catalog import BY_NAME
from oreline.tables.manifest import read_manifest
from test_mine_stage import document, mine, on_circle, pair, prepare, query

from house import recipe_for, rows_of

NAMES = ("positive", "a", "b", "c", "e")


def world(recipe: Recipe, documents: Sequence[Document] = (), queries: Sequence[Query] = ()) -> None:
    """Documents a, b, c, e and a positive of query q, the nearer to it the earlier in the alphabet."""
    documents = [*(document(name, f"text {name}") for name in NAMES), *documents]
    queries = [query("q", "what?"), *queries]
    vectors = {each.doc_id: on_circle(10.0 * place) for place, each in enumerate(documents)}
    vectors |= {each.query_id: on_circle(0) for each in queries}
    prepare(recipe, documents, queries, [pair("q", "positive")], vectors)


def recipe_of(folder: Path, name: str, contents: str | bytes, **mining: object) -> Recipe:
    """A recipe whose only miner is a file."""
    folder.mkdir(exist_ok=True)
    data = contents if isinstance(contents, bytes) else contents.encode()
    (folder / name).write_bytes(data)
    run = {"path": str(folder / name), **dict(mining.pop("run", {}))}  # type: ignore[call-overload]
    section = {"miners": ["theirs"], "runs": {"theirs": run}, "spare": 0, **mining}
    return recipe_for(folder / "out", sources=[{"path": "unread", "dataset": "d"}], mine=section)


def hits(candidate: Candidate) -> dict[str, list[Hit]]:
    return {entry.doc_id.removeprefix("d/"): entry.hits for entry in candidate.pool}


def theirs(candidate: Candidate) -> list[tuple[str, int, float | None]]:
    """What the file's miner found of a query, by its ranks: document, rank, score."""
    found = [(doc, hit) for doc, each in hits(candidate).items() for hit in each if hit.miner == "theirs"]
    return [(doc, hit.rank, hit.score) for doc, hit in sorted(found, key=lambda each: each[1].rank)]


def rejects(recipe: Recipe) -> list[tuple[str, str]]:
    """The line and the reason of each reject."""
    rows = rows_of(recipe.output, "mine", "rejects", Reject)
    return sorted((each.row_id.rpartition("/")[2], each.reason) for each in rows)


def test_a_trec_run_is_ranked_by_its_scores_and_scored_by_the_reference(tmp_path: Path) -> None:
    run = "q Q0 c 9 2.5 tag\nq Q0 positive 1 9 tag\nd/q\tQ0  d/b 2 7.25 tag\nq Q0 a 3 2.5 tag\n\nq Q0 e 4 1e-3 tag\n"
    recipe = recipe_of(tmp_path, "run.trec", run, top_k=3)
    world(recipe)
    found = mine(recipe)["d/q"]
    assert theirs(found) == [("b", 1, 7.25), ("a", 2, 2.5), ("c", 3, 2.5)]
    scores = {entry.doc_id: entry.score for entry in found.pool}
    assert list(scores) == ["d/a", "d/b", "d/c"]
    for place, name in enumerate("abc", 1):
        assert scores[f"d/{name}"] == float(on_circle(0).astype(float) @ on_circle(10.0 * place).astype(float))
    assert [(each.doc_id, each.rank) for each in found.positives] == [("d/positive", 1)]
    assert rejects(recipe) == []


def test_what_may_never_be_a_negative_consumes_no_rank_of_a_file(tmp_path: Path) -> None:
    run = "".join(
        f"q Q0 {name} 0 {9 - place} t\n" for place, name in enumerate(("positive", "copy", "asked", "b", "a"))
    )
    recipe = recipe_of(tmp_path, "run.trec", run, top_k=1)
    world(recipe, [document("copy", "Text: positive!"), document("asked", "WHAT")])
    assert theirs(mine(recipe)["d/q"]) == [("b", 1, 6.0)]
    manifest = read_manifest(recipe.output, "mine")
    assert manifest is not None
    assert manifest.facts["runs"] == {
        "theirs": {
            "candidates": 5,
            "lines": 5,
            "of_queries_without_vector": 0,
            "positives": 0,
            "positives_or_equal_to_them": 3,
            "queries_by_order_of_file": 0,
            "queries_by_score": 1,
        }
    }


def test_lines_that_cannot_be_used_are_rejects_with_file_line_and_reason(tmp_path: Path) -> None:
    run = [
        b"q Q0 a 1 2.0 t",
        b"q Q0 a 2 3.0 t",
        b"q Q0 b 3 nan t",
        b"q Q0 b 3 inf t",
        b"q Q0 b 3 1e999 t",
        b"q Q0 b 3",
        b"q Q0 nowhere 4 1.0 t",
        b"nobody Q0 a 1 1.0 t",
        b"q Q0 \xff 1 1.0 t",
        b"q Q0 c 1 0.5 t",
        b"q Q0 c 1 0.5 t",
    ]
    recipe = recipe_of(tmp_path, "run.trec", b"\r\n".join(run))
    world(recipe)
    assert theirs(mine(recipe)["d/q"]) == [("a", 1, 3.0), ("c", 2, 0.5)]
    assert rejects(recipe) == [
        ("run.trec:1", "repeated_line"),
        ("run.trec:11", "repeated_line"),
        ("run.trec:3", "no_score"),
        ("run.trec:4", "no_score"),
        ("run.trec:5", "no_score"),
        ("run.trec:6", "unreadable"),
        ("run.trec:7", "unknown_document"),
        ("run.trec:8", "unknown_query"),
        ("run.trec:9", "unreadable"),
    ]


def test_ids_without_dataset_are_those_of_the_query_or_the_only_one_that_has_them(tmp_path: Path) -> None:
    others = [document("a", "other a", "e"), document("x", "x", "e"), document("y", "y", "e"), document("y", "y2", "f")]
    run = "q1 Q0 a 1 5 t\nq1 Q0 x 1 4 t\nq1 Q0 y 1 3 t\nq1 Q0 f/y 1 2 t\nq Q0 a 1 1 t\ne/q Q0 a 1 1 t\n"
    recipe = recipe_of(tmp_path, "run.trec", run, within="all")
    recipe = recipe.model_copy(update={"sources": [Recipe.model_validate(source(each)).sources[0] for each in "def"]})
    world(recipe, others, [query("q1", "one", "d"), query("q", "two", "e")])
    found = mine(recipe)
    assert [doc for doc, _, _ in theirs(found["d/q1"])] == ["a", "e/x", "f/y"]
    assert [doc for doc, _, _ in theirs(found["e/q"])] == ["e/a"]
    assert theirs(found["d/q"]) == []
    assert rejects(recipe) == [("run.trec:3", "ambiguous_id"), ("run.trec:5", "ambiguous_id")]


def source(dataset: str) -> dict[str, object]:
    return {"output": "x", "sources": [{"path": "unread", "dataset": dataset}]}


@pytest.mark.parametrize(
    ("name", "rows", "expected"),
    [
        (
            "tevatron.jsonl",
            [{"query_id": "q", "positive_document_ids": ["e"], "negative_document_ids": ["c", "a", "e"]}],
            [("c", 1, None), ("a", 2, None)],
        ),
        (
            "old-tevatron.jsonl",
            [
                {
                    "query_id": "q",
                    "query": "?",
                    "positive_passages": [],
                    "negative_passages": [{"docid": "b", "text": ""}],
                }
            ],
            [("b", 1, None)],
        ),
        (
            "bge.jsonl",
            [{"query": "WHAT?", "pos": ["text e"], "neg": ["Text C.", "text a"], "neg_scores": [0.1, 0.7]}],
            [("a", 1, 0.7), ("c", 2, 0.1)],
        ),
        (
            "unscored-bge.jsonl",
            [{"query": "what?", "pos": [], "neg": ["text c", "text a"]}],
            [("c", 1, None), ("a", 2, None)],
        ),
    ],
)
def test_files_of_json_give_their_negatives_and_never_their_positives(
    tmp_path: Path, name: str, rows: list[object], expected: list[tuple[str, int, float | None]]
) -> None:
    recipe = recipe_of(tmp_path, name, "".join(json.dumps(row) + "\n" for row in rows))
    world(recipe)
    assert theirs(mine(recipe)["d/q"]) == expected


def test_texts_find_documents_by_text_or_by_title_and_text_and_else_are_rejects(tmp_path: Path) -> None:
    rows = [
        {"query": "what?", "pos": ["?"], "neg": ["A Title\nand its text", "and its text.", "lost", "set -E"]},
        {"query": "unasked", "neg": ["text a"]},
        {"query": "what?", "neg": "text a"},
        {"query": "what?", "neg": ["text a", "text b"], "neg_scores": [1]},
    ]
    recipe = recipe_of(tmp_path, "bge.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    titled = replace(document("titled", "and its text"), title="A title")
    titled = replace(titled, content_hash=normalise.content_hash(titled.title, titled.text, "text"))
    world(recipe, [titled, replace(document("code", "set -e"), text_hash=normalise.text_hash("set -e", "code"))])
    assert theirs(mine(recipe)["d/q"]) == [("titled", 1, None)]
    assert rejects(recipe) == [
        ("bge.jsonl:1", "repeated_line"),  # the same document, with and without its title
        ("bge.jsonl:1", "unknown_document"),
        ("bge.jsonl:1", "unknown_document"),
        ("bge.jsonl:1", "unknown_document"),
        ("bge.jsonl:2", "unknown_query"),
        ("bge.jsonl:3", "unreadable"),
        ("bge.jsonl:4", "unreadable"),
    ]


@pytest.mark.parametrize(
    ("contents", "form"),
    [
        ("q Q0 a 1 0.5 t\n", "trec"),
        ("q\ta\t0.5\n", "scored"),
        ("q\ta\t3\nq\tb\t2\n", "scored"),
        ("q\ta\t1\nq\tb\t2\np\ta\t1\n", "ranked"),
        ("query\tdocument\trank\nq\ta\t1\nq\tb\t2\np\ta\t1\n", "ranked"),
        ("\ufeffq\ta\t1\nq\tb\t0.5\np\ta\t1\n", "scored"),
        ("q\ta\t1\np\tb\t2\np\ta\t1\n", "scored"),
        ('\n{"query_id": 1, "negative_document_ids": []}\n', "tevatron"),
        ('\ufeff{"query": "x", "neg": []}\n', "bge"),
    ],
)
def test_the_first_lines_tell_the_format(tmp_path: Path, contents: str, form: str) -> None:
    for name, data in (("plain", contents.encode()), ("zipped.gz", gzip.compress(contents.encode()))):
        (tmp_path / name).write_bytes(data)
        assert form_of(Run(path=str(tmp_path / name)), str(tmp_path / name)) == form


def test_what_another_query_is_labelled_with_is_not_searched_for_this_one(tmp_path: Path) -> None:
    sources = [{"path": "unread", "dataset": name} for name in ("d", "e")]
    run = "q Q0 b 1 5 t\nq Q0 d/b 1 4 t\nq Q0 a 1 3 t\n"
    recipe = recipe_of(tmp_path, "run.trec", run, within=["e"])
    recipe = recipe_for(tmp_path / "out", sources=sources, mine=recipe.mine.model_dump())
    documents = [document("a", "one"), document("b", "two"), document("b", "three", dataset="e")]
    queries = [query("q", "what?"), query("p", "who?")]
    vectors = {each: on_circle(0) for each in ("d/a", "d/b", "e/b", "d/q", "d/p")}
    prepare(recipe, documents, queries, [pair("q", "a"), pair("p", "b")], vectors)
    found = mine(recipe)["d/q"]
    assert [entry.doc_id for entry in found.pool] == ["e/b"]
    assert rejects(recipe) == [("run.trec:2", "unknown_document"), ("run.trec:3", "unknown_document")]


def test_ranks_are_kept_as_they_are_written(tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path, "run.tsv", "q\tc\t2\nq\ta\t3\nq\tb\t1\n", run={"format": "msmarco"})
    world(recipe)
    assert theirs(mine(recipe)["d/q"]) == [("b", 1, None), ("c", 2, None), ("a", 3, None)]


@pytest.mark.parametrize(
    ("contents", "asked", "said"),
    [
        (None, "auto", "there is no file"),
        (b"", "auto", "holds no line"),
        (b"some words\n", "auto", "none of the format trec, tevatron, msmarco or bge"),
        (b"q Q0 a 1 1 t\n", "bge", "none of the format bge"),
        (b"q Q0 a 1 high t\n", "auto", ":1: expected a finite number as score or rank, found 'high'"),
        (b"\xff\xfe\x00", "auto", ":1: not UTF-8"),
        (gzip.compress(b"q Q0 a 1 1 t\n")[:-9], "auto", "cannot be read"),
    ],
)
def test_a_file_of_no_use_is_found_before_the_run(
    tmp_path: Path, contents: bytes | None, asked: str, said: str
) -> None:
    path = tmp_path / "run"
    if contents is not None:
        path.write_bytes(contents)
    section = {"miners": ["theirs"], "runs": {"theirs": {"path": str(path), "format": asked}}}
    (problem,) = run_problems(recipe_for(tmp_path, mine=section))
    assert problem.startswith("mine.runs.theirs: ")
    assert said in problem
    assert list(run_problems(recipe_for(tmp_path, mine={**section, "miners": ["dense"]}))) == []


def test_another_file_under_the_same_name_is_read_again(tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path, "run.trec", "q Q0 a 1 1 t\n")
    off = {"enabled": False}
    recipe = Recipe.model_validate({**recipe.model_dump(), "dedup": off, "synthesize": off, "filter": off})
    world(recipe)

    def fingerprint(changed: Recipe) -> str:
        return pending(changed, BY_NAME["mine"], "").fingerprint

    before = fingerprint(recipe)
    assert fingerprint(recipe) == before
    (tmp_path / "run.trec").write_text("q Q0 a 1 1 t\nq Q0 b 2 1 t\n")
    assert fingerprint(recipe) != before


def test_a_file_that_vanishes_is_a_clear_failure(tmp_path: Path) -> None:
    with pytest.raises(CallError, match=r"mine.runs: .*gone: there is no such file"):
        list(blocks_of(str(tmp_path / "gone")))


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 2**31), size=st.sampled_from([40, 2**25]))
def test_equals_the_plain_computation_in_whatever_order_and_blocks_it_is_read(
    tmp_path_factory: pytest.TempPathFactory, seed: int, size: int
) -> None:
    rng = np.random.default_rng(seed)
    documents = [document(f"{n:02}", f"text {rng.integers(0, 30)}") for n in range(30)]
    queries = [query(f"q{n}", f"text {rng.integers(25, 40)}", instruction=f"{n}") for n in range(8)]
    pairs = [pair(f"q{n}", f"{rng.integers(0, 30):02}") for n in range(6)]
    told = {(q.query_id, d.doc_id): int(rng.integers(0, 6)) for q in queries for d in documents if rng.random() < 0.4}
    written = [f"{q} Q0 {d} 0 {score / 4} t" for (q, d), score in told.items()]
    found = []
    for order, repeat, rows in ((written, [], 65_536), (written[::-1], ["--direct_runner_bundle_repeat=1"], 5)):
        folder = tmp_path_factory.mktemp("world")
        recipe = recipe_of(folder, "run.trec", "\n".join(order), miners=["dense", "theirs"], top_k=4)
        recipe = recipe.model_copy(update={"beam": recipe.beam.model_copy(update={"options": repeat})})
        ids = [each.doc_id for each in documents] + [each.query_id for each in queries]
        draw = np.random.default_rng(seed)
        vectors = {own_id: on_circle(15.0 * int(draw.integers(0, 24))) for own_id in ids}
        prepare(recipe, documents, queries, pairs, vectors)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ranges, "SHARD_ROWS", rows)
            patch.setattr(ranges, "BLOCK_QUERIES", rows)
            patch.setattr(steps, "blocks_of", lambda path: lines.blocks_of(path, size))
            found.append(mine(recipe))
    assert found[0] == found[1]
    by_id: Mapping[str, Document] = {each.doc_id: each for each in documents}
    for each in queries:
        equal = {other.query_id for other in queries if other.query_hash == each.query_hash}
        union = {labelled.doc_id for labelled in pairs if labelled.query_id in equal}
        contents = {by_id[doc].content_hash for doc in union}
        own = {doc: score for (q, doc), score in told.items() if q == each.query_id}
        open_ = [doc for doc in own if by_id[doc].content_hash not in contents and by_id[doc].text != each.query]
        line = sorted(open_, key=lambda doc: (-own[doc], doc))[:4]
        expected = [(doc.removeprefix("d/"), rank, own[doc] / 4) for rank, doc in enumerate(line, 1)]
        assert theirs(found[0][each.query_id]) == expected


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["trec", "scored", "ranked", "tevatron", "bge"]))
def test_no_bytes_break_the_parsing_and_every_line_is_used_or_named(data: bytes, form: str) -> None:
    block = Lines(1, data.split(b"\n"))
    parsed = parse(block, form)  # type: ignore[arg-type]  # drawn from its values
    told = {bad.line for bad in parsed.bad} | set(parsed.rows.column("line").to_pylist())
    blank = {number for number, line in enumerate(block.lines, 1) if not line.removeprefix(b"\xef\xbb\xbf").strip()}
    assert told | blank == set(range(1, len(block.lines) + 1))


@pytest.mark.parametrize(
    "line",
    [
        r'{"query_id": "q", "negative_document_ids": ["\ud800"]}',
        '{"query_id": ' + "1" * 5_000 + ', "negative_document_ids": []}',
        '{"query_id": "q", "negative_document_ids": [{}]}',
        '{"query_id": true, "negative_document_ids": []}',
        "[" * 100_000,
    ],
)
def test_json_that_is_no_candidate_is_named(line: str) -> None:
    (bad,) = parse(Lines(1, [line.encode()]), "tevatron").bad
    assert bad.reason == "unreadable"
