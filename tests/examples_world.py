"""Small corpora for the recipes in examples/: each lies where its recipe looks for it."""

import json
import shutil
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from synthesize_world import docstrings

CLASSES = {
    "refund": ["my money back please", "where is my refund", "I was charged twice", "return the fee to me"],
    "card": ["my card is blocked", "the card was swallowed", "order a new card", "card arrived broken"],
    "login": ["cannot log in", "forgot the password", "the code never arrives", "locked out of the app"],
}
MODULES = ("heapq", "bisect", "textwrap", "shlex")
QUERIES = 12


def lay_out(folder: Path) -> None:
    """Writes docs/, src/, data/labelled.jsonl and data/set, a BEIR folder with known negatives."""
    documents = [each for each in docstrings() if len(each.text) > 200][:30]
    (folder / "docs").mkdir()
    for number, each in enumerate(documents):
        text = f"# {each.title}\n\n{each.text}\n"
        (folder / "docs" / f"{number:02}.md").write_text(text, encoding="utf-8")
    (folder / "src").mkdir()
    for name in MODULES:
        source = Path(statistics.__file__).with_name(f"{name}.py")
        shutil.copy(source, folder / "src" / f"{name}.py")
    (folder / "data" / "set" / "qrels").mkdir(parents=True)
    labelled = [{"text": text, "label": label} for label, texts in CLASSES.items() for text in texts]
    _lines(folder / "data" / "labelled.jsonl", labelled)
    corpus = [{"_id": f"d{n}", "title": each.title, "text": each.text} for n, each in enumerate(documents)]
    _lines(folder / "data" / "set" / "corpus.jsonl", corpus)
    queries = [{"_id": f"q{n}", "text": f"how does {documents[n].title} work"} for n in range(QUERIES)]
    _lines(folder / "data" / "set" / "queries.jsonl", queries)
    judged = [f"q{n}\td{n}\t1\nq{n}\td{(n + 7) % QUERIES}\t0\n" for n in range(QUERIES)]
    qrels = folder / "data" / "set" / "qrels" / "train.tsv"
    qrels.write_text("query-id\tcorpus-id\tscore\n" + "".join(judged), encoding="utf-8")


def _lines(path: Path, rows: Sequence[Mapping[str, str | None]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
