"""Stage embed: every text gets its vector once, and only what changed is encoded again."""

import os
from collections.abc import Sequence
from pathlib import Path

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.coders import PickleCoder

from oreline import normalise
from oreline.commit import read_outcome
from oreline.embeddings.blocks import BlockReference
from oreline.embeddings.listing import LISTED_SCHEMA
from oreline.embeddings.steps import write_rows
from oreline.embeddings.store import VectorStore
from oreline.encoders.identity import identity
from oreline.encoders.loaded import LoadedEncoder
from oreline.job import Job, StageWriter
from oreline.recipe.settings import Recipe
from oreline.records import Document, FurtherVector, Query, Reject, VectorRow
from oreline.reports.show import show
from oreline.stages.embed import Embed
from oreline.stages.mine import Mine
from oreline.stages.wiring import encode_row_group
from oreline.tables.manifest import read_manifest
from oreline.tables.reading import RowGroup
from oreline.tables.schema import from_arrow

from house import finish, recipe_for, rows_of, run_stage, unrun_pipeline

INPUTS = {"documents": "ingest", "queries": "ingest"}
TEXTS = ("Acromegaly is a hormonal disorder.", "La thyroïde 🦋 est une glande.", "set -e", "מחלה נדירה", "x " * 400)


def document(number: int, text: str, title: str | None = None) -> Document:
    return Document(
        f"d/{number}",
        "d",
        text,
        normalise.content_hash(title, text, "text"),
        normalise.text_hash(text, "text"),
        title=title,
    )


def query(number: int, text: str) -> Query:
    return Query(f"d/q{number}", "d", text, normalise.query_hash(text))


def corpus(texts: Sequence[str] = TEXTS) -> dict[str, list[object]]:
    documents: list[object] = [
        document(number, text, "Title" if number % 2 else None) for number, text in enumerate(texts)
    ]
    return {"documents": documents, "queries": [query(0, "which gland?"), query(1, TEXTS[0])], "pairs": []}


def embed(recipe: Recipe, tables: dict[str, list[object]] | None = None) -> dict[str, int]:
    finish(recipe, "ingest", tables or corpus())
    return run_stage(recipe, "embed", INPUTS).counts


def vectors_of(recipe: Recipe, miner: str = "dense") -> dict[str, bytes]:
    """Returns the vectors that a miner searches by side and id; what its encoder did not take is not there."""
    encoder = identity(recipe.encoders()[miner])
    rows = rows_of(recipe.output, "embed", "vectors", VectorRow)
    keys = {f"{row.side} {row.id}": key for row in rows if (key := key_of(row, miner)) is not None}
    store = VectorStore(recipe.cache_folder, encoder.digest, encoder.dimension)
    vectors, found = store.lookup(list(keys.values()))
    assert found.all()
    return {name: vector.tobytes() for name, vector in zip(keys, vectors, strict=True)}


def key_of(row: VectorRow, miner: str) -> str | None:
    others = {other.miner: other.vector_key for other in row.others or []}
    return row.vector_key if miner == "dense" else others.get(miner)


def test_vectors_are_those_of_sentence_transformers(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path, encoder={"precision": "float32"})
    embed(recipe)
    sentence_transformers = pytest.importorskip("sentence_transformers")
    encoder = identity(recipe.encoder)
    model = sentence_transformers.SentenceTransformer(encoder.folder, device="cpu", local_files_only=True)
    for number, text in enumerate(TEXTS):
        expected = model.encode(f"Title\n{text}" if number % 2 else text)
        found = np.frombuffer(vectors_of(recipe)[f"document d/{number}"], np.float16).astype(np.float32)
        assert abs(float(found @ found) - 1) < 2e-3
        assert float(found @ expected) > 0.999


def test_the_manifest_says_how_large_the_store_is_with_what_was_there_before(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path)
    embed(recipe)
    embed(recipe, corpus(("something new",)))
    manifest = read_manifest(recipe.output, "embed")
    assert manifest is not None
    found = sorted((tmp_path / "_cache" / "vectors").rglob("*.parquet"))
    wanted = {"rows": 7, "bytes": sum(path.stat().st_size for path in found), "files": len(found)}
    assert manifest.facts["stores"] == {"dense": wanted}
    told = f"store of dense: 7 vectors, {wanted['bytes']:,} bytes, {len(found)} files"
    assert told in map(str, show(f"{recipe.output}/embed"))


