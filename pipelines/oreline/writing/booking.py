"""What is written down of a document or a draw: its rows, and its fate."""

from collections.abc import Sequence

from oreline.extractive.rows import extract
from oreline.job import StageWriter
from oreline.records import Document, Reject
from oreline.writing.work import Work, Written


def write_document(
    document: Document, written: Sequence[Written], extractors: Sequence[str], seed: int, writer: StageWriter
) -> None:
    """Writes a document's rows.

    It is kept if any writer made a query; else dropped with the first reject; passed over if no writer took it on.
    """
    made = sum(_write(each, writer) for each in written) + _extract(document, extractors, seed, writer)
    rejects = [reject for each in written for reject in each.rejects]
    if made:
        writer.kept([document.doc_id])
    elif not rejects and not extractors:
        writer.passed_over(document.doc_id)
    else:
        first, *rejects = rejects or [_nothing(document, extractors)]
        writer.dropped(document.doc_id, first)
    for reject in rejects:
        writer.reject(reject)


def write_draw(written: Written, work: Work, writer: StageWriter) -> None:
    """Writes a draw's rows. Draws are no units of the stage: the manifest counts them, kept or dropped."""
    made = _write(written, writer)
    writer.count("draws")
    writer.count("draws_kept" if made else "draws_dropped")
    rejects = written.rejects
    if not made and not rejects:
        detail = f"the writer {work.writer} made no row of it"
        rejects = (Reject(work.unit, "queries", "unparsable", detail),)
    for reject in rejects:
        writer.reject(reject)


def _write(written: Written, writer: StageWriter) -> int:
    """Writes rows and returns the number of queries."""
    writer.rows("documents", written.documents)
    writer.rows("queries", written.queries)
    writer.rows("pairs", written.pairs)
    if further := len(written.pairs) - len(written.queries):
        writer.count("further_pairs", further)
    for query in written.queries:
        if query.lineage is not None:
            writer.count(f"written.{query.lineage.writer}.{query.task_type}")
    return len(written.queries)


def _extract(document: Document, extractors: Sequence[str], seed: int, writer: StageWriter) -> int:
    number = 0
    for name in extractors:
        extracted = extract(name, document, seed)
        if extracted is None:
            writer.count(f"nothing_from_{name}")
            continue
        derived = () if extracted.derived is None else (extracted.derived,)
        number += _write(Written((extracted.query,), (extracted.pair,), derived), writer)
    return number


def _nothing(document: Document, extractors: Sequence[str]) -> Reject:
    names = ", ".join(extractors)
    detail = f"none of the writers ({names}) found words in it that could be a query"
    return Reject(document.doc_id, "documents", "nothing_to_extract", detail, payload=document.text)
