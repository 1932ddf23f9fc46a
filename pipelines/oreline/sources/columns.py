"""Column mapping: which of a row's columns is the id, the title, the text, the query."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, time
from typing import cast

from oreline.chunking.tokens import estimate_tokens
from oreline.ids import Json
from oreline.recipe.settings import Columns, Source
from oreline.records import Reject
from oreline.sources.found import Found, FoundDocument, FoundPair, FoundQuery, Place
from oreline.sources.references import id_pattern

ID_COLUMNS = ("_id", "id", "doc_id")
TEXT_COLUMNS = ("text", "content", "body", "passage", "document")
QUERY_COLUMNS = ("query", "anchor")
Row = Mapping[str, object]


class BadColumn(ValueError):
    """A column that is needed is missing or holds another type; the message says which and what was found."""


@dataclass(frozen=True)
class Mapped:
    """A row's values by their role, and the names of the columns they stood in."""

    own_id: str | None
    id_column: str | None
    title: str | None
    text: str | None
    query: str | None
    negatives: tuple[str, ...]
    lang: str | None
    label: str | None
    used: frozenset[str]


def query_column(columns: Columns, names: Collection[str]) -> str | None:
    """Returns the column that holds a query, among a table's column names, or None."""
    if columns.query is not None:
        return columns.query
    return next((name for name in QUERY_COLUMNS if name in names), None)


def text_column(columns: Columns, names: Collection[str], *, with_query: bool) -> str | None:
    """Returns the column that holds the text: beside a query, the positive's column comes first."""
    if with_query:
        if columns.positive is not None:
            return columns.positive
        if columns.text is None and "positive" in names:
            return "positive"
    return columns.text or next((name for name in TEXT_COLUMNS if name in names), None)


def named_columns(columns: Columns) -> dict[str, str]:
    """Returns the columns that the recipe names, by role."""
    roles = ("id", "title", "text", "query", "positive", "negative", "lang", "label")
    return {role: name for role in roles if (name := cast("str | None", getattr(columns, role))) is not None}


def map_row(columns: Columns, row: Row) -> Mapped:
    """Sorts a row's values by role; raises BadColumn if a named column, or any column with text, is missing."""
    for role, name in named_columns(columns).items():
        if name not in row:
            raise BadColumn(f"the column {name!r} (columns.{role}) is missing; the row has {_listed(row)}")
    query_name = query_column(columns, row)
    query = _text(row, query_name, columns.query) if query_name else None
    text_name = text_column(columns, row, with_query=query is not None)
    if text_name is None:
        raise BadColumn(f"no column holds the text: expected one of {', '.join(TEXT_COLUMNS)}; found {_listed(row)}")
    id_name = columns.id or next((name for name in ID_COLUMNS if _is_id(row.get(name))), None)
    title_name = columns.title or ("title" if _is_text(row.get("title")) else None)
    lang_name = columns.lang or ("lang" if _is_text(row.get("lang")) else None)
    negative_name = columns.negative or ("negative" if query is not None and "negative" in row else None)
    used = {id_name, title_name, lang_name, text_name, columns.label, query_name if query is not None else None}
    return Mapped(
        own_id=_id(row, id_name) if id_name else None,
        id_column=id_name,
        title=(_text(row, title_name, title_name) or "").strip() or None,
        text=_text(row, text_name, text_name),
        query=query,
        negatives=_negatives(row, negative_name) if query is not None and negative_name else (),
        lang=(_text(row, lang_name, lang_name) or "").strip() or None,
        label=_id(row, columns.label) if columns.label else None,
        used=frozenset(name for name in (*used, negative_name if query is not None else None) if name),
    )


def table_row(place: Place, row: Row) -> Found:
    """Returns what a table's row gives: a document, or a query with its positive and negatives."""
    try:
        return _mapped_row(place, row, map_row(place.source.columns, row))
    except BadColumn as error:
        return place.drop("documents", "missing_column", str(error), _payload(row))


def _mapped_row(place: Place, row: Row, mapped: Mapped) -> Found:
    problem = _text_problem(place, mapped.text)
    if problem is not None:
        return place.drop("documents", *problem, _payload(row))
    metadata = _flat({name: value for name, value in row.items() if name not in mapped.used})
    if mapped.query is None:
        own = mapped.own_id
        document = _document(place, {**row, **metadata}, mapped, metadata, own=own, told=True)
        return Found(place.unit, documents=(document,))
    if not mapped.query.strip():
        return place.drop("queries", "empty", "the query is empty", _payload(row))
    return _pair_row(place, {**row, **metadata}, mapped, metadata)


def _payload(row: Row) -> str:
    return json.dumps(row, default=_json_value)


def corpus_row(place: Place, row: Row) -> Found:
    """Returns the document of a row of BEIR's corpus.jsonl."""
    own = {name: value for name, value in row.items() if name not in QUERY_COLUMNS}
    return table_row(replace(place, source=_unmapped(place)), own)


def query_row(place: Place, row: Row) -> Found:
    """Returns the query of a row of BEIR's queries.jsonl."""
    names = [name for name in ("_id", "id", "query_id") if _is_id(row.get(name))]
    texts = [name for name in ("text", "query") if _is_text(row.get(name))]
    if not names or not texts:
        told = f"a query needs _id and text; found {_listed(row)}"
        return place.drop("queries", "missing_column", told, _payload(row))
    query = str(row[texts[0]])
    if not query.strip():
        return place.drop("queries", "empty", "the query is empty", _payload(row))
    lang = str(row["lang"]) if _is_text(row.get("lang")) else place.source.lang
    query_id = place.own_id(_id(row, names[0]) or "")
    return Found(place.unit, queries=(FoundQuery(place.unit, place.index, False, query_id, query.strip(), lang),))


