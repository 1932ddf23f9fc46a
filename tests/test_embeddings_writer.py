"""Vectors are written as they come: a killed run loses little, and few files are left."""

import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from oreline.embeddings.statistics import statistics
from oreline.embeddings.store import Float16, VectorStore, vector_key
from oreline.embeddings.writer import MERGED_TEXTS, VectorWriter
from oreline.encoders.protocol import Flush
from oreline.encoders.units import unit_float16
from oreline.ids import Json
from oreline.reports.show import show

IDENTITY = "ab" * 32


def keys_of(count: int) -> list[str]:
    return [vector_key(IDENTITY, f"text {number}") for number in range(count)]


def vectors_of(count: int) -> Float16:
    return unit_float16(np.random.default_rng(3).standard_normal((count, 4)))


def files_in(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.parquet"))


def test_small_files_are_there_while_the_work_goes_on_and_one_is_at_its_end(tmp_path: Path) -> None:
    store, keys, vectors = VectorStore(str(tmp_path), IDENTITY, 4), keys_of(100), vectors_of(100)
    with VectorWriter(store, 0, 1, Flush(texts=8)) as writer:
        for start in range(0, 100, 4):
            writer.add(keys[start : start + 4], vectors[start : start + 4])
            done = (start + 4) // 8 * 8
            assert len(store.present(keys)) == done
            assert len(files_in(tmp_path)) == done // 8
    assert len(files_in(tmp_path)) == 1
    found, there = store.lookup(keys)
    assert there.all()
    np.testing.assert_array_equal(found, vectors)


def test_what_was_finished_stays_when_the_work_breaks_off(tmp_path: Path) -> None:
    store, keys, vectors = VectorStore(str(tmp_path), IDENTITY, 4), keys_of(10), vectors_of(10)

    def work() -> None:
        with VectorWriter(store, 0, 1, Flush(texts=40)) as writer:
            writer.add(keys, vectors)
            raise RuntimeError("the service is gone")

    with pytest.raises(RuntimeError, match="the service is gone"):
        work()
    assert store.present(keys) == set(keys)


def test_a_vector_does_not_wait_longer_than_it_may(tmp_path: Path) -> None:
    store, keys, vectors = VectorStore(str(tmp_path), IDENTITY, 4), keys_of(2), vectors_of(2)
    with VectorWriter(store, 0, 1, Flush(texts=100, seconds=0.0)) as writer:
        writer.add(keys[:1], vectors[:1])
        assert store.present(keys) == {keys[0]}


def test_a_vector_that_waits_is_written_when_time_passes_though_no_other_comes(tmp_path: Path) -> None:
    store, keys, vectors = VectorStore(str(tmp_path), IDENTITY, 4), keys_of(1), vectors_of(1)
    with VectorWriter(store, 0, 1, Flush(texts=100, seconds=0.05)) as writer:
        writer.add(keys, vectors)
        begun = time.monotonic()
        while not store.present(keys):
            writer.add([], vectors[:0])
            assert time.monotonic() - begun < 30


def test_many_small_files_are_merged_on_the_way_and_large_ones_are_left(tmp_path: Path) -> None:
    store, count = VectorStore(str(tmp_path), IDENTITY, 4), 2 * MERGED_TEXTS
    keys, vectors = keys_of(count), vectors_of(count)
    with VectorWriter(store, 0, 1, Flush(texts=512)) as writer:
        for start in range(0, count, 512):
            writer.add(keys[start : start + 512], vectors[start : start + 512])
    assert [pq.read_metadata(path).num_rows for path in files_in(tmp_path)] == [MERGED_TEXTS, MERGED_TEXTS]


def test_a_store_says_whose_its_vectors_are_and_show_counts_them(tmp_path: Path) -> None:
    about: dict[str, Json] = {"model": "own/model", "dimension": 4, "precision": "float32"}
    store = VectorStore(str(tmp_path), IDENTITY, 4, about)
    store.write(0, 1, keys_of(3), vectors_of(3))
    store.write(0, 1, keys_of(5)[3:], vectors_of(2))
    (folder,) = (tmp_path / "vectors").iterdir()
    found = statistics(str(folder))
    assert (found.encoder, found.about, found.rows, found.files, found.damaged) == (IDENTITY, about, 5, 2, 0)
    assert found.bytes == sum(path.stat().st_size for path in files_in(tmp_path))
    (folder / "00" / "torn.parquet").write_bytes(b"PAR1")
    (folder / "encoder.json").write_text("{", encoding="utf-8")
    assert (statistics(str(folder)).damaged, statistics(str(folder)).about) == (1, {})
    for path in (tmp_path / "vectors", folder):
        heading = show(str(path))[0]
        assert "1 encoders, 5 vectors" in str(heading)
