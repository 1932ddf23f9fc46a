"""Time and memory of ingest and dedup on many short documents.

    python benchmarks/large_corpus.py DATA/medquad-sample [--documents 200000] [--output DIR]

The corpus is made from the words of a BEIR folder: windows of 40 words, of which every fifth is a copy of an earlier
one with one word changed, and every tenth an exact copy. Prints a table and writes it to benchmarks/results/.
"""

import argparse
import json
import platform
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

RESULT = Path(__file__).parent / "results" / "large_corpus.md"
WORDS = 40


def documents(source: Path, number: int, seed: int = 13) -> Iterator[dict[str, str]]:
    """Yields `number` documents, the same for the same seed."""
    draw = random.Random(seed)
    lines = (source / "corpus.jsonl").read_text(encoding="utf-8").splitlines()
    words = " ".join(json.loads(line)["text"] for line in lines).split()
    made: list[list[str]] = []
    for place in range(number):
        start = draw.randrange(len(words) - WORDS)
        text = words[start : start + WORDS]
        if made and place % 5 == 0:
            text = list(made[draw.randrange(len(made))])
            if place % 10 == 0:
                text[draw.randrange(WORDS)] = f"edited{place}"
        if len(made) < 50_000:
            made.append(text)
        yield {"id": f"d{place}", "text": " ".join(text)}


def run(folder: Path, number: int) -> list[str]:
    """Runs both stages in a process of their own and returns the table's row."""
    recipe = folder / "recipe.yaml"
    recipe.write_text(f"output: {folder / 'out'}\nsources: [{{path: {folder / 'corpus.jsonl'}, dataset: large}}]\n")
    begun = time.monotonic()
    command = [sys.executable, "-m", "oreline", "run", str(recipe), "--until", "dedup", "--examples", "0"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    seconds = time.monotonic() - begun
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    books = json.loads((folder / "out" / "dedup" / "manifest.json").read_text())
    drops = ", ".join(f"{reason} {count:,}" for reason, count in books["drops"].items())
    return [f"{number:,}", f"{seconds:.0f} s", f"{peak:.2f} GB", f"{books['books']['kept'][0]:,}", drops]


def main() -> None:
    """Makes the corpus, runs the stages, prints and keeps the table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("source", type=Path)
    arguments.add_argument("--documents", type=int, default=200_000)
    arguments.add_argument("--output", type=Path)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.output or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "corpus.jsonl").open("w", encoding="utf-8") as corpus:
            corpus.writelines(json.dumps(each) + "\n" for each in documents(given.source, given.documents))
        row = run(folder, given.documents)
    head = ["documents", "time", "peak memory", "kept", "dropped"]
    table = "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), row))
    machine = f"{platform.machine()}, Python {platform.python_version()}, one worker"
    text = f"# Ingest and dedup of short documents\n\n{WORDS} words each; {machine}.\n\n{table}\n"
    RESULT.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
