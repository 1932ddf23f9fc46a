"""How far a packed score of a tensor core can be from the exact one."""

from oreline.search.scores import float32_error


def packed_error(dimension: int, left_norm: float, right_norm: float, places: int) -> float:
    """Returns a bound on |packed score - exact score| for float16 rows of at most these lengths.

    Tensor cores multiply float16 exactly, but add unlike IEEE 754: a block of b products and the accumulator are
    aligned to the largest exponent, cut off there, added, and cut off to float32 (Fasi, Higham, Mikaitis, Pranesh,
    Numerical behavior of NVIDIA tensor cores, PeerJ Computer Science 7:e330, 2021; Khattak and Mikaitis, Accurate
    Models of NVIDIA Tensor Cores, arXiv:2512.07004: b is 4 to 16 for float16, from Volta to Blackwell). Even without
    the extra bits that newer ones keep, each of b + 1 terms and the sum loses less than 2**-23 of the largest
    magnitude, which is at most |x||y| and the error so far. Over d / b blocks that is d (b + 2) / b 2**-23 |x||y|, at
    most 3 d 2**-24 |x||y| for b >= 4. `float32_error` is 2 d 2**-24 |x||y| for sums that round; twice it leaves a
    quarter for the growth of partial sums and the rounding of limits.

    Packing replaces the lowest log2(places) of 23 digits: less than `places` 2**-23 of a score; taken one and a half
    times.
    """
    packing = 1.5 * places * 2.0**-23 * left_norm * right_norm
    return 2.0 * float32_error(dimension, left_norm, right_norm) + packing
