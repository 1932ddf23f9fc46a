"""Which documents of a query are graded, in which order they are shown, and in how many calls."""

from collections.abc import Sequence

from oreline.ids import seeded_fraction
from oreline.recipe.settings import Ceiling
from oreline.records import Candidate
from oreline.selection.ceilings import ceiling_of

MOST_SHOWN = 32
"""Documents in one call, at most: under the default recipe all of a query with up to four given documents."""


def judged_documents(
    candidate: Candidate, top_k: int, negatives: int, ceiling: Ceiling, *, per_miner: bool = False
) -> list[str]:
    """Returns the ids of the documents that are graded for a query, each once.

    All positives, all known negatives, the first `top_k` of the pool, and the first 2 x `negatives` of the pool whose
    score is below the ceiling (of `mine`): those that select may take. `per_miner` adds the first 2 x `negatives`
    below the ceiling of each miner's own list.
    """
    limit = ceiling_of(ceiling, [each.score for each in candidate.positives])
    lower = [each for each in candidate.pool if limit is None or each.score < limit]
    below = [each.doc_id for each in lower]
    chosen = [each.doc_id for each in (*candidate.positives, *candidate.known)]
    chosen += [each.doc_id for each in candidate.pool[:top_k]]
    chosen += below[: 2 * negatives]
    if per_miner:
        hits = sorted((hit.miner, hit.rank, each.doc_id) for each in lower for hit in each.hits)
        for miner in dict.fromkeys(name for name, _, _ in hits):
            chosen += [doc_id for name, _, doc_id in hits if name == miner][: 2 * negatives]
    return list(dict.fromkeys(chosen))


def calls_of(query_id: str, doc_ids: Sequence[str]) -> list[list[str]]:
    """Returns the documents call by call, at most 32 in each, in an order drawn by sha256 of query and document.

    The order is drawn over all documents and then cut into calls of nearly equal length, so that neither place nor
    call carries a hint. It depends on the ids alone.
    """
    drawn = sorted(doc_ids, key=lambda doc_id: (seeded_fraction(0, "listwise", query_id, doc_id), doc_id))
    calls = -(-len(drawn) // MOST_SHOWN)
    return [drawn[place * len(drawn) // calls : (place + 1) * len(drawn) // calls] for place in range(calls)]
