"""Screening before deduplication: a document that is dropped for a benchmark takes no part in it.

So it is nobody's keeper, joins no clean documents, and is not remembered: what stays is what deduplicating the clean
documents alone would leave.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oreline.job import Job, StageWriter
from oreline.minhash.forms import Ints
from oreline.minhash.groups import Group
from oreline.shuffle import Reference, Scatter

Screening = Callable[[pa.Table, StageWriter], set[str]]
"""What looks at documents (`SCREENED_COLUMNS`): it tells the fate of those it drops and returns their ids."""

SCREENED_COLUMNS = ("doc_id", "title", "text", "content")

NODES = pa.schema([("node", pa.int64())])
"""A row per document that was dropped."""


NOT_SCREENED = b"not screened"
"""Stands for what was dropped of a group where the screening failed, which is told: nothing is to be written then."""


@dataclass(frozen=True)
class Screened:
    """The rows of a group that were dropped, their ids, and the encoded report that tells their fate."""

    rows: Ints
    doc_ids: pa.Table
    report: bytes

    def nodes(self, group: Group) -> pa.Table:
        """Returns the rows as NODES."""
        return pa.table([group.first_node + self.rows], schema=NODES)


def screen(group: Group, job: Job, screening: Screening) -> Screened:
    """Returns what a screening drops of a group of documents."""
    documents = group.read(SCREENED_COLUMNS)
    writer = StageWriter(job)
    dropped = pa.array(sorted(screening(documents, writer)), pa.string())
    gone = pc.is_in(documents.column("doc_id"), dropped).to_numpy(zero_copy_only=False)
    return Screened(np.flatnonzero(gone), pa.table({"doc_id": dropped}), writer.close().encode())


def joined_ids(job: Job, ids: pa.Table) -> Iterator[Reference]:
    """Yields a reference to all ids that were dropped: without it every reader would open a file for each group."""
    scatter = Scatter(job, "dropped")
    yield from scatter.write([0] * ids.num_rows, ids)
    yield from scatter.close()
