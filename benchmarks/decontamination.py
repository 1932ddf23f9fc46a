"""What decontamination finds of planted test texts, what it finds where nothing is, and how fast.

    python benchmarks/decontamination.py DATA [--texts 200000]

DATA holds medquad-sample, nl2bash and xquad-r-sample. Half of the rows of a corpus are the benchmark; variants of them
are the training rows. Then a benchmark of `--texts` texts of 88 words is indexed and a tenth as many others are
compared with it. Prints tables and writes them to benchmarks/results/.
"""

import argparse
import json
import os
import platform
import random
import resource
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pyarrow as pa

from edited_corpus import WORDS
from edited_corpus import documents as edited_documents
from oreline.decontamination.index import build_index
from oreline.decontamination.index_file import open_index, write_index
from oreline.decontamination.matching import find_matches
from oreline.recipe.settings import Benchmark, Decontaminate

RESULT = Path(__file__).parent / "results" / "decontamination.md"
Edit = Callable[[list[str], random.Random], list[str]]


def changed(share: float) -> Edit:
    """Returns an edit that replaces this share of the words, each by another word."""
    return lambda words, draw: ["otherword" if draw.random() < share else word for word in words]


def one_changed(words: list[str], draw: random.Random) -> list[str]:
    """Replaces one word."""
    place = draw.randrange(len(words))
    return [*words[:place], "otherword", *words[place + 1 :]]


def embedded(words: list[str], draw: random.Random) -> list[str]:
    """Puts the text into 400 words of other text."""
    filler = [f"filler{draw.randrange(10_000)}" for _ in range(400)]
    return [*filler[:200], *words, *filler[200:]]


VARIANTS: dict[str, Edit] = {
    "as it is": lambda words, _: words,
    "upper case, no punctuation": lambda words, _: [word.upper().strip(".,;:?!()\"'") for word in words],
    "one word changed": one_changed,
    "5 % of the words changed": changed(0.05),
    "10 % of the words changed": changed(0.1),
    "15 % of the words changed": changed(0.15),
    "within 400 other words": embedded,
}


def texts_of(path: Path) -> list[str]:
    """Returns the texts of a BEIR table."""
    return [json.loads(line)["text"] for line in path.read_bytes().splitlines()]


def settings_for(texts: Iterable[str], folder: Path) -> Decontaminate:
    """Writes texts as a benchmark and returns the default settings against it."""
    path = folder / "tests.jsonl"
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps({"text": text}) + "\n" for text in texts)
    return Decontaminate(against=[Benchmark(path=str(path))])


def recall_row(name: str, texts: list[str], folder: Path) -> list[str]:
    """Returns the shares of planted texts that are found as themselves, and of the other half that match anything."""
    draw = random.Random(13)
    draw.shuffle(texts)
    half = len(texts) // 2
    tests = texts[:half]
    settings = settings_for(tests, folder)
    index = build_index(settings, ("text",))
    if index is None:
        raise RuntimeError("building was not asked to stop")
    places = {label: number for number, label in enumerate(index.texts.labels.to_pylist())}
    row = [name, f"{half:,}", f"{sum(len(text.split()) for text in tests) / half:.0f}"]
    for edit in VARIANTS.values():
        training = pa.array([" ".join(edit(text.split(), draw)) for text in tests], pa.string())
        found = {(each.row, each.text) for each in find_matches(index, training, "text", settings)}
        # An equal test text stands for those after it.
        known = [places.get(f"tests.jsonl:{number + 1}.text") for number in range(half)]
        asked = [(number, text) for number, text in enumerate(known) if text is not None]
        row.append(f"{sum(each in found for each in asked) / len(asked):.1%}")
    others = find_matches(index, pa.array(texts[half:], pa.string()), "text", settings)
    return [*row, f"{len({each.row for each in others}) / (len(texts) - half):.1%}"]


