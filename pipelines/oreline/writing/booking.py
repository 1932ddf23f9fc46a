"""What is written down of a document or a draw: its rows, and its fate."""

from collections.abc import Sequence

from oreline.extractive.rows import extract
from oreline.job import StageWriter
from oreline.records import Document, Pair, Reject
from oreline.writing.histogram import tally
from oreline.writing.work import Work, Written


def write_document(
    document: Document, written: Sequence[Written], extractors: Sequence[str], seed: int, writer: StageWriter
) -> None:
    """Writes a document's rows.

    It is kept if any writer made a query; else dropped with a reject of its own; passed over if no writer took it on.
    """
    made = sum(_write(each, writer) for each in written) + _extract(document, extractors, seed, writer)
    rejects = [reject for each in written for reject in each.rejects]
    if made:
        writer.kept([document.doc_id])
    elif not written and not extractors:
        writer.passed_over(document.doc_id)
    else:
        own = next((each for each in rejects if each.row_id == document.doc_id), None)
        rejects = [each for each in rejects if each is not own]
        writer.dropped(document.doc_id, own or _nothing(document, written, extractors))
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
    if further := _further(written.pairs):
        writer.count("further_pairs", further)
    if written.documents:
        writer.count("written_documents", len(written.documents))
    for query in written.queries:
        tally(writer, query)
    return len(written.queries)


def _further(pairs: Sequence[Pair]) -> int:
    """Returns how many pairs there are besides the first positive of each query."""
    return len(pairs) - len({pair.query_id for pair in pairs if pair.label == "positive"})


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


def _nothing(document: Document, written: Sequence[Written], extractors: Sequence[str]) -> Reject:
    """Returns the reject of a document about which nothing else says why: its queries may have been rejected, each."""
    if first := next((reject for each in written for reject in each.rejects), None):
        detail = f"none of its queries stayed; of the first: {first.detail}"
        return Reject(document.doc_id, "documents", first.reason, detail, by=first.by, payload=document.text)
    if written:
        detail = "the answers of its writers hold no query"
        return Reject(document.doc_id, "documents", "unparsable", detail, payload=document.text)
    names = ", ".join(extractors)
    detail = f"none of the writers ({names}) found words in it that could be a query"
    return Reject(document.doc_id, "documents", "nothing_to_extract", detail, payload=document.text)
