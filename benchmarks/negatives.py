"""Are the negatives negative? Known false negatives and hardness under each rule, beside sentence-transformers' miner.

    python benchmarks/negatives.py DATA/nl2bash [DATA/medquad-sample ...] --peer PYTHON

A labelled corpus (a BEIR folder) with several positives per query: one of them is shown, the others are hidden, and a
miner that takes a hidden one as a negative has taken a known false negative. Both sides mine four negatives per query
from the same texts with the same encoder (the packaged MiniLM), the labels shown being all they know: no judge. PYTHON
is one that has sentence-transformers and `datasets`; without it oreline's side alone is run.

A rule of both sides is the same rule: then the table says how far their negatives agree. oreline scores float16 vectors
in float64, the other side float32 vectors, so that neighbours closer than about .0005 may change places.
"""

import argparse
import datetime as dt
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import oreline
from evidence.hiding import Hidden, hide
from evidence.mined import Row, Worth, agreement, worth
from oreline.encoders.models import packaged_folder
from oreline.encoders.rendering import plain_document
from oreline.records import Content, TaskType

from training.heldout import Labelled, read_beir, write_beir

RESULTS = Path(__file__).parent / "results"
NEGATIVES = 4
LENGTH = 256


@dataclass(frozen=True)
class Corpus:
    """What a recipe must know of a corpus."""

    content: Content = "text"
    task_type: TaskType = "retrieval"
    parent: str | None = None


CORPORA = {"medquad-sample": Corpus(parent=r"^(.*)_p\d+$"), "nl2bash": Corpus("code", "code_retrieval")}
"""By folder name; any other is text without parents."""


@dataclass(frozen=True)
class Rule:
    """A rule as both sides are told it; `peer` is None where the other side has none like it."""

    name: str
    ours: Mapping[str, object]
    peer: Mapping[str, object] | None = None


_BARE = {"near_equal": None, "siblings": "allow", "negatives": NEGATIVES}
RULES = (
    Rule(
        "hardest 4",
        {**_BARE, "ceiling": "none", "window": [1, NEGATIVES], "pick": "hardest"},
        {"num_negatives": NEGATIVES},
    ),
    Rule(
        "hardest 4 after the first 10",
        {**_BARE, "ceiling": "none", "window": [11, 10 + NEGATIVES], "pick": "hardest"},
        {"num_negatives": NEGATIVES, "range_min": 10},
    ),
    Rule(
        "hardest 4 below .7",
        {**_BARE, "ceiling": {"score": 0.7}, "window": [1, NEGATIVES], "pick": "hardest"},
        {"num_negatives": NEGATIVES, "max_score": 0.7},
    ),
    Rule(
        "hardest 4, margin .05",
        {**_BARE, "ceiling": {"margin": 0.05}, "window": [1, NEGATIVES], "pick": "hardest"},
        {"num_negatives": NEGATIVES, "absolute_margin": 0.05},
    ),
    Rule(
        "hardest 4, 95 % of the positive",
        {**_BARE, "ceiling": {"percent_of_positive": 0.95}, "window": [1, NEGATIVES], "pick": "hardest"},
        {"num_negatives": NEGATIVES, "relative_margin": 0.05},
    ),
    *(
        Rule(
            f"hardest 4, {name}, oreline's other rules on",
            {"ceiling": ceiling, "window": [1, NEGATIVES], "pick": "hardest"},
        )
        for name, ceiling in (
            ("no ceiling", "none"),
            ("100 %", {"percent_of_positive": 1.0}),
            ("95 %", {"percent_of_positive": 0.95}),
        )
    ),
    Rule("oreline's defaults: random 4 of 10, 95 %", {}),
)


