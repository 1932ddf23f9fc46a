"""Vectors from files: found by id, cut and made unit vectors, and every row that cannot be used is named."""

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from oreline.encoders.identity import identity
from oreline.encoders.opening import open_encoder
from oreline.encoders.protocol import TextEncoder
from oreline.encoders.units import unit_float16
from oreline.errors import CallError
from oreline.recipe.settings import Encoder
from oreline.records import Document, Query, Reject, VectorRow
from oreline.running import run

from house import rows_of

Vectors = npt.NDArray[np.float32]
IDS = ["d/1", "d/2", "d/3"]


def made(rows: int, dimension: int = 8) -> Vectors:
    return np.random.default_rng(rows).standard_normal((rows, dimension), np.float32)


def parquet(path: Path, ids: list[str], vectors: Vectors, kind: str = "list") -> str:
    """Writes vectors as one of the column types that are read."""
    width = vectors.shape[1]
    columns: dict[str, pa.Array] = {
        "list": pa.array(vectors.tolist(), pa.list_(pa.float32())),
        "large": pa.array(vectors.tolist(), pa.large_list(pa.float64())),
        "fixed": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), width),
        "float16": pa.array([row.astype("<f2").tobytes() for row in vectors], pa.binary(2 * width)),
        "float32": pa.array([row.astype("<f4").tobytes() for row in vectors], pa.binary(4 * width)),
    }
    pq.write_table(pa.table({"id": ids, "vector": columns[kind]}), path)
    return str(path)


def numpy_file(path: Path, ids: list[str], vectors: Vectors) -> str:
    np.save(path, vectors)
    path.with_suffix(".txt").write_text("".join(f"{each}\n" for each in ids), encoding="utf-8")
    return str(path)


def opened(documents: list[str], queries: list[str] | None = None, **keys: object) -> TextEncoder:
    return open_encoder(settings(documents, queries, **keys), 1)


def settings(documents: list[str], queries: list[str] | None = None, **keys: object) -> Encoder:
    files = {"document_vectors": documents, "query_vectors": queries or []}
    return Encoder.model_validate({"provider": "file", **files, **keys})


def encoded(encoder: TextEncoder, names: list[str]) -> npt.NDArray[np.float16]:
    rows = np.full((len(names), encoder.identity.dimension), 9.0, np.float16)
    for places, vectors in encoder.encode(names, names, lambda: False):
        rows[places] = vectors
    return rows


@pytest.mark.parametrize("kind", ["list", "large", "fixed", "float16", "float32"])
def test_parquet_gives_the_vector_of_an_id_whatever_its_column_is(tmp_path: Path, kind: str) -> None:
    vectors = made(3)
    given = vectors.astype(np.float16).astype(np.float32) if kind == "float16" else vectors
    path = parquet(tmp_path / "documents.parquet", IDS, vectors, kind)
    encoder = opened([path], dimension=8 if kind == "float32" else None)
    found = encoded(encoder, ["document d/3", "document d/1"])
    np.testing.assert_array_equal(found, unit_float16(given)[[2, 0]])


def test_a_numpy_file_takes_its_ids_from_the_text_beside_it_and_sides_do_not_mix(tmp_path: Path) -> None:
    documents, queries = made(3), made(2)
    encoder = opened(
        [numpy_file(tmp_path / "documents.npy", IDS, documents)],
        [numpy_file(tmp_path / "queries.npy", ["d/1", "q/9"], queries)],
    )
    found = encoded(encoder, ["query d/1", "document d/1", "query q/9"])
    np.testing.assert_array_equal(found[[0, 2]], unit_float16(queries))
    np.testing.assert_array_equal(found[1], unit_float16(documents)[0])


def test_a_shorter_dimension_cuts_and_is_another_identity(tmp_path: Path) -> None:
    vectors = made(3)
    path = parquet(tmp_path / "documents.parquet", IDS, vectors)
    short = opened([path], dimension=4)
    np.testing.assert_array_equal(encoded(short, ["document d/2"])[0], unit_float16(vectors[:, :4])[1])
    assert short.identity.digest != identity(settings([path])).digest
    with pytest.raises(CallError, match=r"encoder\.dimension is 9, but the vectors of .* have 8 numbers"):
        identity(settings([path], dimension=9))


def test_the_identity_is_that_of_the_contents_not_of_the_place(tmp_path: Path) -> None:
    first = parquet(tmp_path / "a.parquet", IDS, made(3))
    again = parquet(tmp_path / "b.parquet", IDS, made(3))
    other = parquet(tmp_path / "c.parquet", IDS, -made(3))
    assert identity(settings([first])).digest == identity(settings([again])).digest
    assert identity(settings([first])).digest != identity(settings([other])).digest
    assert identity(settings([first])).digest != identity(settings([], [first])).digest