def test_a_second_run_encodes_nothing_and_a_new_text_only_itself(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path)
    assert embed(recipe) == {"texts_encoded": 6, "texts_reused": 0}  # a query and a document say the same
    before = vectors_of(recipe)
    assert embed(recipe) == {"texts_encoded": 0, "texts_reused": 6}
    assert embed(recipe, corpus((*TEXTS, "something new"))) == {"texts_encoded": 1, "texts_reused": 6}
    assert before.items() <= vectors_of(recipe).items()


@pytest.mark.parametrize(
    "encoder",
    [{"document_prefix": "passage: ", "query_prefix": "query: "}, {"max_tokens": 16}, {"precision": "float32"}],
)
def test_a_changed_prefix_length_or_precision_encodes_anew(tmp_path: Path, encoder: dict[str, object]) -> None:
    embed(recipe_for(tmp_path, encoder={"precision": "bfloat16"}))
    counts = embed(recipe_for(tmp_path, encoder={"precision": "bfloat16", **encoder}))
    assert counts["texts_reused"] == 0
    assert counts["texts_encoded"] >= 6


def test_a_changed_title_encodes_anew(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path)
    embed(recipe)
    tables = corpus()
    tables["documents"][1] = document(1, TEXTS[1], "Other title")
    assert embed(recipe, tables) == {"texts_encoded": 1, "texts_reused": 5}


def test_vectors_do_not_depend_on_order_or_workers(tmp_path: Path) -> None:
    texts = [f"text {number} " + "word " * (number % 37) for number in range(150)]
    tables = corpus(texts)
    one = recipe_for(tmp_path / "one", encoder={"threads": 1})
    embed(one, tables)
    two = recipe_for(tmp_path / "two", encoder={"threads": 1}, beam={"workers": 2})
    embed(two, {name: rows[::-1] for name, rows in tables.items()})
    assert vectors_of(one) == vectors_of(two)


def test_bundles_that_run_twice_keep_the_books(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path, beam={"options": ["--direct_runner_bundle_repeat=1"]})
    embed(recipe)
    assert len(rows_of(tmp_path, "embed", "vectors", VectorRow)) == 7


SHORT = {
    "miners": ["dense", "short"],
    "encoders": {"short": {"max_tokens": 8, "threads": 1}, "unused": {"model": "nowhere"}},
}


def test_a_further_encoder_gives_each_text_a_vector_of_its_own_and_encodes_only_for_itself(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path)
    embed(recipe)
    both = recipe_for(tmp_path, mine=SHORT)
    assert embed(both) == {"texts_encoded": 6, "texts_reused": 6}
    assert vectors_of(both) == vectors_of(recipe)
    alone = recipe_for(tmp_path / "alone", encoder={"max_tokens": 8, "threads": 1})
    embed(alone)
    assert vectors_of(both, "short") == vectors_of(alone)
    assert vectors_of(both, "short")["document d/4"] != vectors_of(both)["document d/4"]
    manifest = read_manifest(recipe.output, "embed")
    assert manifest is not None
    assert manifest.facts["by_encoder"] == {
        "dense": {"texts_encoded": 0, "texts_reused": 6},
        "short": {"texts_encoded": 6, "texts_reused": 0, "texts_without_vector": 0},
    }
    assert manifest.facts["encoders"] == {"short": identity(alone.encoder).facts()}


def test_what_only_a_further_encoder_cannot_take_is_counted_and_kept(tmp_path: Path) -> None:
    kept = {"miner": "dense", "kept": True, "encoded": 1, "why": None, "text": None}
    lost = {"miner": "old", "kept": False, "encoded": 0, "why": "its vector is zero", "text": "a"}
    texts = [
        {"id": "d/a", "side": "query", "key": "1", **kept},
        {"id": "d/a", "side": "document", "key": "2", **kept},
        {"id": "d/b", "side": "document", "key": "3", **lost, "miner": "dense"},
        {"id": "d/a", "side": "query", "key": "4", **lost},
        {"id": "d/a", "side": "document", "key": "5", **kept, "miner": "old"},
        {"id": "d/b", "side": "document", "key": "6", **kept, "miner": "old"},
        {"id": "d/a", "side": "document", "key": "7", **kept, "miner": "new"},
    ]
    recipe = recipe_for(tmp_path)
    writer = StageWriter(Job(recipe.output, "embed", recipe, {}))
    write_rows(writer, pa.Table.from_pylist(texts[::-1], schema=LISTED_SCHEMA), ["dense", "old", "new"])
    report = writer.close()
    rows = {part.table: read_part(recipe, part.path) for part in report.parts}
    assert from_arrow(VectorRow, rows["vectors"]) == [
        VectorRow("d/a", "document", "2", [FurtherVector("new", "7"), FurtherVector("old", "5")]),
        VectorRow("d/a", "query", "1"),
    ]
    assert rows["rejects"].column("detail").to_pylist() == ["its vector is zero"]
    assert (report.books.kept.count, report.books.dropped.count) == (2, 1)
    assert report.counts["by_encoder\told\ttexts_without_vector"] == 1


