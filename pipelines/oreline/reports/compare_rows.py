"""Rows that changed between two outputs, as a person reads them: with the texts of what came and went."""

from collections.abc import Iterable, Mapping

import polars as pl
from rich.console import Group
from rich.padding import Padding
from rich.rule import Rule
from rich.text import Text

from oreline.comparison.comparing import Comparison
from oreline.ids import seeded_fraction
from oreline.records import Document, Query, Triple
from oreline.reports.finished import Finished
from oreline.reports.plain import Report, cut, visible, words
from oreline.tables.schema import from_arrow

TEXT_CHARACTERS = 200
_SEED = 13

Scores = Mapping[str, float | None]


def examples(found: Comparison, limit: int) -> Report:
    """Returns at most `limit` rows of both outputs that changed, drawn by a hash of their ids."""
    if found.joined is None or not limit:
        return []
    moved = found.joined.filter(pl.col("positives_changed") | pl.col("negatives_changed"))["query_id"].to_list()
    if not moved:
        return []
    drawn = sorted(moved, key=lambda each: (seeded_fraction(_SEED, "compare", each), each))[:limit]
    old, new = Finished.of(found.old), Finished.of(found.new)
    before, after = (_triples(each, drawn) for each in (old, new))
    queries = {each.query_id: each for each in from_arrow(Query, new.lookup("queries", "query_id", drawn))}
    wanted = {doc_id for triples in (before, after) for triple in triples.values() for doc_id in _documents(triple)}
    texts: dict[str, Document] = {}
    for output in (old, new):
        texts |= {each.doc_id: each for each in from_arrow(Document, output.lookup("documents", "doc_id", wanted))}
    head = Rule(f"{len(drawn)} of {len(moved):,} rows that changed", align="left", style="dim")
    return [head, *(_card(queries[each], before[each], after[each], texts) for each in drawn)]


def _triples(output: Finished, ids: Iterable[str]) -> dict[str, Triple]:
    return {each.query_id: each for each in from_arrow(Triple, output.lookup("triples", "query_id", ids))}


def _documents(triple: Triple) -> list[str]:
    return [*(each.doc_id for each in triple.positives), *(each.doc_id for each in triple.negatives)]


def _card(query: Query, old: Triple, new: Triple, texts: Mapping[str, Document]) -> Group:
    lines: list[Text | Padding] = [words(visible(query.query), "bold"), words(f"  {visible(query.query_id)}", "dim")]
    positives, negatives = (
        [{each.doc_id: each.score for each in side} for side in sides]
        for sides in ((old.positives, new.positives), (old.negatives, new.negatives))
    )
    lines += _side(("positive", "green"), positives[0], positives[1], texts)
    lines += _side(("negative", "red"), negatives[0], negatives[1], texts)
    return Group(*lines, Text(""))


def _side(kind: tuple[str, str], old: Scores, new: Scores, texts: Mapping[str, Document]) -> list[Text | Padding]:
    name, style = kind
    lines: list[Text | Padding] = []
    for told, ids, scores in (
        ("both", [each for each in old if each in new], new),
        ("only OLD", [each for each in old if each not in new], old),
        ("only NEW", [each for each in new if each not in old], new),
    ):
        for doc_id in ids:
            document = texts.get(doc_id)
            score = scores[doc_id]
            head = words(f"  {name}, {told}  ", style if told != "both" else "dim")
            title = visible(document.title) + "  " if document is not None and document.title else ""
            head.append(f"{title}{visible(doc_id)}" + ("" if score is None else f" · score {score:.3f}"), style="dim")
            lines.append(head)
            if document is not None and told != "both":
                lines.append(Padding(words(cut(document.text, TEXT_CHARACTERS)), (0, 0, 0, 6)))
    return lines