def test_an_id_without_a_vector_and_one_without_direction_are_named(tmp_path: Path) -> None:
    vectors = made(3)
    vectors[0, 3], vectors[1] = np.nan, 0.0
    path = parquet(tmp_path / "documents.parquet", IDS, vectors)
    encoder = opened([path])
    found = encoded(encoder, ["document d/1", "document d/2", "document d/3", "document d/4"])
    assert np.isfinite(found).all(axis=1).tolist() == [False, False, True, False]
    assert encoder.refused == {
        "document d/1": f"its vector in {path}, row 1, is zero or not finite",
        "document d/2": f"its vector in {path}, row 2, is zero or not finite",
        "document d/4": "encoder.document_vectors has no vector for the id d/4",
    }


def test_one_id_with_two_vectors_ends_the_work_and_equal_ones_do_not(tmp_path: Path) -> None:
    vectors = made(3)
    first = parquet(tmp_path / "a.parquet", IDS, vectors)
    equal = parquet(tmp_path / "b.parquet", IDS[1:], vectors[1:])
    other = parquet(tmp_path / "c.parquet", IDS[1:], -vectors[1:])
    assert np.isfinite(encoded(opened([first, equal]), ["document d/2"])).all()
    broken = opened([first, other])
    encoded(broken, ["document d/2"])
    assert broken.stopped is not None
    assert broken.stopped.failure == "vectors"
    assert broken.stopped.message.endswith(
        f"the id d/2 has two vectors, in {first}, row 2, and in {other}, row 1; keep one of them"
    )


def test_files_of_another_kind_are_refused_before_a_run(tmp_path: Path) -> None:
    with pytest.raises(CallError, match=r"there is no file nowhere\.parquet"):
        identity(settings(["nowhere.parquet"]))
    np.save(tmp_path / "a.npy", made(2))
    with pytest.raises(CallError, match=r"there is no file .*a\.txt, which holds the ids of .*a\.npy, one per line"):
        identity(settings([str(tmp_path / "a.npy")]))
    pq.write_table(pa.table({"doc_id": ["a"]}), tmp_path / "b.parquet")
    with pytest.raises(CallError, match="has the columns doc_id, expected id and vector"):
        identity(settings([str(tmp_path / "b.parquet")]))
    (tmp_path / "c.parquet").write_bytes(b"PAR1")
    with pytest.raises(CallError, match=r"c\.parquet cannot be read"):
        identity(settings([str(tmp_path / "c.parquet")]))
    long, short = parquet(tmp_path / "d.parquet", IDS, made(3)), parquet(tmp_path / "e.parquet", IDS, made(3, 4))
    with pytest.raises(CallError, match="they are to be of one model, and equally long"):
        identity(settings([long], [short]))


def lists(path: Path, vectors: list[list[float] | None], ids: list[str | None] | None = None) -> str:
    column = pa.array(vectors, pa.list_(pa.float64()))
    pq.write_table(pa.table({"id": pa.array(ids or IDS, pa.string()), "vector": column}), path)
    return str(path)


def test_a_row_without_a_vector_is_named_and_the_others_are_found(tmp_path: Path) -> None:
    path = lists(tmp_path / "a.parquet", [None, [3.0, 4.0], [1.0, None]])  # type: ignore[list-item]  # a null inside
    encoder = opened([path])
    found = encoded(encoder, [f"document {each}" for each in IDS])
    assert found[1].tolist() == np.array([0.6, 0.8], np.float16).tolist()
    assert {name[-1]: why.partition(", ")[2] for name, why in encoder.refused.items()} == {
        "1": "row 1, is zero or not finite",
        "3": "row 3, is zero or not finite",
    }


@pytest.mark.parametrize(
    ("vectors", "ids", "told"),
    [
        ([[1.0, 2.0], [1.0], [1.0, 2.0, 3.0]], IDS, "row 2, has 1 numbers, the first vector 2"),
        ([[1.0], [2.0], [3.0]], ["d/1", "d/2", None], "row 3, has no id"),
    ],
)
def test_a_row_of_another_shape_ends_the_work_and_is_named(
    tmp_path: Path, vectors: list[list[float] | None], ids: list[str | None], told: str
) -> None:
    encoder = opened([lists(tmp_path / "a.parquet", vectors, ids)])
    encoded(encoder, ["document d/1"])
    assert encoder.stopped is not None
    assert encoder.stopped.message.endswith(told)


