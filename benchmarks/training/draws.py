"""Rows for arms that are to be compared: the same anchors in the same places, and as many of them."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from training.rows import Row


@dataclass(frozen=True)
class Drawn:
    """The rows of an arm, and how many of them stand for anchors that it has no row for."""

    rows: Sequence[Row]
    replaced: int


def drawn(arms: Mapping[str, Sequence[Row]], number: int, seed: int) -> dict[str, Drawn]:
    """Returns so many rows of each arm, one per anchor, drawn and ordered by the seed.

    The anchors are drawn from those of all arms. Where an arm has no row for one, as its rules dropped it, the next
    anchor of the draw that it has a row for takes its place, so that all arms take the same number of steps. Raises
    ValueError if an arm has fewer anchors than `number`.
    """
    anchors = sorted({row.anchor for rows in arms.values() for row in rows}, key=lambda each: _place(seed, each))
    return {arm: _of_arm(arm, rows, anchors, number) for arm, rows in arms.items()}


def _of_arm(arm: str, rows: Sequence[Row], anchors: Sequence[str], number: int) -> Drawn:
    own: dict[str, Row] = {}
    for row in rows:
        own.setdefault(row.anchor, row)
    if len(own) < number:
        raise ValueError(f"{arm}: {len(own)} anchors have a row, {number} are wanted; ask for fewer with --rows")
    reserve = (anchor for anchor in anchors[number:] if anchor in own)
    chosen = [own[anchor] if anchor in own else own[next(reserve)] for anchor in anchors[:number]]
    return Drawn(chosen, sum(anchor not in own for anchor in anchors[:number]))


def _place(seed: int, anchor: str) -> bytes:
    return hashlib.sha256(f"{seed} {anchor}".encode()).digest()
