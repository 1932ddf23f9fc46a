"""BEIR folders: corpus.jsonl, queries.jsonl and qrels/<split>.tsv."""

import re
from collections.abc import Iterator
from dataclasses import replace

from oreline.sources.columns import corpus_row, query_row
from oreline.sources.discovery import split_of
from oreline.sources.found import Found, FoundPair, Place, label_of
from oreline.sources.lines import lines
from oreline.sources.tables import read_jsonl

_SPACE = re.compile(r"\s+")


def read_beir(place: Place, path: str) -> Iterator[Found]:
    """Yields what a file of a BEIR folder gives, by its place in the folder."""
    split = split_of(place.relative)
    if split is not None:
        return read_qrels(place, path, split)
    return read_jsonl(place, path, corpus_row if place.relative.startswith("corpus") else query_row)


def read_qrels(place: Place, path: str, split: str) -> Iterator[Found]:
    """Yields judgements: query, document and grade between tabs, or TREC's four columns; a header may come first."""
    for number, line in lines(path):
        here = replace(place, line=number)
        text = (line or b"").decode("utf-8", "surrogateescape").strip()
        fields = _fields(text)
        if not text or (number == 1 and _is_header(fields)):
            continue
        yield _judgement(here, split, fields, text)


def _fields(text: str) -> list[str]:
    fields = [field.strip() for field in text.split("\t")]
    if len(fields) < 3:
        fields = _SPACE.split(text)
    return [fields[0], fields[2], fields[3]] if len(fields) == 4 else fields


def _is_header(fields: list[str]) -> bool:
    try:
        float(fields[-1])
    except ValueError:
        return len(fields) >= 2
    return False


def _judgement(place: Place, split: str, fields: list[str], text: str) -> Found:
    try:
        text.encode()
        query, document, stated = fields
        grade = float(stated)
        label = label_of(grade, place.source.positive_from)
    except ValueError as error:
        raw = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        detail = f"expected query id, document id and grade, found {len(fields)} fields ({error})"
        return place.drop("pairs", "unreadable", detail, raw)
    query_id, doc_id = place.own_id(query), place.own_id(document)
    pair = FoundPair(place.unit, place.index, True, query_id, doc_id, label, grade, split, "waiting")
    return Found(place.unit, pairs=(pair,))
