"""Duplicates of a finished stage by keeper, read in bounded memory: the largest clusters, and some rows of each."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from oreline.records import Reject
from oreline.reports.differences import CHARACTERS
from oreline.reports.finished import Finished
from oreline.tables.manifest import Manifest
from oreline.tables.reading import iterate
from oreline.tables.schema import from_arrow

DUPLICATES: dict[str, str] = {
    "exact_duplicate": "documents",
    "near_duplicate": "documents",
    "duplicate_query": "queries",
    "duplicate_pair": "queries",
    "near_query": "triples",
}
"""Reasons whose rejects name a keeper in `by`, with the table that they name."""

MERGED = "merged"
"""The reason that a merged row is shown with; its fate names the keeper."""

MOST_MEMBERS = 100
"""Members of a cluster that are read: those with the smallest ids."""

_KEEPERS_AT_ONCE = 2_000_000
_MEMBER_COLUMNS = ["row_id", "table", "reason", "detail", "by"]


@dataclass(frozen=True)
class Cluster:
    """A keeper with the number of rows that were dropped or merged for it, and the first of them by id.

    `text` is the keeper's, None if no finished stage holds it; `dropped` the reject of a keeper that a later step of
    the stage dropped after all. A member's payload is its text. Of all texts the first 10,000 characters are here.
    """

    keeper: str
    text: str | None
    dropped: Reject | None
    size: int
    members: tuple[Reject, ...]


@dataclass(frozen=True)
class Clusters:
    """A stage's clusters: how many there are, how many rows besides their keepers, and the largest ones."""

    clusters: int
    rows: int
    largest: tuple[Cluster, ...]


def compares_rows(manifest: Manifest) -> bool:
    """Says whether a stage looks for duplicates: dedup and filter, and others that dropped some."""
    return manifest.stage in ("dedup", "filter") or bool(DUPLICATES.keys() & manifest.drops.keys())


def clusters_of(
    output: str, manifests: Mapping[str, Manifest], stage: str, limit: int, *, at_once: int = _KEEPERS_AT_ONCE
) -> Clusters:
    """Returns the clusters of a stage, the largest `limit` of them in full; ties by the keeper's id.

    Keepers are counted by hash ranges of about `at_once` rows, one range in memory at a time; texts are read of what
    is shown. A cluster's members are at most `MOST_MEMBERS`, however large it is.
    """
    manifest = manifests[stage]
    rejected = sum(part.kinds.get(reason, 0) for part in manifest.tables.get("rejects", ()) for reason in DUPLICATES)
    rows = rejected + sum(part.kinds.get(MERGED, 0) for part in manifest.tables.get("fates", ()))
    ranges = 1 + rows // at_once
    number = 0
    largest: list[tuple[str, int]] = []
    for place in range(ranges):
        sizes = _sizes(output, manifest, place, ranges)
        number += sizes.height
        found = sizes.sort(["size", "keeper"], descending=[True, False]).head(limit)
        largest = sorted([*largest, *found.iter_rows()], key=lambda each: (-each[1], each[0]))[:limit]
    keepers = [keeper for keeper, _ in largest]
    members = _members(output, manifest, keepers)
    every = [each for some in members.values() for each in some]
    payloads = _with_payload(output, manifest, every)
    merged = [each.row_id for each in every if each.reason == MERGED]
    texts = _texts(output, manifests.values(), [*keepers, *merged])
    dropped = _dropped(output, manifest, keepers)

    def filled(member: Reject) -> Reject:
        text = texts.get(member.row_id) if member.reason == MERGED else payloads.get((member.row_id, member.reason))
        return replace(member, payload=text)

    def cluster(keeper: str, size: int) -> Cluster:
        gone = dropped.get(keeper)
        text = texts.get(keeper) or (gone.payload if gone else None)
        return Cluster(keeper, text, gone, size, tuple(filled(each) for each in members[keeper]))

    return Clusters(number, rows, tuple(cluster(keeper, size) for keeper, size in largest))


