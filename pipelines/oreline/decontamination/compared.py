"""Texts in the form in which they are compared: their words, and the character 5-grams of short ones."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from oreline.minhash.forms import forms_of
from oreline.minhash.grams import Sequences, Shape, grams, shingle_sets, units
from oreline.records import Content

MOST_WORDS = 64
"""Longer texts have no character 5-grams: their runs of words find more of what was edited."""

CHARACTERS = Shape(5, "character")


@dataclass(frozen=True)
class Compared:
    """Texts of one content type: words as 32-bit hashes, in order, and sets of character 5-grams.

    Where near matches are not looked for, and for texts of more than 64 words, the sets are empty.
    """

    words: Sequences
    characters: Sequences

    def __len__(self) -> int:
        return len(self.words)

    def take(self, rows: npt.NDArray[np.int64]) -> "Compared":
        """Returns some texts, in the order given."""
        return Compared(self.words.take(rows), self.characters.take(rows))


def compared(texts: pa.Array, content: Content, titles: pa.Array | None = None, *, near: bool) -> Compared:
    """Returns texts (Arrow strings, each with its title before it) in the normal form of their content type.

    Text: without case and punctuation. Code: as it is. In scripts without spaces every character is a word.
    """
    words = units(forms_of(texts, content, titles), "word")
    lengths = np.diff(words.starts)
    short = np.flatnonzero((lengths > 0) & (lengths <= MOST_WORDS) & near)
    chosen = pa.array(short)
    forms = forms_of(texts.take(chosen), content, titles.take(chosen) if titles is not None else None)
    sets = shingle_sets(grams(forms, CHARACTERS))
    sizes = np.zeros(len(words), np.int64)
    sizes[short] = np.diff(sets.starts)
    return Compared(words, Sequences(sets.values, _starts(sizes)))


def joined(parts: Sequence[Compared]) -> Compared:
    """Returns the texts of all parts, in order; no parts have no texts."""
    return Compared(_joined([part.words for part in parts]), _joined([part.characters for part in parts]))


def _joined(parts: Sequence[Sequences]) -> Sequences:
    lengths = [np.diff(part.starts) for part in parts]
    values = [part.values for part in parts]
    return Sequences(
        np.concatenate([np.empty(0, np.uint32), *values]), _starts(np.concatenate([np.empty(0, np.int64), *lengths]))
    )


def _starts(lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
