"""What mining computes of a block's positives: ceilings, and the co-positives that cost a document no rank."""

from itertools import pairwise

import numpy as np

from oreline.recipe.settings import Mine
from oreline.search.questions import Asked
from oreline.search.scores import Float64, Int64
from oreline.search.shards import Targets
from oreline.selection.ceilings import ceiling_of


def ceilings(asked: Asked, count: int, settings: Mine) -> Float64:
    """Returns what a query's spare documents score less than: -inf without anything to go by, so that it gets none."""
    scores: list[list[float]] = [[] for _ in range(count)]
    for row, score, positive in zip(asked.queries.tolist(), asked.scores.tolist(), asked.positive, strict=True):
        if positive:
            scores[row].append(score)
    found = np.full(count, -np.inf)
    for row, mine_scores in enumerate(scores):
        ceiling = ceiling_of(settings.ceiling, mine_scores)
        if ceiling is not None:
            found[row] = ceiling
        elif mine_scores:
            found[row] = np.inf
    return found


def positives_ahead(
    asked: Asked, targets: Targets, searched: "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]"
) -> Int64:
    """Returns, per entry, how many searched positives of its query stand ahead of it: they cost it no rank."""
    ahead = np.zeros(len(asked.doc_ids), np.int64)
    edges = np.flatnonzero(np.diff(asked.queries, prepend=-1, append=-1))
    for start, stop in pairwise(edges):
        if stop - start == 1:
            continue
        part = slice(start, stop)
        counted = asked.positive[part] & searched[part]
        score, order = targets.scores[part][counted], targets.order[part][counted]
        for place in range(start, stop):
            own_score, own_order = targets.scores[place], targets.order[place]
            ahead[place] = ((score > own_score) | ((score == own_score) & (order < own_order))).sum()
    return ahead
