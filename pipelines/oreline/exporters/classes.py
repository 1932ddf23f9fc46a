"""Rows of classification data in a batch: other rows of the same class are no negatives, and how a trainer learns it.

Two ways are published. Gecko (arXiv 2403.20327, section 3.3) appends one unique id to the query, the positive and the
negatives of a row, so that the texts of other rows are told apart by their id alone. Gemini Embedding (arXiv
2503.07891) masks, in the loss, what is equal; a trainer needs a number for each row to do the same by class.
"""

import hashlib
from typing import Literal

from oreline.exporters.examples import Example
from oreline.ids import canonical_json

ClassRows = Literal["plain", "unique_suffix", "mask"]
"""The values of `export.class_rows`."""

MASK = "label"
"""The mask's column: the one name that sentence-transformers takes for numbers to a loss and not for one more text."""

_ID_DIGITS = 12
_MASK_BITS = 52
"""What any reader of JSON can hold exactly."""


def is_class_row(example: Example) -> bool:
    """Says whether a row's query has a class."""
    return example.triple.group is not None


def suffix_of(example: Example, place: int = 0) -> str:
    """Returns what is appended to all texts of a class row, an empty string for another row.

    `place` numbers several rows of one query, one per positive: each has an id of its own.
    """
    if not is_class_row(example):
        return ""
    digest = hashlib.sha256(canonical_json([example.triple.query_id, place])).hexdigest()
    return f" {digest[:_ID_DIGITS]}"


def mask_of(example: Example) -> int:
    """Returns the number of a row's class, 0 to 2**52 - 1: rows with one number are no negatives of each other.

    A row without a class has the number of its query's text, so that equal queries mask each other too.
    """
    triple = example.triple
    what = ["class", triple.group] if triple.group is not None else ["query", triple.query_hash]
    digest = hashlib.sha256(canonical_json([triple.dataset, *what])).digest()
    return int.from_bytes(digest[:8], "big") >> (64 - _MASK_BITS)
