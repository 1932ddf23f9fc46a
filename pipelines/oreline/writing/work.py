"""What a writer writes about, and what it has written."""

from dataclasses import dataclass

from oreline.records import Document, Pair, Query, Reject


@dataclass(frozen=True)
class Work:
    """One thing that a writer which calls a model writes about.

    `unit` is the id of `documents[0]`, which further documents may accompany; a writer that makes documents from
    nothing has none, and `unit` is `<dataset>/<writer>#<draw>`. `draw` numbers such works from 0.
    """

    writer: str
    unit: str
    documents: tuple[Document, ...] = ()
    draw: int = 0


@dataclass(frozen=True)
class Written:
    """What came of a work: rows, with all pairs of a query beside it, and answers that gave none, with the reason.

    Every query has at least one positive pair. Without a query, the work's unit has nothing from this writer.
    """

    queries: tuple[Query, ...] = ()
    pairs: tuple[Pair, ...] = ()
    documents: tuple[Document, ...] = ()
    rejects: tuple[Reject, ...] = ()