@pytest.mark.parametrize(
    ("ids", "vectors", "told"),
    [
        (pa.array([1]), pa.array([[1.0]]), "column id of .* is int64, expected strings"),
        (pa.array(["a"]), pa.array([b"abc"], pa.binary(3)), "have 3 bytes, which are no float16"),
        (pa.array(["a"]), pa.array([["1.0"]]), "column vector of .* is list<.*string>, expected a list of floats"),
        (pa.array(["a"]), pa.array([[]], pa.list_(pa.float32())), "have no numbers"),
        (pa.array(["a"]), pa.array([None], pa.list_(pa.float32())), "holds no vector"),
    ],
)
def test_columns_that_hold_no_vectors_are_refused_before_a_run(
    tmp_path: Path, ids: pa.Array, vectors: pa.Array, told: str
) -> None:
    pq.write_table(pa.table({"id": ids, "vector": vectors}), tmp_path / "a.parquet")
    with pytest.raises(CallError, match=told):
        identity(settings([str(tmp_path / "a.parquet")]))


def test_an_id_may_hold_what_only_looks_like_the_end_of_a_line(tmp_path: Path) -> None:
    vectors = made(2)
    encoder = opened([numpy_file(tmp_path / "a.npy", ["d/a\u2028b", "d/c"], vectors)])
    found = encoded(encoder, ["document d/a\u2028b", "document d/c"])
    np.testing.assert_array_equal(found, unit_float16(vectors))
    (tmp_path / "a.txt").write_bytes(b"d/\xff\nd/c\n")
    broken = opened([str(tmp_path / "a.npy")])
    encoded(broken, ["document d/c"])
    assert broken.stopped is not None
    assert broken.stopped.failure == "vectors"


def test_ids_that_do_not_fit_their_rows_end_the_work(tmp_path: Path) -> None:
    encoder = opened([numpy_file(tmp_path / "a.npy", IDS[:2], made(3))])
    encoded(encoder, ["document d/1"])
    assert encoder.stopped is not None
    assert "has 3 rows, but" in encoder.stopped.message


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"provider": "file"}, "names no file of vectors"),
        ({"document_vectors": ["a.npy"]}, "set provider to file"),
        ({"provider": "gemini"}, "names no model"),
        ({"provider": "openai", "model": "m", "max_tokens": 5}, "max_tokens, which only the provider local heeds"),
        ({"provider": "gemini", "model": "m", "precision": "float16"}, "which only the provider local heeds"),
        ({"base_url": "http://127.0.0.1"}, "base_url, which only the provider gemini and openai heeds"),
        ({"budget_usd": 1.0}, "budget_usd, which only the provider gemini and openai heeds"),
        ({"provider": "openai", "model": "m", "project": "p"}, "project, which only the provider gemini heeds"),
        ({"provider": "openai", "model": "m", "server": "s"}, "names what stands behind base_url"),
        ({"provider": "file", "query_vectors": ["a.npy"], "query_prefix": "q: "}, "has query_prefix"),
    ],
)
def test_keys_that_a_provider_would_not_heed_are_refused(keys: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        Encoder.model_validate(keys)


def test_keys_that_say_what_holds_anyway_are_taken() -> None:
    known = Encoder.model_validate({"provider": "gemini", "model": "gemini-embedding-2"})
    assert Encoder.model_validate(known.model_dump()) == known


def test_a_run_mines_with_the_vectors_of_a_file(tmp_path: Path) -> None:
    source = tmp_path / "glands.jsonl"
    lines = [{"id": str(n), "title": f"Gland number {n} explained", "text": f"It is the gland {n}."} for n in range(12)]
    source.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    recipe: dict[str, object] = {
        "output": str(tmp_path / "out"),
        "sources": [{"path": str(source)}],
        "synthesize": {"writers": ["extractive/title"]},
    }
    run({**recipe, "select": {"negatives": 0}}, until="filter")
    out = tmp_path / "out"
    documents = [each.doc_id for each in rows_of(out, "synthesize", "documents", Document)]
    queries = [each.query_id for each in rows_of(out, "filter", "queries", Query)]
    vectors = parquet(tmp_path / "documents.parquet", documents[1:], made(len(documents) - 1))
    asked = parquet(tmp_path / "queries.parquet", queries, made(len(queries)))
    encoder = {"provider": "file", "document_vectors": [vectors], "query_vectors": [asked]}
    run({**recipe, "encoder": encoder}, until="mine")
    assert {row.id for row in rows_of(out, "embed", "vectors", VectorRow)} == {*documents[1:], *queries}
    (reject,) = rows_of(out, "embed", "rejects", Reject)
    assert (reject.row_id, reject.reason) == (documents[0], "not_encodable")
    assert reject.detail == f"encoder.document_vectors has no vector for the id {documents[0]}"
