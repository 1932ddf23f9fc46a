"""The search of one shard for some queries, from vectors on the device to exact hits on the device."""

from collections.abc import Sequence

import torch

from oreline.search.fused.finalists import Sought, choose, leave_out
from oreline.search.fused.hits import Corpus, Hits, score
from oreline.search.fused.launch import Best, Counting, Outputs, Vectors, score_bins


def find(
    corpus: Corpus, queries: Vectors, lists: Sequence[Sought], counting: Counting | None = None
) -> tuple[list[Hits | None], torch.Tensor]:
    """Returns each list's best k (None for k = 0), and which queries were too crowded to be searched (bool).

    A list leaves out what earlier ones do. `counting` is filled in the same pass.
    """
    hits: list[Hits | None] = []
    crowded = torch.zeros(len(queries.matrix), dtype=torch.bool, device=queries.matrix.device)
    for sought, best in zip(lists, _scored(corpus, queries, lists, counting), strict=True):
        if best is None:
            hits.append(None)
            continue
        leave_out(best, corpus.layout, *sought.left_out)
        chosen = choose(best, corpus.layout, sought)
        crowded |= chosen.crowded
        hits.append(score(corpus, queries, chosen, sought))
    return hits, crowded


def _scored(corpus: Corpus, queries: Vectors, lists: Sequence[Sought], counting: Counting | None) -> list[Best | None]:
    """Runs the kernel: once for all counts, all lists without ceilings and one with; again per further one."""

    def room() -> Best:
        return Best.empty(len(queries.matrix), corpus.layout, queries.matrix.device)

    whole = room() if any(each.k and not each.limited for each in lists) else None
    left = Outputs(best=whole, counting=counting)
    scored: list[Best | None] = []
    for each in lists:
        if each.k == 0 or not each.limited:
            scored.append(whole if each.k else None)
            continue
        below = room()
        outputs = Outputs(left.best, below, _rounded_up(each.below + each.error), left.counting)
        score_bins(queries, corpus.vectors, corpus.layout, outputs, corpus.config)
        scored.append(below)
        left = Outputs()
    if left.best is not None or left.counting is not None:
        score_bins(queries, corpus.vectors, corpus.layout, left, corpus.config)
    return scored


def _rounded_up(values: torch.Tensor) -> torch.Tensor:
    """Returns float32 values that are not smaller."""
    rounded = values.float()
    return torch.nextafter(rounded, torch.full_like(rounded, float("inf")))
