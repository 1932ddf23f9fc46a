"""Deduplication from text to kept documents with cluster ids: oreline, datatrove and datasketch on the same documents.

    python benchmarks/dedup.py DATA/rn-docs-sample --datatrove VENV/bin/python [--documents 100000] [--curve 10000 ...]

Word 5-grams, 14 bands of 8 rows, on two cores. Every side runs in processes of its own, one after the other: wall
time, CPU time of all its processes, and the largest resident memory of one of them. oreline's figure is its stage
`dedup` between tables on disk, verification by exact Jaccard similarity and signatures kept included; `process` adds
the start of Python. Prints tables and writes them to benchmarks/results/dedup.md.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import edited_corpus

RESULT = Path(__file__).parent / "results" / "dedup.md"
HERE = Path(__file__).parent
SHAPE = ("5", "14", "8")
FILES = 4

_OURS = (
    "import json, sys, oreline\n"
    "ran = oreline.run(json.loads(sys.argv[1]), only=sys.argv[2])\n"
    "print(json.dumps([each.seconds for each in ran.stages if each.how == 'ran']))\n"
)


@dataclass(frozen=True)
class Measured:
    """One side's run: seconds of wall and CPU time, largest resident memory in bytes, what it printed last."""

    wall: float
    cpu: float
    peak: int
    printed: str


def measured(command: Sequence[str], log: Path) -> Measured:
    """Runs a command to its end and measures it with those it waits for; raises RuntimeError if it fails."""
    begun = monotonic()
    with log.open("wb") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        printed = process.stdout.read() if process.stdout else ""
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command[:3]} ended with {process.returncode}: {log.read_text()[-2000:]}")
    lines = printed.strip().splitlines()
    return Measured(
        monotonic() - begun, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024, lines[-1] if lines else ""
    )


def row(name: str, number: int, run: Measured, seconds: float, kept: int) -> list[str]:
    """Returns a side's row of the table."""
    rate = f"{number / seconds:,.0f}"
    return [
        name,
        f"{seconds:.1f} s",
        f"{run.wall:.1f} s",
        f"{run.cpu:.1f} s",
        rate,
        f"{run.peak / 2**30:.2f} GB",
        f"{kept:,}",
    ]


def ours(folder: Path, corpus: Path, number: int, threads: int, verify: str = "jaccard") -> list[str]:
    """Measures the stage dedup; ingest has run before."""
    output = folder / f"oreline-{threads}-{verify}"
    recipe = {
        "output": str(output),
        "sources": [{"path": str(corpus / "*.jsonl"), "format": "jsonl", "dataset": "edited"}],
        "dedup": {"verify": verify},
        "beam": {"workers": threads},
    }
    log = folder / "oreline.log"
    measured([sys.executable, "-c", _OURS, json.dumps(recipe), "ingest"], log)
    run = measured([sys.executable, "-c", _OURS, json.dumps(recipe), "dedup"], log)
    manifest = json.loads((output / "dedup" / "manifest.json").read_text())
    (seconds,) = json.loads(run.printed)
    name = f"oreline, {threads} thread{'s' * (threads > 1)}, {'verified' if verify != 'none' else 'not verified'}"
    return row(name, number, run, seconds, manifest["books"]["kept"][0])


def datatrove(folder: Path, corpus: Path, number: int, python: str) -> list[str]:
    """Measures datatrove's four stages."""
    output = folder / "datatrove"
    run = measured(
        [python, str(HERE / "datatrove_side.py"), str(corpus), str(output), *SHAPE, "2"], folder / "trove.log"
    )
    kept = sum(len(path.read_text().splitlines()) for path in (output / "kept").glob("*.jsonl"))
    return row("datatrove, 2 workers", number, run, sum(json.loads(run.printed)), kept)


def datasketch(folder: Path, corpus: Path, number: int) -> list[str]:
    """Measures datasketch."""
    output = folder / "datasketch"
    command = [sys.executable, str(HERE / "datasketch_side.py"), str(corpus), str(output), *SHAPE, "2"]
    run = measured(command, folder / "sketch.log")
    lines = (output / "clusters.jsonl").read_text().splitlines()
    kept = len({json.loads(line)["cluster"] for line in lines})
    return row("datasketch, 2 processes", number, run, run.wall, kept)


def made(folder: Path, source: Path, number: int) -> Path:
    """Writes the corpus in as many files as the sides read at once, and returns their folder."""
    corpus = folder / f"corpus-{number}"
    corpus.mkdir(parents=True)
    files = [(corpus / f"{place}.jsonl").open("w", encoding="utf-8") for place in range(FILES)]
    for place, document in enumerate(edited_corpus.documents(source, number)):
        files[place % FILES].write(json.dumps(document, ensure_ascii=False) + "\n")
    for file in files:
        file.close()
    return corpus


def table(rows: Sequence[Sequence[str]]) -> str:
    """Returns a Markdown table of the rows."""
    head = ["side", "time", "process", "CPU time", "documents/s", "peak memory", "kept"]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows))


def main() -> None:
    """Makes the corpora, runs the sides, prints and keeps the tables."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("source", type=Path)
    arguments.add_argument("--datatrove", metavar="PYTHON")
    arguments.add_argument("--documents", type=int, default=100_000)
    arguments.add_argument("--curve", type=int, nargs="*", default=[10_000, 100_000])
    given = arguments.parse_args()
    load = os.getloadavg()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        corpus = made(folder, given.source, given.documents)
        number = given.documents
        sides = [ours(folder, corpus, number, threads) for threads in (1, 2)]
        sides.append(ours(folder, corpus, number, 2, "none"))
        sides.append(datasketch(folder, corpus, number))
        if given.datatrove:
            sides.append(datatrove(folder, corpus, number, given.datatrove))
        curve = [
            [f"{size:,}", *ours(folder / str(size), made(folder / str(size), given.source, size), size, 2)[1:]]
            for size in given.curve
        ]
    machine = (
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; load before and after "
        f"{load[0]:.1f} and {os.getloadavg()[0]:.1f}"
    )
    text = (
        f"# Deduplication\n\n{number:,} documents of {edited_corpus.WORDS} words (`edited_corpus.py`), word 5-grams, "
        f"14 bands of 8 rows. {machine}.\n\n{table(sides)}\n\n"
        "`time` is from text to kept documents with cluster ids; for oreline the stage `dedup`, between tables on "
        "disk, exact verification and signatures kept for later runs included. `process` adds the program's start. "
        "`CPU time` is that of all processes, `peak memory` that of the largest.\n\n"
        f"## oreline by size, 2 threads, verified\n\n{table(curve).replace('| side', '| documents', 1)}\n"
    )
    RESULT.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
