"""Mining end to end: beside sentence-transformers' miner on labelled sets, and a rectangle larger than memory allows.

    python benchmarks/mining.py DATA/nl2bash [DATA/medquad-sample ...] --peer PYTHON [--write FILE]
    python benchmarks/mining.py --rectangles FOLDER [--documents 2000000] [--queries 100000] [--write FILE]

The first: both sides mine four negatives per query from the same texts with the same encoder (the packaged MiniLM) and
rule, each in a process of its own that also loads the encoder and encodes; PYTHON is one that has sentence-transformers
and `datasets`. oreline runs its stages up to select, whose tables are written and booked. Equal negatives are those of
the same query on both sides: oreline scores stored float16 vectors in float64, the other side float32 ones, so ties and
limits within those digits fall differently. And oreline alone leaves out what has the text of the query or of a
positive in normal form (case, punctuation), and gives queries of equal normal form each other's positives, the lowest
of which sets the limit. `overlap` is Jaccard's.

The second: vectors made on disk in FOLDER (what is there already is used again), then the stage mine by `oreline run`.
Memory is the largest that the process and its children held together, asked ten times a second.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import oreline
from evidence.hiding import hide
from evidence.mined import Row, Stricter, agreement, exchanges
from made_corpus import make, recipe_of
from negatives import CORPORA, LENGTH, NEGATIVES, Corpus, same_texts, triples
from oreline.encoders.models import packaged_folder
from oreline.encoders.rendering import plain_document
from oreline.normalise import query_hash, text_hash
from oreline.tables.manifest import read_manifest

from training.heldout import Labelled, read_beir, write_beir

_BARE = {"near_equal": None, "siblings": "allow", "negatives": NEGATIVES, "window": [1, NEGATIVES], "pick": "hardest"}
_RULES: dict[str, tuple[Mapping[str, object], Mapping[str, object]]] = {
    "hardest 4": ({**_BARE, "ceiling": "none"}, {"num_negatives": NEGATIVES}),
    "hardest 4, 95 % of the positive": (
        {**_BARE, "ceiling": {"percent_of_positive": 0.95}},
        {"num_negatives": NEGATIVES, "relative_margin": 0.05},
    ),
}
"""By name: select's settings, and the arguments of mine_hard_negatives."""

_REASONS = {"ties": "tie", "ours is stricter": "stricter", "otherwise unequal": "other"}
"""Of rows with unequal negatives, by their column: see `evidence.mined.exchanges`."""


@dataclass(frozen=True)
class Measured:
    """What a command took: seconds, and the largest memory of it and its children together, in bytes."""

    seconds: float
    peak: int


def measured(command: Sequence[str]) -> Measured:
    """Runs a command; raises RuntimeError with what it said last if it fails."""
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        watch = _Watch(process.pid)
        watch.start()
        code = process.wait()
        watch.join()
        if code:
            said.seek(0)
            raise RuntimeError(f"{command} ended with {code}: {said.read()[-2_000:]}")
    return Measured(time.monotonic() - started, watch.peak)


class _Watch(threading.Thread):
    """Looks at the memory of a process and its children until it ends."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self.peak = 0

    def run(self) -> None:
        """Looks ten times a second."""
        while (held := _held(self._pid)) > 0:
            self.peak = max(self.peak, held)
            time.sleep(0.1)


def _held(pid: int) -> int:
    """Returns the bytes in memory of a process and its children, 0 once it has ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(_held(int(child)) for child in children)


def rectangles(folder: Path, documents: int, queries: int) -> list[str]:
    """Makes the corpus, mines it, and returns the table."""
    recipe = recipe_of(folder)
    make(recipe, documents, queries)
    path = folder / "recipe.yaml"
    path.write_text(f"output: {folder}\nsources: [{{path: {folder}, dataset: made}}]\n", encoding="utf-8")
    (folder / "mine" / "manifest.json").unlink(missing_ok=True)
    took = measured([sys.executable, "-m", "oreline", "run", str(path), "--only", "mine"])
    manifest = read_manifest(str(folder), "mine")
    if manifest is None:
        raise RuntimeError(f"{folder}: mine wrote no manifest")
    head = ["documents", "queries", "time", "queries/s", "memory, at most", "rows", "lists scored twice"]
    row = [
        f"{documents:,} x 384",
        f"{queries:,}",
        f"{took.seconds / 60:.1f} min",
        f"{queries / took.seconds:,.0f}",
        f"{took.peak / 1e9:.2f} GB",
        f"{manifest.rows('candidates'):,}",
        f"{manifest.counts.get('lists_scored_twice', 0):,}",
    ]
    return ["## A rectangle on two cores", "", _line(head), _line(["---"] * len(head)), _line(row), "", _machine(), ""]


def beside(folder: Path, peer: str) -> list[str]:
    """Mines a labelled set on both sides and returns the table."""
    corpus = CORPORA.get(folder.name, Corpus())
    shown = hide(read_beir(folder), corpus.content).shown
    same = same_texts(shown)
    head = ["rule", "side", "time", "memory, at most", "rows", "equal negatives", "overlap", *_REASONS]
    lines = [_line(head), _line(["---"] * len(head))]
    for name, (settings, arguments) in _RULES.items():
        with tempfile.TemporaryDirectory() as scratch:
            ours, took = _ours(shown, corpus, folder.name, Path(scratch), settings)
            theirs, other_took = _theirs(shown, Path(scratch), peer, arguments)
            own, (other, limits) = triples(ours, folder.name, same), _peer_rows(theirs, shown, same, arguments)
        both, overlap = agreement(own, other)
        equal = sum(set(own[each].negatives) == set(other[each].negatives) for each in own.keys() & other.keys())
        why = exchanges(own, other, _stricter(shown, corpus), limits)
        told = [f"{equal:,} of {both:,}", f"{overlap:.4f}", *(f"{why[reason]:,}" for reason in _REASONS.values())]
        for side, rows, each, cells in (
            ("oreline", own, took, told),
            ("sentence-transformers", other, other_took, [""] * len(told)),
        ):
            used = [f"{each.seconds:.1f} s", f"{each.peak / 1e9:.2f} GB", f"{len(rows):,}"]
            lines.append(_line([name, side, *used, *cells]))
    title = f"## {folder.name}: {len(shown.documents):,} documents, {len(shown.queries):,} queries"
    return [title, "", *lines, "", _machine(), ""]


