"""The steps of dedup as functions from references to references; the stage wires them. No Beam here.

A step's key is a group's ordinal or a hash range. Steps with several kinds of output put the kind into the key.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

import numpy as np
import pyarrow as pa

from oreline.heartbeat import Heartbeat
from oreline.job import Job
from oreline.minhash.clusters import decide
from oreline.minhash.comparing import Side
from oreline.minhash.components import labels_of
from oreline.minhash.forms import Ints
from oreline.minhash.grams import Hashes
from oreline.minhash.groups import Group, group_of, groups, groups_apart
from oreline.minhash.members import members_of
from oreline.minhash.parameters import Parameters
from oreline.minhash.remembered import exact_against, known_manifests
from oreline.minhash.screened import Screened, Screening, screen
from oreline.minhash.signing import sign
from oreline.minhash.stars import CENTRES, distinct_edges, star_edges
from oreline.shuffle import Reference, Scatter, gather

_RANGE_ROWS = 1_000_000


class Route(IntEnum):
    """Where an output goes: the lowest digits of its key."""

    COMPARE = 0
    JOIN = 1
    DESCRIBE = 2
    REWRITE = 3
    MOVE = 4
    DROP = 5
    REPORT = 6


_ROUTES = 8


def routed(keys: Ints, route: Route) -> Ints:
    """Returns keys with a route."""
    return keys * _ROUTES + route


def routed_to(key: int, route: Route) -> int:
    """Returns one key with a route."""
    return key * _ROUTES + route


def along(route: Route, reference: Reference) -> Iterator[Reference]:
    """Yields a reference under its plain key if it goes that way."""
    key, encoded = reference
    if key % _ROUTES == route:
        yield key // _ROUTES, encoded


def ranges_of(hashes: Hashes, ranges: int) -> Ints:
    """Returns the hash range, 0 to `ranges` - 1, of each hash."""
    half = np.uint64(32)
    return np.asarray(((hashes >> half) * np.uint64(ranges)) >> half, np.int64)


def spread(nodes: Ints, ranges: int) -> Ints:
    """Returns a range, 0 to `ranges` - 1, for each node; neighbouring nodes fall apart."""
    return ranges_of(nodes.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15), ranges)


@dataclass(frozen=True)
class Steps:
    """The steps of one job."""

    job: Job
    parameters: Parameters

    @cached_property
    def estimating(self) -> bool:
        """Whether similarities to known documents are estimates, as their shingles are not kept."""
        return not exact_against(self.job.recipe)

    @cached_property
    def _heartbeat(self) -> Heartbeat:
        """One of a worker's for all groups: each has a file that the driver reads."""
        return Heartbeat(self.job)

    def ranges(self, rows: int = 1) -> int:
        """Returns the number of hash ranges for `rows` rows per document; what comes out does not depend on it."""
        return 1 + self._documents * rows // _RANGE_ROWS

    @cached_property
    def _documents(self) -> int:
        """Documents that go through the shuffle: this job's and the known ones."""
        known = sum(each.rows("signatures") for each in known_manifests(self.job.recipe).values())
        return known + sum(part.rows for part in self.job.parts("documents"))

    def listed(self) -> Iterator[tuple[int, bytes]]:
        """Yields all groups, each under its ordinal."""
        for group in groups(self.job):
            yield group.ordinal, group.encode()

    def signed(self, key: int, references: Iterable[bytes], screening: Screening | None = None) -> Iterator[Reference]:
        """From a group to its buckets by range, and to what is remembered of it; none once the user stopped the run.

        And to what `screening` drops: that is in no bucket and not remembered.
        """
        del key
        ranges = self.ranges(1 + self.parameters.bands)
        for encoded in references:
            if self.job.stop_requested():
                return
            group = Group.decode(encoded)
            without: Ints | None = None
            if screening is not None and not group.known:
                screened = screen(group, self.job, screening)
                without = screened.rows
                yield from self._dropped(group, screened)
            found = sign(group, self.parameters, without)
            for tag, table in (("equal", found.equal), ("bands", found.bands)):
                keys = ranges_of(table.column("bucket").to_numpy(), ranges)
                yield from self._scattered(tag, keys, Route.JOIN, table)
            remembered = group_of(found.sketches.column("node").to_numpy())
            yield from self._scattered("sketches", remembered, Route.REWRITE, found.sketches)
            if not group.known:
                self._heartbeat.add(group.reference.rows, "signed")
        self._heartbeat.flush()

    def edges(self, key: int, references: Iterable[bytes]) -> Iterator[Reference]:
        """From a range of buckets to star edges: those to compare by group, the others to be joined, and classes."""
        del key
        found = gather(references)
        if "equal" in found:
            table = found["equal"]
            buckets, checks, nodes = (table.column(name).to_numpy() for name in ("bucket", "check", "node"))
            # The second hash tells documents apart that share the first by chance.
            equal = star_edges(buckets ^ (checks * np.uint64(0x9E3779B97F4A7C15)), nodes.astype(np.uint64), nodes, 1)
            yield from self._joined(equal, Route.JOIN)
            yield from self._classes(equal)
        if "bands" in found:
            table = found["bands"]
            buckets, classes, nodes = (table.column(name).to_numpy() for name in ("bucket", "class", "node"))
            verified = self.parameters.verify != "none"
            near = star_edges(buckets, classes, nodes, CENTRES if verified else 1)
            if verified:
                yield from self._scattered("edges", group_of(near.column("low").to_numpy()), Route.COMPARE, near)
            else:
                yield from self._joined(near, Route.JOIN)

    def first_ends(self, key: int, references: Iterable[bytes]) -> Iterator[Reference]:
        """From edges by the group of their first ends to the same with what they are compared by, by the other."""
        del key
        group, rest = groups_apart(references)
        found = gather(rest)
        if group is None or "edges" not in found or self.job.stop_requested():
            return
        edges = distinct_edges(*(found["edges"].column(name).to_numpy() for name in ("low", "high")))
        yield from self._halves(group, edges.column("low").to_numpy(), edges.column("high").to_numpy(), "halves")

    def second_ends(self, key: int, references: Iterable[bytes]) -> Iterator[Reference]:
        """From edges by the group of their second ends to those that reach the threshold, to be joined."""
        del key
        group, rest = groups_apart(references)
        if group is None or not rest or self.job.stop_requested():
            return
        side = Side(group, self.parameters, self.estimating)
        for reference in rest:
            if self.job.stop_requested():
                return
            block = gather([reference])["halves"]
            self._heartbeat.add(block.num_rows, "pairs compared")
            reached = block.filter(pa.array(side.reached(block)))
            ends = (reached.column(name).to_numpy() for name in ("here", "there"))
            yield from self._joined(distinct_edges(*ends), None)
        self._heartbeat.flush()

    def joined(self, key: int, references: Iterable[bytes]) -> Iterator[Reference]:
        """From all edges to the labels of their nodes, by group; on one machine."""
        del key
        labels = labels_of(gather(references)["edges"])
        groups_of_nodes = group_of(labels.column("node").to_numpy())
        yield from self._scattered("labels", groups_of_nodes, None, labels)

    def described(self, key: int, references: Iterable[bytes]) -> Iterator[Reference]:
        """From the labels and classes of a group to what deciding needs, by range of labels."""
        del key
        group, rest = groups_apart(references)
        found = gather(rest)
        if group is None or "labels" not in found or self.job.stop_requested():
            return
        members = members_of(group, found["labels"], found.get("classes", found["labels"].slice(0, 0)), self.job)
        scatter = Scatter(self.job, "members")
        yield from scatter.write(spread(members.column("label").to_numpy(), self.ranges()), members)
        yield from scatter.close()

    def decided(self, key: int, references: Iterable[bytes]) -> Iterator[Reference]:
        """From whole clusters to decisions by the dropped one's group, keepers to be compared with, and moves."""
        del key
        found = decide(gather(references)["members"])
        decisions = found.decisions
        nodes, keepers = (decisions.column(name).fill_null(-1).to_numpy() for name in ("node", "keeper_node"))
        yield from self._scattered("decisions", group_of(nodes), Route.REWRITE, decisions)
        asked = np.asarray(keepers >= 0, np.bool_) & decisions.column("similarity").is_null().to_numpy()
        pairs = pa.table([keepers[asked], nodes[asked]], names=["keeper", "node"])
        yield from self._scattered("keepers", group_of(keepers[asked]), Route.COMPARE, pairs)
        yield from self._scattered("moves", np.zeros(found.moves.num_rows, np.int64), Route.MOVE, found.moves)

    def keepers(self, key: int, references: Iterable[bytes]) -> Iterator[Reference]:
        """From keepers of a group to what the dropped documents are compared by, by their groups."""
        del key
        group, rest = groups_apart(references)
        found = gather(rest)
        if group is None or "keepers" not in found or self.job.stop_requested():
            return
        keepers, nodes = (found["keepers"].column(name).to_numpy() for name in ("keeper", "node"))
        yield from self._halves(group, keepers, nodes, "asked")

    def _dropped(self, group: Group, screened: Screened) -> Iterator[Reference]:
        """Yields the report on dropped documents, and references to them for tables of documents and of pairs."""
        yield routed_to(0, Route.REPORT), screened.report
        nodes = screened.nodes(group)
        yield from self._scattered("screened", group_of(nodes.column("node").to_numpy()), Route.REWRITE, nodes)
        ids = screened.doc_ids
        yield from self._scattered("dropped", np.zeros(ids.num_rows, np.int64), Route.DROP, ids)

    def _halves(self, group: Group, here: Ints, there: Ints, tag: str) -> Iterator[Reference]:
        scatter = Scatter(self.job, tag)
        order = np.argsort(group_of(there), kind="stable")  # then nothing has to be sorted with its shingles
        here, there = here[order], there[order]
        for block in Side(group, self.parameters, self.estimating).halves(here, there):
            yield from scatter.write(group_of(block.column("there").to_numpy()), block)
        yield from scatter.close()

    def _joined(self, edges: pa.Table, route: Route | None) -> Iterator[Reference]:
        yield from self._scattered("edges", np.zeros(edges.num_rows, np.int64), route, edges)

    def _classes(self, equal: pa.Table) -> Iterator[Reference]:
        """Star edges of equal documents name each class by its first node."""
        for end in ("low", "high"):
            nodes = equal.column(end).to_numpy()
            table = pa.table([nodes, equal.column("low")], names=["node", "label"])
            yield from self._scattered("classes", group_of(nodes), Route.DESCRIBE, table)

    def _scattered(self, tag: str, keys: Ints, route: Route | None, table: pa.Table) -> Iterator[Reference]:
        scatter = Scatter(self.job, tag)
        yield from scatter.write(keys if route is None else routed(keys, route), table)
        yield from scatter.close()
