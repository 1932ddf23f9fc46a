"""What a judge's verdicts made of rows, some of which had a wrong positive."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

import polars as pl

import oreline
from evidence.swapping import Swapped
from oreline.judging.texts import shown_document
from oreline.scripts import one_line

from training.heldout import Labelled


def same_texts(whole: Labelled) -> dict[str, str]:
    """Returns for each document the first one of its text, as judges see it: they cannot tell them apart."""
    first: dict[str, str] = {}
    shown = {each: one_line(shown_document(title or None, text)) for each, (title, text) in whole.documents.items()}
    return {each: first.setdefault(text, each) for each, text in shown.items()}


Rows = Mapping[str, tuple[AbstractSet[str], AbstractSet[str]]]
"""Positives and negatives by query."""


@dataclass(frozen=True)
class Outcome:
    """Of the queries with a wrong positive: rows that have a right one now, that went, that stayed wrong.

    `repairable` are those whose right document is among the judged ones. Of the others: rows whose positive is right
    still, that went, or that have a wrong one now. `false_negatives` are the shares of rows with a negative that is
    labelled, and of such negatives.
    """

    repaired: int
    dropped: int
    missed: int
    repairable: int
    kept: int
    lost: int
    damaged: int
    false_negatives: tuple[float, float]

    @property
    def detected(self) -> float:
        """Share of the wrong positives that are positives no more, 0 to 1."""
        return (self.repaired + self.dropped) / max(1, self.repaired + self.dropped + self.missed)


def outcome(output: Path, name: str, swapped: Swapped, whole: Labelled) -> Outcome:
    """Reads the rows of a finished output."""
    same = same_texts(whole)
    rows = {
        query_id: ({same[each] for each in positives}, {same[each] for each in negatives})
        for query_id, (positives, negatives) in _rows(output, name).items()
    }
    labels = {query_id: {same[each] for each in found} for query_id, found in whole.positives.items()}
    merged = _merged(output, name)
    judged = _judged(output, name)
    counts = dict.fromkeys(("repaired", "dropped", "missed", "repairable", "kept", "lost", "damaged"), 0)
    for query_id, positives in swapped.given.positives.items():
        if query_id in merged:
            continue  # another query speaks for it, with the positives of both
        right, row = labels[query_id], rows.get(query_id)
        is_wrong = query_id in swapped.wrong
        if is_wrong and right & {same[each] for each in judged.get(query_id, set()) - positives}:
            counts["repairable"] += 1
        if row is None:
            counts["dropped" if is_wrong else "lost"] += 1
        elif row[0] <= right:
            counts["repaired" if is_wrong else "kept"] += 1
        else:
            counts["missed" if is_wrong else "damaged"] += 1
    return Outcome(**counts, false_negatives=_false_negatives(rows, labels))


def _false_negatives(
    rows: Mapping[str, tuple[AbstractSet[str], AbstractSet[str]]], labels: Mapping[str, AbstractSet[str]]
) -> tuple[float, float]:
    wrong = [len(negatives & labels[query_id]) for query_id, (_, negatives) in rows.items()]
    taken = sum(len(negatives) for _, negatives in rows.values())
    return sum(each > 0 for each in wrong) / max(1, len(rows)), sum(wrong) / max(1, taken)


def _rows(output: Path, name: str) -> dict[str, tuple[set[str], set[str]]]:
    """Returns positives and negatives by query."""
    triples = oreline.read(str(output / "select" / "triples")).collect()
    return {
        _bare(row["query_id"], name): (
            {_bare(each["doc_id"], name) for each in row["positives"]},
            {_bare(each["doc_id"], name) for each in row["negatives"]},
        )
        for row in triples.iter_rows(named=True)
    }


def _merged(output: Path, name: str) -> set[str]:
    fates = oreline.read(str(output / "filter" / "fates")).filter(pl.col("fate") == "merged").collect()
    found = set(fates["unit_id"].to_list()) | set(fates["into"].to_list())
    return {_bare(each, name) for each in found}


def _judged(output: Path, name: str) -> dict[str, set[str]]:
    if not (output / "judge" / "manifest.json").exists():
        return {}
    found: dict[str, set[str]] = {}
    rows = oreline.read(str(output / "judge" / "judgements")).select("query_id", "doc_id").collect()
    for query_id, doc_id in rows.iter_rows():
        found.setdefault(_bare(query_id, name), set()).add(_bare(doc_id, name))
    return found


def _bare(row_id: str, name: str) -> str:
    return row_id.removeprefix(f"{name}/")
