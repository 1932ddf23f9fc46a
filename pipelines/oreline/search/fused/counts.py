"""How many documents stand ahead of each target, counted while the scores pass."""

from dataclasses import replace

import torch

from oreline.search.fused.hits import Corpus
from oreline.search.fused.launch import TARGETS_AT_ONCE, Counting, Outputs, Vectors, score_bins
from oreline.search.shards import Targets

_ABOVE, _POSITIONS = 18, 7


def counting_of(targets: Targets, queries: int, corpus: Corpus, error: float) -> Counting | None:
    """Returns what the kernel needs to count ahead of targets (ascending by query), None without any.

    A packed score above `high` is surely better than the target, one below `low` surely worse.
    """
    if len(targets.queries) == 0:
        return None
    device = corpus.order.device
    number = torch.bincount(torch.from_numpy(targets.queries), minlength=queries)
    first = number.cumsum(0) - number
    scores = torch.from_numpy(targets.scores)
    high, low = (scores + error).float(), (scores - error).float()
    infinite = torch.full_like(high, float("inf"))
    return Counting(
        first.int().to(device),
        number.int().to(device),
        torch.nextafter(low, -infinite).to(device),
        torch.nextafter(high, infinite).to(device),
        torch.empty((len(scores), corpus.layout.stored_bins), dtype=torch.int32, device=device),
        1 if int(number.max()) == 1 else TARGETS_AT_ONCE,
    )


def count_rest(queries: Vectors, corpus: Corpus, counting: Counting) -> None:
    """Counts the targets of queries that have more than one pass takes, in further passes over these queries."""
    rest = replace(counting, first=counting.first + counting.at_once, number=counting.number - counting.at_once)
    while int(rest.number.max()) > 0:
        chosen = rest.number > 0
        rest = replace(rest, first=rest.first[chosen], number=rest.number[chosen])
        queries = replace(queries, matrix=queries.matrix[chosen])
        score_bins(queries, corpus.vectors, corpus.layout, Outputs(counting=rest), corpus.config)
        rest = replace(rest, first=rest.first + rest.at_once, number=rest.number - rest.at_once)


def ahead(targets: Targets, queries: Vectors, corpus: Corpus, counting: Counting) -> torch.Tensor:
    """Returns per target (int64) the exact number of documents ahead of it: better ones, or as good and earlier.

    Documents too near to tell apart are scored exactly: one in a bin is known by its position, more are looked for.
    """
    device = corpus.order.device
    asked = [torch.from_numpy(each).to(device) for each in (targets.queries, targets.scores, targets.order)]
    counts = counting.counts[:, : corpus.layout.bins]
    near = counts & ((1 << _POSITIONS) - 1)
    several = near > 1
    total = torch.where(several, 0, counts >> _ABOVE).sum(1)
    target, bins = torch.nonzero(near == 1, as_tuple=True)
    positions = (counts[target, bins] >> _POSITIONS) & ((1 << (_ABOVE - _POSITIONS)) - 1)
    _add_wins(total, asked, queries, corpus, target, corpus.layout.document(bins, positions.long()))
    target, bins = torch.nonzero(several, as_tuple=True)
    for place, documents in corpus.members(target, bins):
        _add_wins(total, asked, queries, corpus, target[place], documents)
    return total


def _add_wins(  # noqa: PLR0917 - pairs, and what they are compared with
    total: torch.Tensor,
    asked: list[torch.Tensor],
    queries: Vectors,
    corpus: Corpus,
    target: torch.Tensor,
    documents: torch.Tensor,
) -> None:
    row, score, order = (each[target] for each in asked)
    scores = corpus.scores(queries, row, documents)
    wins = (scores > score) | ((scores == score) & (corpus.order[documents] < order))
    total += torch.bincount(target[wins], minlength=len(total))
