"""From the best scores of bins to the documents that may belong to a list, and a proof that no other does.

Let E bound |packed score - exact score|. The k-th largest packed score T of documents that surely may be listed proves
that k documents score at least T - E exactly; so does the k-th best exact score of earlier shards. The larger is the
floor F, and a document below F exactly is in no list. So all that counts scores at least F - E packed: the best
documents of the bins whose best reaches it, and whatever lies in bins whose second best reaches it.
"""

from dataclasses import dataclass

import torch

from oreline.search.fused.launch import Best
from oreline.search.fused.layout import NOTHING, Layout

SPARE_PLACES = 32
"""Bins looked at beyond k: near-ties within the error bound rarely fill them."""

_GROWTH = 8
_GROUP = 8
_LARGEST_TOP = 1 << 14
_INFINITE = float("inf")


@dataclass(frozen=True)
class Sought:
    """A list that is sought, on the device: `below` and `floor` as in `first_pass.Sought`, float64, one per query.

    `limited` says whether any ceiling is finite. `left_out` are pairs (query, document) that are not to be listed, two
    int64 tensors. `error` bounds |packed score - exact score|.
    """

    k: int
    below: torch.Tensor
    floor: torch.Tensor
    limited: bool
    left_out: tuple[torch.Tensor, torch.Tensor]
    error: float


@dataclass(frozen=True)
class Chosen:
    """Documents alone in their bins, flat (queries, documents), and bins to be scored in full (queries, bins).

    No bin gives both. `floor` is float64, one per query. `crowded` are queries for which this would take too long:
    they have no bins here.
    """

    single: tuple[torch.Tensor, torch.Tensor]
    full: tuple[torch.Tensor, torch.Tensor]
    floor: torch.Tensor
    crowded: torch.Tensor


def leave_out(best: Best, layout: Layout, rows: torch.Tensor, documents: torch.Tensor) -> None:
    """Takes documents (pairs with their queries) out of the bins whose best they are; the second best stays a bound."""
    bins, positions = layout.bin_of(documents)
    hit = layout.position(best.first[rows, bins]) == positions
    best.first[rows[hit], bins[hit]] = NOTHING


def choose(best: Best, layout: Layout, sought: Sought) -> Chosen:
    """Returns the bins that may hold a document of the list; what it leaves out, `leave_out` must have got."""
    left_out = sought.left_out
    rows, bins, floor, crowded = _reaching(best.first, sought)
    cut = floor - sought.error
    second = best.second[rows, bins]
    more = (second > NOTHING) & (second >= cut[rows])
    full = [_keys(rows[more], bins[more], layout)]
    if len(left_out[0]):
        at = _distinct(_keys(left_out[0], layout.bin_of(left_out[1])[0], layout))
        mine, bin_ = at // layout.stored_bins, at % layout.stored_bins
        second = best.second[mine, bin_]
        robbed = (best.first[mine, bin_] == NOTHING) & (second > NOTHING) & (second >= cut[mine]) & ~crowded[mine]
        full.append(at[robbed])
    keys = torch.cat(full)
    mine = keys // layout.stored_bins
    # Scoring an eighth of a shard pair by pair takes longer than scoring the query against all of it.
    crowded |= torch.bincount(mine, minlength=len(floor)) > max(_GROUP, layout.bins // 8)
    keys, mine = keys[~crowded[mine]], mine[~crowded[mine]]
    single = ~more & ~crowded[rows]
    rows, bins = rows[single], bins[single]
    documents = layout.document(bins, layout.position(best.first[rows, bins]))
    return Chosen((rows, documents), (mine, keys % layout.stored_bins), floor, crowded)


def _keys(rows: torch.Tensor, bins: torch.Tensor, layout: Layout) -> torch.Tensor:
    return rows * layout.stored_bins + bins


def _distinct(keys: torch.Tensor) -> torch.Tensor:
    keys = keys.sort().values
    return keys[torch.cat([torch.ones_like(keys[:1], dtype=torch.bool), keys[1:] > keys[:-1]])]


def _reaching(first: torch.Tensor, sought: Sought) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Returns the bins, flat, whose best score may belong to the list; the floor; and the queries with too many."""
    floor = sought.floor.clone()
    queries = torch.arange(len(first), device=first.device)
    rows, bins = [queries[:0]], [queries[:0]]
    scores, places = first, sought.k + SPARE_PLACES
    while True:
        values, found = top_bins(scores, places)
        below = sought.below[queries]
        floor[queries] = torch.maximum(floor[queries], _kth(values, below, sought) - sought.error)
        reached = (values > NOTHING) & (values >= (floor[queries] - sought.error)[:, None])
        open_ = reached[:, -1] & (values.shape[1] < first.shape[1])
        place, column = torch.nonzero(reached & ~open_[:, None], as_tuple=True)
        rows.append(queries[place])
        bins.append(found[place, column])
        queries, places = queries[open_], places * _GROWTH
        if len(queries) == 0 or places > _LARGEST_TOP:
            break
        scores = first[queries]
    crowded = torch.zeros(len(first), dtype=torch.bool, device=first.device)
    crowded[queries] = True
    return torch.cat(rows), torch.cat(bins), floor, crowded


def _kth(values: torch.Tensor, below: torch.Tensor, sought: Sought) -> torch.Tensor:
    """Returns the k-th largest score of documents that are surely below the ceiling, -inf where fewer are known."""
    sure = (values > NOTHING) & (values + sought.error < below[:, None])
    kth = sure & (sure.cumsum(1) == sought.k)
    return torch.where(kth, values, -_INFINITE).amax(1)


def top_bins(first: torch.Tensor, number: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns the largest values of each row (float64, descending) and their columns, at most `number`.

    The largest `number` lie in those groups of eight columns whose maxima are the largest: torch's top-k, which reads
    its rows many times, then reads an eighth of them.
    """
    rows, columns = first.shape
    groups = columns // _GROUP
    if 2 * number >= groups:
        top = torch.topk(first, min(number, columns), dim=1)
        return top.values.double(), top.indices
    # A group is every `groups`-th column, so that reading is contiguous.
    chosen = torch.topk(first.view(rows, _GROUP, groups).amax(1), number, dim=1, sorted=False).indices
    steps = torch.arange(_GROUP, device=first.device) * groups
    members = (chosen[:, :, None] + steps).view(rows, -1)
    top = torch.topk(first.gather(1, members), number, dim=1)
    return top.values.double(), members.gather(1, top.indices)