def _pair_row(place: Place, row: Row, mapped: Mapped, metadata: Row) -> Found:
    query = (mapped.query or "").strip()
    names_document = mapped.id_column == "doc_id"
    query_id = place.query_id(None if names_document else mapped.own_id, query)
    own = mapped.own_id if names_document else None
    positive = _document(place, row, mapped, metadata, own=own, told=False)
    documents = {positive.doc_id: positive}
    asides: list[Reject] = []
    pairs = [FoundPair(place.unit, place.index, False, query_id, positive.doc_id, "positive", None, "train", "waiting")]
    for text in mapped.negatives:
        problem = _text_problem(place, text)
        if problem is not None:
            reason, detail = problem
            asides.append(place.rejected("pairs", reason, f"a negative: {detail}", text))
            continue
        doc_id = place.document_id(None, None, text)
        lang = mapped.lang or place.source.lang
        document = FoundDocument(place.unit, place.index, False, doc_id, None, text, lang, None, None, None, None)
        documents.setdefault(doc_id, document)
        pairs.append(FoundPair(place.unit, place.index, False, query_id, doc_id, "negative", None, "train", "waiting"))
    asked = FoundQuery(place.unit, place.index, True, query_id, query, mapped.lang or place.source.lang)
    return Found(place.unit, tuple(documents.values()), (asked,), tuple(pairs), asides=tuple(asides))


def _document(place: Place, row: Row, mapped: Mapped, metadata: Row, *, own: str | None, told: bool) -> FoundDocument:
    text = mapped.text or ""
    parent = reference(place.source.parent, row, mapped.own_id)
    return FoundDocument(
        unit=place.unit,
        source=place.index,
        told=told,
        doc_id=place.document_id(own, mapped.title, text),
        title=mapped.title,
        text=text,
        lang=mapped.lang or place.source.lang,
        parent_id=place.own_id(parent) if parent is not None else None,
        group=mapped.label or reference(place.source.group, row, mapped.own_id),
        metadata=metadata_json(metadata),
        markup="plain" if place.chunked else None,
    )


def metadata_json(metadata: Row) -> str | None:
    """Returns a document's other fields as JSON with sorted keys, or None if there are none."""
    kept = {name: value for name, value in metadata.items() if value is not None}
    if not kept:
        return None
    return json.dumps(kept, sort_keys=True, ensure_ascii=False, default=_json_value)


def reference(setting: str | None, row: Row, own_id: str | None) -> str | None:
    """Returns what `sources[].parent` or `.group` says of a row: a column's value, or a group of the own id.

    Raises BadColumn if it is a column's name and the row has no such column.
    """
    if setting is None:
        return None
    if setting in row:
        value = row[setting]
        return None if value is None else str(value)
    pattern = id_pattern(setting)
    if pattern is None:
        raise BadColumn(f"the column {setting!r} (parent or group) is missing; the row has {_listed(row)}")
    match = None if own_id is None else pattern.search(own_id)
    return match.group(1) if match else None


def _text_problem(place: Place, text: str | None) -> tuple[str, str] | None:
    if text is None or not text.strip():
        return "empty", "the text is empty"
    if place.chunked or len(text) <= place.source.max_tokens:
        return None
    tokens = estimate_tokens(text)
    if tokens <= place.source.max_tokens:
        return None
    return "too_long", f"about {tokens:,} tokens, max_tokens is {place.source.max_tokens:,}; set sources[].chunking"


def _unmapped(place: Place) -> Source:
    return place.source.model_copy(update={"columns": Columns(text="text")})


def _flat(metadata: dict[str, object]) -> dict[str, object]:
    """Lifts the fields of a column `metadata` that holds an object: BEIR's corpora nest them."""
    inner = metadata.get("metadata")
    if not isinstance(inner, dict):
        return metadata
    return {str(name): value for name, value in inner.items()} | {
        name: value for name, value in metadata.items() if name != "metadata"
    }


def _text(row: Row, name: str | None, named: str | None) -> str | None:
    value = row.get(name) if name else None
    if value is None or isinstance(value, str):
        return value
    if named is None:
        return None
    raise BadColumn(f"the column {name!r} holds {_kind(value)}, expected text")


def _negatives(row: Row, name: str) -> tuple[str, ...]:
    value = row.get(name)
    if value is None or value == "":
        return ()
    listed: Sequence[object] = value if isinstance(value, list) else [value]
    for each in listed:
        if not isinstance(each, str):
            raise BadColumn(f"the column {name!r} holds {_kind(each)}, expected text or a list of texts")
    return tuple(dict.fromkeys(cast("Sequence[str]", listed)))


def _id(row: Row, name: str) -> str | None:
    value = row.get(name)
    if value is None or value == "":
        return None
    if not _is_id(value):
        raise BadColumn(f"the column {name!r} holds {_kind(value)}, expected text or a whole number")
    return str(value)


def _is_id(value: object) -> bool:
    return isinstance(value, (str, int)) and not isinstance(value, bool) and value != ""


def _is_text(value: object) -> bool:
    return isinstance(value, str)


_KINDS: dict[type, str] = {bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}


def _kind(value: object) -> str:
    return _KINDS.get(type(value), type(value).__name__)


def _listed(row: Collection[str]) -> str:
    return ", ".join(repr(name) for name in row) or "no column"


def _json_value(value: object) -> Json:
    """Returns what stands in JSON for a value that JSON has no form for."""
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    return str(value)


Reader = Callable[[Place, Row], Found]
"""What makes documents, queries and pairs of a row."""
