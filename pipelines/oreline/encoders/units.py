"""Unit vectors in the store's number format."""

import numpy as np
import numpy.typing as npt

Float16 = npt.NDArray[np.float16]


def unit_float16(vectors: npt.NDArray[np.floating], dimension: int | None = None) -> Float16:
    """Returns rows cut to `dimension` numbers (None: all) and scaled to length 1, as float16.

    A row that is not finite or is zero becomes NaN. Cutting first is what a Matryoshka model is trained for (Kusupati
    and others 2022, arXiv:2205.13147): only the shorter vector's own length counts.
    """
    wide = vectors[:, :dimension].astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        norms = np.sqrt((wide * wide).sum(axis=1, keepdims=True))
        unit = np.where(np.isfinite(norms) & (norms > 0), wide / norms, np.nan)
    return unit.astype(np.float16)
