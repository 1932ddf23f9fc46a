"""The embedding store: content-addressed, atomic, and it survives torn files."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oreline.embeddings.store import VectorStore, bucket_count, bucket_of_key, vector_key
from oreline.encoders.units import unit_float16

IDENTITY = "ab" * 32


def key(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def vector(number: int) -> np.ndarray:
    return unit_float16(np.random.default_rng(number).normal(size=(1, 8)).astype(np.float32))


def fill(store: VectorStore, numbers: range, buckets: int) -> None:
    for bucket in range(buckets):
        mine = [number for number in numbers if bucket_of_key(key(number), buckets) == bucket]
        if mine:
            store.write(bucket, buckets, [key(n) for n in mine], np.concatenate([vector(n) for n in mine]))


@given(st.integers(0, 2**256 - 1), st.sampled_from([1, 2, 4, 64, 256]))
def test_ranges_of_keys_are_nested(number: int, buckets: int) -> None:
    digits = f"{number:064x}"
    assert bucket_of_key(digits, buckets) == bucket_of_key(digits, 256) * buckets // 256


def test_what_one_run_wrote_in_other_ranges_is_found_by_the_next(tmp_path: Path) -> None:
    store = VectorStore(str(tmp_path), IDENTITY, 8)
    fill(store, range(100), 1)
    fill(store, range(100, 200), 16)
    fill(store, range(200, 300), 256)
    numbers = [5, 250, 150, 5, 299]
    vectors, found = store.lookup([key(number) for number in numbers])
    assert found.all()
    assert vectors.tobytes() == np.concatenate([vector(number) for number in numbers]).tobytes()
    assert store.present({key(1), key(1_000)}) == {key(1)}
    assert not store.lookup([key(1_000)])[1].any()


def test_vectors_of_another_encoder_are_not_met(tmp_path: Path) -> None:
    fill(VectorStore(str(tmp_path), IDENTITY, 8), range(10), 1)
    assert VectorStore(str(tmp_path), "cd" * 32, 8).present({key(1)}) == set()


def test_keys_hold_encoder_and_string() -> None:
    assert vector_key(IDENTITY, "a") != vector_key("cd" * 32, "a") != vector_key("cd" * 32, "b")


@pytest.mark.parametrize("keep", [0, 3, 200, -20])
def test_a_torn_file_is_survived_and_named(tmp_path: Path, keep: int) -> None:
    store = VectorStore(str(tmp_path), IDENTITY, 8)
    fill(store, range(50), 1)
    torn = next(tmp_path.rglob("*.parquet"))
    torn.write_bytes(torn.read_bytes()[:keep])
    fill(store, range(50, 60), 1)
    _, found = store.lookup([key(1), key(55)])
    assert found.tolist() == [False, True]
    assert store.damaged == [str(torn)]


def test_a_flipped_byte_is_noticed(tmp_path: Path) -> None:
    store = VectorStore(str(tmp_path), IDENTITY, 8)
    fill(store, range(50), 1)
    path = next(tmp_path.rglob("*.parquet"))
    body = bytearray(path.read_bytes())
    place = bytes(body).index(vector(7).tobytes())
    body[place] ^= 1
    path.write_bytes(bytes(body))
    assert not store.lookup([key(7)])[1].any()
    assert store.damaged == [str(path)]


def test_what_is_no_unit_vector_is_not_taken(tmp_path: Path) -> None:
    store = VectorStore(str(tmp_path), IDENTITY, 8)
    with pytest.raises(ValueError, match="not finite"):
        store.write(0, 1, [key(1)], np.full((1, 8), np.nan, np.float16))
    with pytest.raises(ValueError, match="outside bucket"):
        store.write(1 - bucket_of_key(key(1), 2), 2, [key(1)], vector(1))
    assert np.isnan(unit_float16(np.array([[0.0, 0.0], [np.inf, 1.0]], np.float32))).all()


def test_the_number_of_ranges_follows_the_rows() -> None:
    assert [bucket_count(rows) for rows in (0, 1_024, 1_025, 22_000, 10**9)] == [1, 1, 2, 32, 256]


def test_a_key_is_looked_up_for_every_place_that_asks_for_it(tmp_path: Path) -> None:
    store = VectorStore(str(tmp_path), "ab" * 32, 2)
    keys = [vector_key("ab" * 32, text) for text in ("one", "two")]
    store.write(0, 1, keys, np.array([[1, 0], [0, 1]], np.float16))
    absent = vector_key("ab" * 32, "three")
    vectors, found = store.lookup([keys[1], absent, keys[0], keys[1]])
    assert found.tolist() == [True, False, True, True]
    assert vectors.tolist() == [[0, 1], [0, 0], [1, 0], [0, 1]]
