"""Groups: the unit of work, a row group of documents or of the signatures of an earlier output, and its nodes.

A node is a document as an integer: its group's place in the list, then its row. Nodes name rows within one job only:
nothing that is written depends on them.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from oreline.job import Job
from oreline.minhash.forms import Ints
from oreline.minhash.remembered import known_manifests
from oreline.tables.reading import RowGroup, read_row_group, row_groups

_SHIFT = 32
_ROW = (1 << _SHIFT) - 1


@dataclass(frozen=True)
class Group:
    """A row group of documents of this output or, if `known`, of signatures of an output that it is compared with."""

    ordinal: int
    output: str
    reference: RowGroup
    known: bool

    def encode(self) -> bytes:
        """Returns the group as it crosses an edge."""
        where = self.reference
        return json.dumps(
            ["group", self.ordinal, self.output, where.table, where.path, where.index, where.rows, self.known]
        ).encode()

    @classmethod
    def decode(cls, encoded: bytes) -> "Group":
        """Reads what `encode` wrote."""
        _, ordinal, output, table, path, index, rows, known = json.loads(encoded)
        return cls(ordinal, output, RowGroup(table, path, index, rows), known)

    @staticmethod
    def is_encoded(reference: bytes) -> bool:
        """Says whether bytes are a group rather than a reference of the shuffle."""
        return reference.startswith(b'["group"')

    @property
    def first_node(self) -> int:
        """The node of the group's first row."""
        return self.ordinal << _SHIFT

    def read(self, columns: tuple[str, ...]) -> pa.Table:
        """Returns the group's rows."""
        return read_row_group(self.output, self.reference, columns)


def group_of(nodes: Ints) -> Ints:
    """Returns the ordinal of each node's group."""
    return np.asarray(nodes >> _SHIFT, dtype=np.int64)


def row_of(nodes: Ints) -> Ints:
    """Returns each node's row in its group."""
    return np.asarray(nodes & _ROW, dtype=np.int64)


def groups(job: Job) -> Iterator[Group]:
    """Yields all groups: this output's documents first, then the outputs of `dedup.against` in turn."""
    ordinal = 0
    for reference in job.row_groups("documents"):
        yield Group(ordinal, job.output, reference, known=False)
        ordinal += 1
    for output, manifest in known_manifests(job.recipe).items():
        for reference in row_groups(output, manifest.tables["signatures"]):
            yield Group(ordinal, output, reference, known=True)
            ordinal += 1


def groups_apart(references: Iterable[bytes]) -> tuple[Group | None, Sequence[bytes]]:
    """Returns the group and the references of the shuffle that come under one ordinal."""
    group, rest = None, []
    for reference in references:
        if Group.is_encoded(reference):
            group = Group.decode(reference)
        else:
            rest.append(reference)
    return group, rest