def _ours(
    shown: Labelled, corpus: Corpus, name: str, root: Path, settings: Mapping[str, object]
) -> tuple[Path, Measured]:
    """Runs oreline to its triples; returns its output."""
    write_beir(shown, root / "source")
    source: dict[str, object] = {"path": str(root / "source"), "format": "beir", "dataset": name}
    source |= {"content": corpus.content, "task_type": corpus.task_type}
    recipe: dict[str, object] = {
        "output": str(root / "out"),
        "sources": [source | ({"parent": corpus.parent} if corpus.parent else {})],
        "dedup": {"enabled": False},  # the other side sees all documents too
        "encoder": {"max_tokens": LENGTH, "precision": "float32"},
        "select": dict(settings),
    }
    if isinstance(settings["ceiling"], dict):
        recipe["mine"] = {"ceiling": settings["ceiling"]}
    path = root / "recipe.yaml"
    path.write_text(json.dumps(recipe), encoding="utf-8")  # JSON is YAML
    return root / "out", measured([sys.executable, "-m", "oreline", "run", str(path), "--until", "select"])


def _theirs(shown: Labelled, root: Path, peer: str, arguments: Mapping[str, object]) -> tuple[Path, Measured]:
    """Runs the other side; returns the file of what it mined."""
    folder = root / "peer"
    folder.mkdir()
    texts = {i: plain_document(title, text) for i, (title, text) in shown.documents.items()}
    pairs = [[shown.queries[i], texts[next(iter(found))]] for i, found in shown.positives.items()]
    for name, value in (("corpus", list(texts.values())), ("pairs", pairs), ("rules", {"rule": arguments})):
        (folder / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")
    side = [peer, str(Path(__file__).with_name("mining_side.py")), str(folder), packaged_folder()]
    return folder / "mined.json", measured(["env", "HF_HUB_OFFLINE=1", *side])


def _peer_rows(
    mined: Path, shown: Labelled, same: Mapping[str, str], arguments: Mapping[str, object]
) -> tuple[dict[str, Row], dict[str, float]]:
    """Returns the other side's rows, and the similarity that none of a row's negatives may have, by query."""
    margin = arguments.get("relative_margin")
    ids = {plain_document(title, text): same[i] for i, (title, text) in shown.documents.items()}
    queries: dict[str, list[str]] = {}
    for query_id, text in shown.queries.items():
        queries.setdefault(text, []).append(query_id)
    rows, limits = {}, {}
    for query, negatives, (positive, *scores) in json.loads(mined.read_text(encoding="utf-8"))["rule"]:
        for query_id in queries[query]:
            rows[query_id] = Row(tuple(ids[text] for text in negatives), tuple(scores))
            if isinstance(margin, float):
                limits[query_id] = positive * (1 - margin)
    return rows, limits


def _stricter(shown: Labelled, corpus: Corpus) -> Stricter:
    """Returns what oreline alone never takes, and the queries of which it alone knows several positives.

    It never takes what has a positive's or the query's text in normal form. Queries of equal normal form have each
    other's positives.
    """
    content = corpus.content
    form = {i: text_hash(plain_document(title, text), content) for i, (title, text) in shown.documents.items()}
    of_form: dict[str, set[str]] = {}
    for doc_id, text in form.items():
        of_form.setdefault(text, set()).add(doc_id)
    equal: dict[str, set[str]] = {}
    for query_id, positives in shown.positives.items():
        equal.setdefault(query_hash(shown.queries[query_id]), set()).update(positives)
    found: dict[str, set[str]] = {}
    for query_id, query in shown.queries.items():
        positives = equal[query_hash(query)]
        texts = {text_hash(query, content), *(form[each] for each in positives)}
        found[query_id] = set().union(positives, *(of_form.get(text, set()) for text in texts))
    return Stricter(found, {each for each, query in shown.queries.items() if len(equal[query_hash(query)]) > 1})


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _machine() -> str:
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"oreline {oreline.__version__}."
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the tables that are asked for, and writes them where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="*", help="BEIR folders")
    parser.add_argument("--peer", help="a Python with sentence-transformers and datasets")
    parser.add_argument("--rectangles", type=Path, metavar="FOLDER", help="where the large corpus is, or goes")
    parser.add_argument("--documents", type=int, default=2_000_000)
    parser.add_argument("--queries", type=int, default=100_000)
    parser.add_argument("--write", type=Path, metavar="FILE", help="where the tables go besides the screen")
    given = parser.parse_args(arguments)
    if given.data and given.peer is None:
        parser.error("sets are mined on both sides: name the other side's Python with --peer")
    lines = ["# Mining", ""]
    for folder in given.data:
        lines += beside(folder, given.peer)
    if given.rectangles is not None:
        lines += rectangles(given.rectangles, given.documents, given.queries)
    text = "\n".join(lines)
    print(text)
    if given.write is not None:
        given.write.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
