"""Normal forms by the block: texts of an Arrow table as bytes that the kernels cut into words.

Most texts are ASCII, and for those the normal form is a table of 256 entries that the kernel applies as it reads. All
others are normalised by Python's Unicode database, text by text, never word by word.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from oreline.ids import Json
from oreline.minhash.compiled import compiled
from oreline.minhash.folding import Folds
from oreline.minhash.words import prepared
from oreline.records import Content

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

NORMALISATION: dict[str, Json] = {
    "version": 1,
    "text": "NFKC, case folded, punctuation and symbols become spaces (kept where nothing else is there), single "
    "spaces; in scripts without spaces every character is a word",
    "code": "NFC; words are what white space separates; case and punctuation count",
}
"""What is compared, by content type, as the manifest states it. The version rises when a form changes."""

AS_IT_IS, FOLDED = 0, 1
"""Rows of `FORMS`: what a byte becomes. A space ends a word."""

_SPACE = ord(" ")
_WHITE = b"\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f "


def _forms() -> Bytes:
    forms = np.tile(np.arange(256, dtype=np.uint8), (2, 1))
    forms[:, list(_WHITE)] = _SPACE
    for code in range(128):
        sign = chr(code)
        forms[FOLDED, code] = ord(sign.lower()) if sign.isalnum() else _SPACE
    return forms


FORMS = _forms()


@dataclass(frozen=True)
class Forms:
    """Texts before they are cut into words: row i is data[starts[i, 0]:ends[i, 0]], a space, data[starts[i, 1]:...].

    `data` is UTF-8; `form` says for each row by which row of `FORMS` its bytes are read. `starts` and `ends` have the
    shape (texts, 2): title and text.
    """

    data: Bytes
    starts: Ints
    ends: Ints
    form: Bytes


def forms_of(texts: pa.Array | pa.ChunkedArray, content: Content, titles: pa.Array | None = None) -> Forms:
    """Returns the normal forms of texts of one content type, each with its title before it where it has one.

    `texts` and `titles` are Arrow strings of equal length; a null is an empty text.
    """
    bodies, body_starts = buffer_of(texts)
    heads, head_starts = buffer_of(pa.nulls(len(texts), pa.string()) if titles is None else titles)
    plain = _is_plain(bodies, body_starts, heads, head_starts, FORMS[FOLDED] if content == "text" else FORMS[AS_IT_IS])
    shift = len(heads)
    starts = np.stack([head_starts[:-1], body_starts[:-1] + shift], axis=1)
    ends = np.stack([head_starts[1:], body_starts[1:] + shift], axis=1)
    others = np.flatnonzero(~plain)
    form = np.full(len(starts), FOLDED if content == "text" else AS_IT_IS, np.uint8)
    pieces = [heads, bodies]
    if len(others):
        folded, place = _others(np.concatenate(pieces), starts[others], ends[others], content), shift + len(bodies)
        lengths = np.array([len(each) for each in folded], np.int64)
        stops = place + np.cumsum(lengths)
        starts[others] = np.stack([np.zeros_like(stops), stops - lengths], axis=1)
        ends[others] = np.stack([np.zeros_like(stops), stops], axis=1)
        form[others] = AS_IT_IS
        pieces.append(np.concatenate(folded))
    data = bodies if not len(heads) and not len(others) else np.concatenate(pieces)
    return Forms(data, starts, ends, form)


def _others(data: Bytes, starts: Ints, ends: Ints, content: Content) -> list[Bytes]:
    """Returns the normal forms of texts that the table of bytes does not give."""
    written, lengths = _folds(content).folded(data, starts, ends)
    stops = np.cumsum(np.maximum(lengths, 0))
    found = [written[stop - length : stop] for stop, length in zip(stops.tolist(), lengths.tolist(), strict=True)]
    for row in np.flatnonzero(lengths < 0).tolist():
        title, text = (data[starts[row, side] : ends[row, side]].tobytes() for side in range(2))
        whole = (title + b"\n" + text if title else text).decode("utf-8", "surrogatepass")
        found[row] = np.frombuffer(prepared(whole, content), np.uint8)
    return found


@cache
def _folds(content: Content) -> Folds:
    return Folds(content)


def buffer_of(strings: pa.Array | pa.ChunkedArray) -> tuple[Bytes, Ints]:
    """Returns the bytes of Arrow strings and where each starts, with the end of the last one."""
    array = strings.combine_chunks() if isinstance(strings, pa.ChunkedArray) else strings
    if isinstance(array, pa.ChunkedArray):  # more than 2**31 bytes do not fit one array of strings
        array = pa.concat_arrays([chunk.cast(pa.large_binary()) for chunk in array.chunks])
    if array.null_count:
        array = array.cast(pa.large_binary()).fill_null(b"")
    width = np.int64 if pa.types.is_large_string(array.type) or pa.types.is_large_binary(array.type) else np.int32
    if len(array) == 0:
        return np.empty(0, np.uint8), np.zeros(1, np.int64)
    _, offsets, values = cast("Sequence[bytes | None]", array.buffers())
    starts = np.frombuffer(offsets or b"", width)[array.offset : array.offset + len(array) + 1].astype(np.int64)
    data = np.frombuffer(values, np.uint8) if values is not None else np.empty(0, np.uint8)
    return data[starts[0] : starts[-1]], starts - starts[0]


@compiled
def _is_plain(bodies: Bytes, body_starts: Ints, heads: Bytes, head_starts: Ints, form: Bytes) -> npt.NDArray[np.bool_]:
    """Says for each text whether the table gives its normal form: all is ASCII, and some of it is no space."""
    rows = len(body_starts) - 1
    plain = np.empty(rows, np.bool_)
    for row in range(rows):
        signs = 0
        filled = 0
        for place in range(head_starts[row], head_starts[row + 1]):
            signs |= heads[place]
            filled |= form[heads[place]] ^ 32
        for place in range(body_starts[row], body_starts[row + 1]):
            signs |= bodies[place]
            filled |= form[bodies[place]] ^ 32
        plain[row] = signs < 128 and filled != 0
    return plain