def main(arguments: Sequence[str]) -> None:
    """Runs the benchmark, prints its tables and writes them to `benchmarks/results/negatives.md`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+", help="BEIR folders")
    parser.add_argument("--peer", help="a Python with sentence-transformers and datasets")
    parser.add_argument("--queries", type=int, help="at most so many queries, for a quick look; nothing is written")
    options = parser.parse_args(arguments)
    sections = [_section(folder, options.peer, options.queries) for folder in options.data]
    text = "\n".join(["# Known false negatives under each rule", "", *(line for each in sections for line in each)])
    print(text)
    if options.queries is None:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "negatives.md").write_text(text + "\n", encoding="utf-8")


_HEAD = (
    (
        "| rule | side | rows of 4 | short rows | queries lost | rows with a known false negative | "
        "negatives that are one | mean similarity | overlap of the negatives (Jaccard) |"
    ),
    "| --- | --- | --: | --: | --: | --: | --: | --: | --: |",
)


def _section(folder: Path, peer: str | None, most: int | None) -> list[str]:
    corpus = CORPORA.get(folder.name, Corpus())
    hidden = _fewer(hide(read_beir(folder), corpus.content), most)
    same = same_texts(hidden.shown)
    hidden = Hidden(hidden.shown, {each: frozenset(same[i] for i in ids) for each, ids in hidden.hidden.items()})
    with tempfile.TemporaryDirectory() as scratch:
        ours = _ours(hidden.shown, corpus, folder.name, Path(scratch), same)
        theirs, seconds = _theirs(hidden.shown, peer, Path(scratch), same) if peer else ({}, {})
    counted = (
        f"{len(hidden.shown.documents):,} documents, {len(hidden.shown.queries):,} queries with one positive shown; "
        f"{len(hidden.hidden):,} of them have {sum(map(len, hidden.hidden.values())):,} hidden ones."
    )
    lines = [f"## {folder.name}", "", counted, "", *_HEAD]
    for rule in RULES:
        lines += _compared(rule.name, ours[rule.name][0], theirs.get(rule.name), hidden)
    selecting = ", ".join(f"{taken:.1f}" for _, taken in ours.values())
    told = f"Seconds of oreline by rule, the first with encoding and search: {selecting}."
    if seconds:
        told += f" Of sentence-transformers, likewise: {', '.join(f'{each:.1f}' for each in seconds.values())}."
    return [*lines, "", told, "", _machine(), ""]


def _compared(rule: str, ours: Mapping[str, Row], theirs: Mapping[str, Row] | None, hidden: Hidden) -> list[str]:
    lines = [_line(rule, "oreline", worth(ours, hidden, NEGATIVES))]
    if theirs is None:
        return lines
    both, overlap = agreement(ours, theirs)
    common = {query_id: row for query_id, row in ours.items() if query_id in theirs}
    lines.append(_line("", "sentence-transformers", worth(theirs, hidden, NEGATIVES)))
    mine = worth(common, hidden, NEGATIVES)
    return [*lines, _line("", f"oreline, on the {both:,} queries that both have", mine, f"{overlap:.4f}")]


def _fewer(hidden: Hidden, most: int | None) -> Hidden:
    """Cuts the queries, those with hidden positives first, for a quick look."""
    chosen = sorted(hidden.shown.queries, key=lambda each: (each not in hidden.hidden, each))[:most]
    shown = hidden.shown
    queries = {each: shown.queries[each] for each in chosen}
    positives = {each: shown.positives[each] for each in chosen}
    found = {each: hidden.hidden[each] for each in chosen if each in hidden.hidden}
    return Hidden(Labelled(shown.documents, queries, positives), found)


def same_texts(shown: Labelled) -> dict[str, str]:
    """Returns for each document the first one with its exact text, which stands for it on both sides."""
    first: dict[str, str] = {}
    return {i: first.setdefault(plain_document(title, text), i) for i, (title, text) in shown.documents.items()}


def _ours(
    shown: Labelled, corpus: Corpus, name: str, root: Path, same: Mapping[str, str]
) -> dict[str, tuple[dict[str, Row], float]]:
    write_beir(shown, root / "source")
    source: dict[str, object] = {"path": str(root / "source"), "format": "beir", "dataset": name}
    source |= {"content": corpus.content, "task_type": corpus.task_type}
    found = {}
    for rule in RULES:
        started = time.monotonic()
        recipe: dict[str, object] = {
            "output": str(root / "out"),
            "sources": [source | ({"parent": corpus.parent} if corpus.parent else {})],
            "dedup": {"enabled": False},  # the other side sees all documents too
            "encoder": {"max_tokens": LENGTH, "precision": "float32"},
            "select": dict(rule.ours),
        }
        if isinstance(ceiling := rule.ours.get("ceiling"), dict):
            recipe["mine"] = {"ceiling": ceiling}  # its spare documents are those below the ceiling that select has
        oreline.run(recipe)
        found[rule.name] = (triples(root / "out", name, same), time.monotonic() - started)
    return found


def triples(output: Path, name: str, same: Mapping[str, str]) -> dict[str, Row]:
    """Returns the rows by query; a query that was merged into an equal one has that one's row."""
    rows = {}
    for triple in oreline.read(str(output / "select" / "triples")).collect().iter_rows(named=True):
        negatives = tuple(same[each["doc_id"].removeprefix(f"{name}/")] for each in triple["negatives"])
        row = Row(negatives, tuple(each["score"] for each in triple["negatives"]))
        rows[triple["query_id"].removeprefix(f"{name}/")] = row
    merged = oreline.read(str(output / "filter" / "fates")).collect().filter(fate="merged")
    for query_id, into in merged.select("unit_id", "into").iter_rows():
        rows[query_id.removeprefix(f"{name}/")] = rows[into.removeprefix(f"{name}/")]
    return rows


def _theirs(
    shown: Labelled, peer: str, root: Path, same: Mapping[str, str]
) -> tuple[dict[str, dict[str, Row]], dict[str, float]]:
    folder = root / "peer"
    folder.mkdir()
    texts = {i: plain_document(title, text) for i, (title, text) in shown.documents.items()}
    pairs = [[shown.queries[i], texts[next(iter(found))]] for i, found in shown.positives.items()]
    rules = {rule.name: dict(rule.peer) for rule in RULES if rule.peer is not None}
    for name, value in (("corpus", list(texts.values())), ("pairs", pairs), ("rules", rules)):
        (folder / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")
    side = [peer, str(Path(__file__).with_name("mining_side.py")), str(folder), packaged_folder()]
    told = subprocess.run(side, check=True, capture_output=True, text=True, env={**os.environ, "HF_HUB_OFFLINE": "1"})
    ids = {text: same[i] for i, text in texts.items()}
    queries: dict[str, list[str]] = {}
    for query_id, text in shown.queries.items():
        queries.setdefault(text, []).append(query_id)
    mined = json.loads((folder / "mined.json").read_text(encoding="utf-8"))
    rows = {
        name: {
            query_id: Row(tuple(ids[text] for text in negatives), tuple(scores[-len(negatives) :]))
            for query, negatives, scores in found
            for query_id in queries[query]
        }
        for name, found in mined.items()
    }
    return rows, json.loads(told.stdout.strip().splitlines()[-1])


def _line(rule: str, side: str, found: Worth, same: str = "") -> str:
    return (
        f"| {rule} | {side} | {found.rows:,} | {found.short:,} | {found.lost:,} | {found.wrong_rows:.1%} | "
        f"{found.wrong_negatives:.1%} | {found.similarity:.3f} | {same} |"
    )


def _machine() -> str:
    return (
        f"{dt.datetime.now(tz=dt.UTC):%Y-%m-%d}; {platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}, oreline {oreline.__version__}."
    )


if __name__ == "__main__":
    main(sys.argv[1:])
