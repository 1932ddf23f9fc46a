"""A checkpoint's hash is computed once, also over processes, and again whenever the file changed."""

import hashlib
import os
import time
from pathlib import Path

import pytest

from oreline.encoders import hashing
from oreline.encoders.hashing import LEAST_BYTES, cache_folder, file_sha256

BODY = b"weights " * (LEAST_BYTES // 8)


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Sets a cache folder of the test's own, and forgets what the process knows."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    hashing._file_sha256.cache_clear()
    return Path(cache_folder())


def settled(path: Path, body: bytes = BODY) -> Path:
    """Writes a file that was changed a minute ago, as far as its clock goes."""
    path.write_bytes(body)
    minute_ago = time.time() - 60
    os.utime(path, (minute_ago, minute_ago))
    return path


def as_a_new_process(path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Returns the hash as another process would, long after the file was written."""
    hashing._file_sha256.cache_clear()
    later = time.time() + 3600
    monkeypatch.setattr(time, "time", lambda: later)
    return file_sha256(str(path))


def entries(kept: Path) -> list[Path]:
    return sorted(kept.iterdir()) if kept.is_dir() else []


def test_another_process_takes_the_hash_from_disk(tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = settled(tmp_path / "model.safetensors")
    wanted = hashlib.sha256(BODY).hexdigest()
    assert as_a_new_process(path, monkeypatch) == wanted
    (entry,) = entries(kept)
    monkeypatch.setattr(hashlib, "file_digest", None)  # whoever hashes now fails
    assert as_a_new_process(path, monkeypatch) == wanted
    entry.unlink()
    with pytest.raises(TypeError):
        as_a_new_process(path, monkeypatch)


def test_a_changed_file_is_hashed_anew(tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = settled(tmp_path / "model.safetensors")
    as_a_new_process(path, monkeypatch)
    other = b"w" + BODY[1:][::-1]
    assert as_a_new_process(settled(path, other), monkeypatch) == hashlib.sha256(other).hexdigest()
    assert len(entries(kept)) == 2


@pytest.mark.parametrize("spoil", [b"", b"0" * 64, b"0" * 64 + b" 0123456789abcdef\n", b"\xff\xfe"])
def test_an_entry_that_was_spoilt_is_made_anew(
    tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch, spoil: bytes
) -> None:
    path = settled(tmp_path / "model.safetensors")
    as_a_new_process(path, monkeypatch)
    (entry,) = entries(kept)
    sound = entry.read_bytes()
    entry.write_bytes(spoil)
    assert as_a_new_process(path, monkeypatch) == hashlib.sha256(BODY).hexdigest()
    assert entry.read_bytes() == sound


def test_an_entry_of_another_file_does_not_pass_for_this_ones(
    tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = settled(tmp_path / "a.safetensors"), settled(tmp_path / "b.safetensors", BODY[::-1])
    as_a_new_process(first, monkeypatch)
    (of_first,) = entries(kept)
    as_a_new_process(second, monkeypatch)
    (of_second,) = set(entries(kept)) - {of_first}
    of_second.write_bytes(of_first.read_bytes())
    assert as_a_new_process(second, monkeypatch) == hashlib.sha256(BODY[::-1]).hexdigest()


def test_nothing_is_kept_of_a_file_that_has_just_been_written_or_is_small(tmp_path: Path, kept: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(BODY)
    file_sha256(str(path))
    file_sha256(str(settled(tmp_path / "config.json", b"{}")))
    assert entries(kept) == []


def test_a_cache_folder_that_cannot_be_written_costs_time_and_nothing_else(
    tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.parent.parent.mkdir(parents=True)
    kept.parent.write_text("a file where the folder should be", encoding="utf-8")
    path = settled(tmp_path / "model.safetensors")
    assert as_a_new_process(path, monkeypatch) == hashlib.sha256(BODY).hexdigest()
