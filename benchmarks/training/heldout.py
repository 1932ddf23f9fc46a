"""Labelled corpora, and their split into parts that share no query, no page and no text."""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from oreline.normalise import query_hash, text_hash
from oreline.records import Content


@dataclass(frozen=True)
class Labelled:
    """A labelled corpus: documents as (title, text), queries, and the positives of each query, all by id."""

    documents: dict[str, tuple[str, str]]
    queries: dict[str, str]
    positives: dict[str, set[str]]


@dataclass(frozen=True)
class Split:
    """The three parts of a corpus; `component` names the component of each document of the whole."""

    training: Labelled
    validation: Labelled
    test: Labelled
    component: dict[str, str]


def read_beir(folder: Path) -> Labelled:
    """Reads a BEIR folder, all qrels files together."""
    documents = {row["_id"]: (row.get("title") or "", row["text"]) for row in _json_lines(folder / "corpus.jsonl")}
    queries = {row["_id"]: row["text"] for row in _json_lines(folder / "queries.jsonl")}
    positives: dict[str, set[str]] = defaultdict(set)
    for path in sorted((folder / "qrels").glob("*.tsv")):
        for line in path.read_text(encoding="utf-8").splitlines()[1:]:
            query_id, doc_id, grade = line.split("\t")
            if float(grade) > 0:
                positives[query_id].add(doc_id)
    return Labelled(documents, queries, dict(positives))


def write_beir(labelled: Labelled, folder: Path) -> None:
    """Writes a labelled corpus as a BEIR folder with the split `train`."""
    (folder / "qrels").mkdir(parents=True)
    corpus = [{"_id": i, "title": title, "text": text} for i, (title, text) in labelled.documents.items()]
    queries = [{"_id": i, "text": text} for i, text in labelled.queries.items()]
    for name, rows in (("corpus", corpus), ("queries", queries)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    pairs = [f"{i}\t{doc_id}\t1\n" for i, found in labelled.positives.items() for doc_id in sorted(found)]
    (folder / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(pairs), encoding="utf-8")


def components(labelled: Labelled, content: Content, parent: str | None) -> dict[str, str]:
    """Returns the component of every document.

    Documents are in one component if they are chunks of one page (`parent`, a regular expression over the id whose
    first group is the page), have an equal text, or are positives of one query or of equal queries.
    """
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for doc_id, (_, text) in labelled.documents.items():
        match = re.match(parent, doc_id) if parent else None
        groups["page", match[1] if match else doc_id].append(doc_id)
        groups["text", text_hash(text, content)].append(doc_id)
    for query_id, found in labelled.positives.items():
        groups["query", query_hash(labelled.queries[query_id])] += sorted(found)
    return _joined(labelled.documents, groups.values())


def split(labelled: Labelled, component: dict[str, str], test: float, validation: float) -> Split:
    """Splits by a hash of the component's name: about `test` and `validation` of the components are held out.

    A query goes where its positives are; a component is in one part, so all its positives are too.
    """

    def part(low: float, high: float) -> Labelled:
        chosen = {i for i, name in component.items() if low <= fraction(name) < high}
        positives = {i: found for i, found in labelled.positives.items() if found <= chosen}
        documents = {i: each for i, each in labelled.documents.items() if i in chosen}
        return Labelled(documents, {i: labelled.queries[i] for i in positives}, positives)

    edge = test + validation
    return Split(part(edge, 1.0), part(test, edge), part(0.0, test), component)


def together(*parts: Labelled) -> dict[str, tuple[str, str]]:
    """Returns the documents of several parts."""
    return {i: each for part in parts for i, each in part.documents.items()}


def fraction(name: str) -> float:
    """Returns a number in [0, 1) by the sha256 of a name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big") / (1 << 48)


def _joined(names: Iterable[str], groups: Iterable[list[str]]) -> dict[str, str]:
    """Returns the smallest name of each name's component, where each group is joined (union-find)."""
    leader = {name: name for name in names}

    def root(name: str) -> str:
        while leader[name] != name:
            leader[name] = leader[leader[name]]
            name = leader[name]
        return name

    for first, *others in groups:
        for other in others:
            low, high = sorted((root(first), root(other)))
            leader[high] = low
    return {name: root(name) for name in leader}


def _json_lines(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]