def _named(output: str, manifest: Manifest, columns: Iterable[str]) -> Iterator[pa.Table]:
    """Yields the rejects that are duplicates and the merged fates, by row group, as `row_id`, `by` and other columns.

    Columns that fates do not have are null there.
    """
    wanted = list(columns)
    reasons = pa.array(sorted(DUPLICATES), pa.string())
    for block in iterate(output, manifest.tables.get("rejects", ()), [*wanted, "reason"]):
        named = pc.and_(pc.is_in(block.column("reason"), reasons), pc.is_valid(block.column("by")))
        yield block.filter(named).select(wanted)
    for block in iterate(output, manifest.tables.get("fates", ()), ["unit_id", "into"]):
        some = block.filter(pc.is_valid(block.column("into")))
        here = {"row_id": some.column("unit_id"), "by": some.column("into")}
        nothing = pa.nulls(some.num_rows, pa.string())
        yield pa.table({name: here.get(name, nothing) for name in wanted})


def _sizes(output: str, manifest: Manifest, place: int, ranges: int) -> pl.DataFrame:
    """Returns the number of rows of each keeper in one hash range, as columns `keeper` and `size`."""
    empty = pl.DataFrame(schema={"keeper": pl.String, "size": pl.Int64})
    counted = [empty]
    for block in _named(output, manifest, ["by"]):
        keepers = pl.DataFrame({"keeper": pl.Series(block.column("by").to_pylist(), dtype=pl.String)})
        here = keepers.filter(pl.col("keeper").hash(seed=0) % ranges == place)
        counted.append(here.group_by("keeper").agg(pl.len().cast(pl.Int64).alias("size")))
    return pl.concat(counted).group_by("keeper").agg(pl.col("size").sum())


def _members(output: str, manifest: Manifest, keepers: list[str]) -> dict[str, list[Reject]]:
    """Returns the first members of some clusters by id, still without their payload."""
    found: dict[str, dict[str, Reject]] = {keeper: {} for keeper in keepers}
    wanted = pa.array(keepers, pa.string())
    for block in _named(output, manifest, _MEMBER_COLUMNS):
        for row in block.filter(pc.is_in(block.column("by"), wanted)).to_pylist():
            merged = row["reason"] is None
            member = Reject(row["row_id"], "", MERGED, "equal to the keeper", row["by"]) if merged else Reject(**row)
            some = found[row["by"]]
            some.setdefault(member.row_id, member)
            if len(some) > 2 * MOST_MEMBERS:
                found[row["by"]] = {each: some[each] for each in sorted(some)[:MOST_MEMBERS]}
    return {keeper: [some[each] for each in sorted(some)[:MOST_MEMBERS]] for keeper, some in found.items()}


def _with_payload(output: str, manifest: Manifest, members: Iterable[Reject]) -> dict[tuple[str, str], str]:
    """Returns what the rejects hold of some members, by id and reason."""
    wanted = {each.row_id for each in members if each.reason != MERGED}
    columns = ["row_id", "reason", "payload"]
    parts = manifest.tables.get("rejects", ())
    found = Finished(output, {}).within("rejects", parts, "row_id", wanted, columns=columns)
    rows = zip(*(found.column(name).to_pylist() for name in columns), strict=True)
    return {(row_id, reason): payload for row_id, reason, payload in rows if payload is not None}


def _texts(output: str, manifests: Iterable[Manifest], ids: Iterable[str]) -> dict[str, str]:
    """Returns texts of documents (title and text, as rejects hold them) and queries, from any stage that has them."""
    missing = set(ids)
    texts: dict[str, str] = {}
    tables = Finished(output, {})
    for manifest in manifests:
        for table, column, parts in (("documents", "doc_id", ["title", "text"]), ("queries", "query_id", ["query"])):
            if missing and table in manifest.tables:
                stored = manifest.tables[table]
                found = tables.within(table, stored, column, missing, columns=[column, *parts])
                for row in found.to_pylist():
                    whole = "\n".join(row[part] for part in parts if row[part])
                    texts[row[column]] = whole[:CHARACTERS]
                missing -= texts.keys()
    return texts


def _dropped(output: str, manifest: Manifest, keepers: Iterable[str]) -> dict[str, Reject]:
    """Returns the rejects of keepers that a later step of the same stage dropped after all."""
    parts = manifest.tables.get("rejects", ())
    found = Finished(output, {}).within("rejects", parts, "row_id", keepers, columns=None)
    return {each.row_id: each for each in from_arrow(Reject, found) if each.table in DUPLICATES.values()}
