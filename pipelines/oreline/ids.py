"""Ids, hashes and hash ranges: the only place where a row gets its name."""

import hashlib
import json
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from json.encoder import encode_basestring
from typing import Self, TypeAlias, Union

Json: TypeAlias = Union[str, int, float, bool, list["Json"], dict[str, "Json"], None]  # noqa: UP007 - recursive

_MODULUS = 1 << 128
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def canonical_json(value: Json) -> bytes:
    """Returns the one encoding of `value` that is hashed: sorted keys, no spaces, UTF-8."""
    return _ENCODER.encode(value).encode("utf-8", "surrogatepass")


def sha256_json(value: Json) -> str:
    """Returns the sha256 of `canonical_json(value)`, 64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def document_id(dataset: str, own_id: str | None, title: str | None, text: str) -> str:
    """Returns `<dataset>/<own id>`; without an own id, sha256 of the JSON [title, text] in NFC stands for it."""
    if own_id is None:
        nfc = [None if part is None else unicodedata.normalize("NFC", part) for part in (title, text)]
        own_id = sha256_json([*nfc])
    return f"{dataset}/{own_id}"


def chunk_id(parent_id: str, position: int) -> str:
    """Returns the id of the chunk at `position` (from 0) of a document."""
    return f"{parent_id}#{position}"


def written_query_id(dataset: str, identity: Json) -> str:
    """Returns the id of a written query.

    `identity` holds writer, prompt id, doc_ids, request key or extractive settings, attempt and place.
    """
    return f"{dataset}/{sha256_json(identity)}"


def row_id(dataset: str, path: str, row: int) -> str:
    """Returns the id of a source row: `<dataset>/<path>:<line or row, from 1>`."""
    return f"{dataset}/{path}:{row}"


def unit_hash(unit: str) -> int:
    """Returns a 128-bit hash of an id, the same on every machine."""
    return int.from_bytes(hashlib.blake2b(unit.encode(), digest_size=16).digest(), "big")


def bucket_of(unit: str, buckets: int) -> int:
    """Returns the hash range, 0 to `buckets` - 1, that an id falls into."""
    return ((unit_hash(unit) >> 64) * buckets) >> 64


def seeded_fraction(seed: int, *parts: str) -> float:
    """Returns a number in [0, 1) drawn by sha256 from a seed and ids: a sampling rule that anyone can recompute."""
    # The canonical JSON of [seed, *parts], which is drawn from too often to go through the encoder.
    joined = ",".join([str(seed), *map(encode_basestring, parts)])
    return _fraction(hashlib.sha256(f"[{joined}]".encode("utf-8", "surrogatepass")).digest())


def seeded_fractions(seed: int, parts: Sequence[str], last: Iterable[str]) -> list[float]:
    """Returns `seeded_fraction(seed, *parts, each)` for each of `last`."""
    joined = ",".join([str(seed), *map(encode_basestring, parts)])
    begun = hashlib.sha256(f"[{joined}".encode("utf-8", "surrogatepass"))
    found = []
    for each in last:
        state = begun.copy()
        state.update(f",{encode_basestring(each)}]".encode("utf-8", "surrogatepass"))
        found.append(_fraction(state.digest()))
    return found


def _fraction(digest: bytes) -> float:
    return int.from_bytes(digest[:7], "big") / (1 << 56)


@dataclass(frozen=True)
class Tally:
    """A number of units with the sum of their hashes modulo 2**128: two equal tallies hold the same units."""

    count: int = 0
    hash_sum: int = 0

    @classmethod
    def of(cls, units: Iterable[str]) -> Self:
        """Returns the tally of `units`, each counted as often as it comes."""
        count = total = 0
        for unit in units:
            count += 1
            total += unit_hash(unit)
        return cls(count, total % _MODULUS)

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.count + other.count, (self.hash_sum + other.hash_sum) % _MODULUS)

    def to_json(self) -> Json:
        """Returns [count, hash sum as 32 hexadecimal digits]."""
        return [self.count, f"{self.hash_sum:032x}"]

    @classmethod
    def from_json(cls, value: Json) -> Self:
        """Reads what `to_json` wrote; raises ValueError for anything else."""
        match value:
            case [int(count), str(digits)]:
                return cls(count, int(digits, 16))
        raise ValueError(f"a tally is [count, hexadecimal sum], found {value!r}")
