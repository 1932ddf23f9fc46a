"""Ranges of hashes into which documents and queries are spread, by what is searched for them."""

import hashlib
from collections.abc import Sequence

from oreline.embeddings.store import bucket_count, bucket_of_key
from oreline.ids import bucket_of
from oreline.job import Job
from oreline.search.corpus import SHARD_ROWS, scope_of

BLOCK_QUERIES = 4_096
LARGE_BLOCK_QUERIES = 16_384
"""About how many queries share one pass over the corpus: fewer while there are less blocks than `FEW_BLOCKS`."""

FEW_BLOCKS = 8

REPORT = -1
"""The key under which reports go where rows go; no range has it."""


def keys_of_documents(
    job: Job, scopes: Sequence[str], vector_keys: Sequence[str | None], ids: Sequence[str]
) -> list[int]:
    """Returns the shard of each document; how finely they are cut changes no result.

    Documents go together whose vectors stand in the same files of the store, so that no shard reads all of it. Where a
    file of candidates is the reference, they have none.
    """
    rows = _rows(job, "documents")
    buckets = 1 if None in vector_keys else bucket_count(rows, SHARD_ROWS)
    more = -(-rows // (buckets * SHARD_ROWS))
    return [
        _key(scope, (0 if key is None else bucket_of_key(key, buckets)) * more + bucket_of(own_id, more))
        for scope, key, own_id in zip(scopes, vector_keys, ids, strict=True)
    ]


def keys_of_queries(job: Job, datasets: Sequence[str], ids: Sequence[str]) -> list[int]:
    """Returns the block of each query; how finely they are cut changes no result."""
    rows = _rows(job, "queries")
    blocks = -(-rows // BLOCK_QUERIES)
    if not job.recipe.runs():
        # Imported candidates are held beside their queries, and may be a thousand per query.
        blocks = max(-(-rows // LARGE_BLOCK_QUERIES), min(FEW_BLOCKS, blocks))
    scopes = [scope_of(job.recipe.mine.within, dataset) for dataset in datasets]
    return [_key(scope, bucket_of(own_id, blocks)) for scope, own_id in zip(scopes, ids, strict=True)]


def _rows(job: Job, table: str) -> int:
    return sum(part.rows for part in job.parts(table))


def _key(scope: str, number: int) -> int:
    """Returns a key for (scope, range); scopes that share one are told apart where it is used."""
    digest = hashlib.blake2b(f"{scope}\0{number}".encode(), digest_size=7).digest()
    return int.from_bytes(digest, "big")