def unrelated_share(texts: Sequence[str], others: Sequence[str], folder: Path) -> str:
    """Returns how many texts of one corpus match one of an unrelated corpus."""
    settings = settings_for(others, folder)
    index = build_index(settings, ("text",))
    if index is None:
        raise RuntimeError("building was not asked to stop")
    found = find_matches(index, pa.array(texts, pa.string()), "text", settings)
    return f"{len({each.row for each in found}):,} of {len(texts):,}"


def speed_rows(source: Path, number: int, folder: Path) -> list[list[str]]:
    """Returns what an index of `number` texts takes, and comparing a tenth as many documents with it."""
    settings = settings_for((each["text"] for each in edited_documents(source, number)), folder)
    begun = time.process_time()
    index = build_index(settings, ("text",))
    if index is None:
        raise RuntimeError("building was not asked to stop")
    path = folder / "index.arrow"
    write_index(index, str(path))
    seconds = time.process_time() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    del index
    size = os.path.getsize(path)
    rows = [
        ["index", f"{number:,}", f"{seconds:.1f} s", f"{number / seconds:,.0f}", f"{size / number:,.0f}", f"{peak:.2f}"]
    ]
    commands = " ".join(texts_of(source.parent / "nl2bash" / "queries.jsonl")).split()
    draw = random.Random(13)
    places = [draw.randrange(len(commands) - WORDS) for _ in range(number // 10)]
    asked = {
        "compare, unrelated": [" ".join(commands[place : place + WORDS]) for place in places],
        "compare, other windows of the same words": [
            each["text"] for each in edited_documents(source, number // 10, seed=14)
        ],
        "compare, all in the benchmark": [each["text"] for each in edited_documents(source, number // 10)],
    }
    for name, chosen in asked.items():
        begun = time.process_time()
        for start in range(0, len(chosen), 4_096):
            find_matches(open_index(str(path)), pa.array(chosen[start : start + 4_096]), "text", settings)
        seconds = time.process_time() - begun
        rows.append([name, f"{len(chosen):,}", f"{seconds:.1f} s", f"{len(chosen) / seconds:,.0f}", "-", "-"])
    return rows


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a Markdown table."""
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows))


def main() -> None:
    """Measures, prints and keeps the tables."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("data", type=Path)
    arguments.add_argument("--texts", type=int, default=200_000)
    given = arguments.parse_args()
    medquad, nl2bash, xquad = (given.data / name for name in ("medquad-sample", "nl2bash", "xquad-r-sample"))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        recall = [
            recall_row("medquad documents", texts_of(medquad / "corpus.jsonl"), folder),
            recall_row("medquad queries", texts_of(medquad / "queries.jsonl"), folder),
            recall_row("nl2bash queries", texts_of(nl2bash / "queries.jsonl"), folder),
        ]
        apart = unrelated_share(texts_of(medquad / "corpus.jsonl"), texts_of(xquad / "corpus.jsonl"), folder)
        speed = speed_rows(medquad, given.texts, folder)
    defaults = Decontaminate()
    machine = f"{platform.machine()}, Python {platform.python_version()}, one process"
    used = f"ngram {defaults.ngram}, containment {defaults.containment}, near {defaults.near}"
    planted = (
        "Half of each corpus is the benchmark; its texts, edited, are the training rows. The last column is the other "
        "half: rows of one corpus that match a different text of it, most of them for a common template."
    )
    text = "\n\n".join(
        [
            "# Decontamination",
            f"{machine}; {used}.",
            "## Found of planted test texts",
            planted,
            table(["corpus", "tests", "words", *VARIANTS, "other half"], recall),
            f"medquad documents that match a text of xquad-r, an unrelated corpus: {apart}.",
            "## Speed and size",
            f"Processor time; texts of {WORDS} words.",
            table(["", "texts", "time", "texts per second", "bytes per text", "peak memory, GB"], speed),
        ]
    )
    RESULT.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
