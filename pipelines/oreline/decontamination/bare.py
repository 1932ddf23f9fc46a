"""Short texts without their titles: a corpus may have the same text under another title, or under none."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from oreline.minhash.forms import forms_of
from oreline.minhash.grams import units

_SHORT_CHARACTERS = 60
"""Characters of a short text's word at most, on the average; longer texts need not be counted."""

_Ints = npt.NDArray[np.int64]


def bare_lengths(texts: pa.Array, titles: pa.Array, ngram: int) -> tuple[_Ints, _Ints]:
    """Returns the places of the short texts that have a title, and their words without it, at least one each."""
    titled = pc.greater(pc.fill_null(pc.binary_length(titles), 0), 0)
    short = pc.less_equal(pc.fill_null(pc.utf8_length(texts), 0), _SHORT_CHARACTERS * ngram)
    places = np.flatnonzero(pc.and_(titled, short).to_numpy(zero_copy_only=False))
    lengths = np.diff(units(forms_of(texts.take(pa.array(places)), "text"), "word").starts)
    return places[lengths > 0], lengths[lengths > 0]