def read_part(recipe: Recipe, path: str) -> pa.Table:
    return pq.read_table(Path(recipe.output) / path)


def test_several_encoders_give_the_same_whatever_the_order_and_repeated_bundles(tmp_path: Path) -> None:
    texts = [f"text {number} " + "word " * (number % 37) for number in range(60)]
    tables = corpus(texts)
    one = recipe_for(tmp_path / "one", encoder={"threads": 1}, mine=SHORT)
    embed(one, tables)
    options = {"options": ["--direct_runner_bundle_repeat=1"]}
    two = recipe_for(tmp_path / "two", encoder={"threads": 1}, mine=SHORT, beam=options)
    embed(two, {name: rows[::-1] for name, rows in tables.items()})
    for miner in ("dense", "short"):
        assert vectors_of(one, miner) == vectors_of(two, miner)


def test_blank_texts_are_dropped_with_the_reason(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path)
    tables = corpus()
    tables["queries"].append(query(2, " \n"))
    embed(recipe, tables)
    (reject,) = rows_of(tmp_path, "embed", "rejects", Reject)
    assert (reject.row_id, reject.table, reject.reason) == ("d/q2", "queries", "not_encodable")
    assert "query d/q2" not in vectors_of(recipe)


def test_a_torn_store_file_is_encoded_again(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path)
    embed(recipe)
    before = vectors_of(recipe)
    for path in (tmp_path / "_cache" / "vectors").rglob("*.parquet"):
        path.write_bytes(path.read_bytes()[:100])
    assert embed(recipe) == {"texts_encoded": 6, "texts_reused": 0}
    assert vectors_of(recipe) == before


def test_ctrl_c_keeps_the_output_and_says_so(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path)
    finish(recipe, "ingest", corpus())
    stop = tmp_path / "_progress" / "stop"
    stop.parent.mkdir()
    stop.touch()
    with pytest.raises(pytest.fail.Exception, match="interrupted"):
        run_stage(recipe, "embed", INPUTS)
    outcome = read_outcome(recipe.output, "embed")
    assert outcome is not None
    assert outcome.stopped == "interrupted"
    stop.unlink()
    assert run_stage(recipe, "embed", INPUTS).rows("vectors") == 7


@pytest.mark.parametrize("stage", [Embed, Mine])
def test_no_pickle_coder_stands_outside_run_inference(tmp_path: Path, stage: type[beam.PTransform]) -> None:
    inputs = {**INPUTS, "pairs": "ingest", "vectors": "embed"}
    mine = {"miners": ["dense", "short", "theirs"], "encoders": SHORT["encoders"], "runs": {"theirs": {"path": "x"}}}
    job = Job(str(tmp_path), stage.__name__.lower(), recipe_for(tmp_path, mine=mine), inputs)
    with unrun_pipeline() as pipeline:
        _ = pipeline | "Stage" >> stage(job)
        proto, context = pipeline.to_runner_api(return_context=True)
    seen = set()
    for transform in proto.components.transforms.values():
        for output in transform.outputs.values():
            coder = context.coders.get_by_id(proto.components.pcollections[output].coder_id)
            seen.add(transform.unique_name)
            if "EncodeBlocks" not in transform.unique_name:
                assert not pickles(coder), transform.unique_name
    assert len(seen) > 8


def pickles(coder: object) -> bool:
    parts = getattr(coder, "_coders", ()) or ()
    fallback = (
        "Pickle" in type(coder).__name__ or "FastPrimitives" in type(coder).__name__ or isinstance(coder, PickleCoder)
    )
    return fallback or any(pickles(part) for part in parts)


def test_references_stay_under_a_kilobyte() -> None:
    path = "/" + "/".join(["a-rather-long-folder-name"] * 20)
    assert len(BlockReference(path, "an-encoder-with-a-name", 255, 256, noted=True).encode()) < 1_024
    assert len(encode_row_group(RowGroup("documents", path, 10**6, 10**6))) < 1_024


def test_the_encoder_takes_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "HF_HUB_OFFLINE", "1")
    settings = recipe_for(Path("unused")).encoder
    encoder = LoadedEncoder(identity(settings), settings, threads=1)
    ((places, vectors),) = encoder.encode(["a", "b"], ["k1", "k2"])
    assert sorted(places) == [0, 1]
    assert vectors.shape == (2, 384)
