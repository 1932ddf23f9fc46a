"""What judging repairs: rows of which some were given a wrong positive, and a judge that errs at a set rate.

    PYTHONPATH=pipelines:tests python benchmarks/relabel.py DATA/medquad-sample [DATA/nl2bash ...]

One positive per query is shown; of 15 % of the queries it is swapped for a document that is none of theirs. A local
server answers the judge's calls from the labels, wrong for a set share of the verdicts (the same ones whenever it is
asked). In the cascade a second model is asked about what the first flags; it errs half as often. The line runs with
`select.relabel.human: best`, so that people's positives are mended like written ones, and with the default ceiling and
window. Prices are made up, at a ratio of ten: what counts is how the money divides.
"""

import argparse
import datetime as dt
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import oreline
from evidence.label_judge import LabelJudge
from evidence.mended import Outcome, outcome
from evidence.swapping import Swapped, swap
from negatives import CORPORA, LENGTH, Corpus
from oreline.tables.manifest import Manifest, read_manifest

from gemini_server import GeminiServer
from training.heldout import Labelled, read_beir, write_beir

RESULTS = Path(__file__).parent / "results"
SHARE = 0.15
ERRORS = (0.0, 0.05, 0.1, 0.2)
CHEAP = {"input": 0.1, "output": 0.4}
STRONG = {"input": 1.0, "output": 4.0}


@dataclass(frozen=True)
class Measured:
    """What one run made of the rows, and what the judges that it asked gave and cost."""

    outcome: Outcome
    verdicts: int
    dollars: float


def main(arguments: Sequence[str]) -> None:
    """Runs the benchmark, prints its tables and writes them to `benchmarks/results/relabel.md`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+", help="BEIR folders")
    parser.add_argument("--queries", type=int, help="at most so many queries of each folder")
    options = parser.parse_args(arguments)
    lines = ["# What judging repairs", ""]
    for folder in options.data:
        lines += _section(folder, options.queries)
    lines.append(
        f"{dt.datetime.now(tz=dt.UTC):%Y-%m-%d}; {platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}, oreline {oreline.__version__}."
    )
    text = "\n".join(lines)
    print(text)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "relabel.md").write_text(text + "\n", encoding="utf-8")


_HEAD = (
    (
        "| judge | verdicts wrong | swaps detected | repaired (of those that can be) | row dropped | missed | "
        "good rows kept | dropped | damaged | rows with a false negative | negatives that are one | "
        "verdicts: first + strong | dollars: first + strong |"
    ),
    "| --- " * 2 + "| --: " * 11 + "|",
)


def _section(folder: Path, most: int | None) -> list[str]:
    whole = _fewer(read_beir(folder), most)
    swapped = swap(whole, SHARE)
    corpus = CORPORA.get(folder.name, Corpus())
    counted = (
        f"{len(whole.documents):,} documents, {len(whole.queries):,} queries, {len(swapped.wrong):,} of them with a "
        "wrong positive."
    )
    lines = [f"## {folder.name}", "", counted, "", *_HEAD]
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        write_beir(swapped.given, root / "source")
        case = Case(root, folder.name, corpus, swapped, whole)
        lines.append(_line("none", 0.0, _run(case, None, cascade=False)))
        for error in ERRORS:
            cheap = _run(case, error, cascade=False)
            lines.append(_line("listwise", error, cheap))
            # The first judge's verdicts are kept: the second run asks, and pays, the strong one alone.
            lines.append(_line("cascade", error, _run(case, error, cascade=True), cheap))
    return [*lines, ""]


def _fewer(whole: Labelled, most: int | None) -> Labelled:
    chosen = sorted(whole.positives)[:most]
    return Labelled(
        whole.documents, {i: whole.queries[i] for i in chosen}, {i: set(whole.positives[i]) for i in chosen}
    )


@dataclass(frozen=True)
class Case:
    """A corpus with swapped positives under `root`/source, and all its labels."""

    root: Path
    name: str
    corpus: Corpus
    swapped: Swapped
    whole: Labelled


def _run(case: Case, error: float | None, *, cascade: bool) -> Measured:
    """Runs the line; what a run without a judge has made is used again, and so are a judge's answers."""
    output = case.root / "out"
    first, second = f"judge-{error}", f"strong-judge-{error}"
    judge = LabelJudge(case.whole, {first: error or 0.0, second: (error or 0.0) / 2})
    with GeminiServer(canned=judge.answer) as server:
        os.environ["GEMINI_API_KEY"] = server.key
        model = {"base_url": server.url, "server": "labels", "budget_usd": 1000.0}
        recipe: dict[str, object] = {
            "output": str(output),
            "sources": [_source(case)],
            "dedup": {"enabled": False},  # a document of equal text could stand for a swapped one
            "encoder": {"max_tokens": LENGTH},
            "synthesize": {"enabled": False},
        }
        if error is not None:
            recipe["llm"] = {**model, "model": first, "price": CHEAP}
            recipe["select"] = {"relabel": {"human": "best"}}
            if cascade:
                recipe["judge"] = {"cascade": {"llm": {**model, "model": second, "price": STRONG}}}
        oreline.run(recipe)
    judged = read_manifest(str(output), "judge") if error is not None else None
    return Measured(
        outcome(output, case.name, case.swapped, case.whole), sum(judge.verdicts.values()), _dollars(judged)
    )


def _source(case: Case) -> dict[str, object]:
    source: dict[str, object] = {"path": str(case.root / "source"), "format": "beir", "dataset": case.name}
    source |= {"content": case.corpus.content, "task_type": case.corpus.task_type}
    return source | ({"parent": case.corpus.parent} if case.corpus.parent else {})


def _dollars(manifest: Manifest | None) -> float:
    return 0.0 if manifest is None else manifest.counts.get("microdollars", 0) / 1e6


def _line(judge: str, error: float, measured: Measured, cheap: Measured | None = None) -> str:
    found = measured.outcome
    rows, negatives = found.false_negatives
    each = [measured] if cheap is None else [cheap, measured]
    verdicts = " + ".join(f"{one.verdicts:,}" for one in each)
    dollars = " + ".join(f"{one.dollars:.2f}" for one in each)
    cells = [
        f"{found.detected:.1%}",
        f"{found.repaired:,} of {found.repairable:,}" if judge != "none" else "-",
        f"{found.dropped:,}",
        f"{found.missed:,}",
        f"{found.kept:,}",
        f"{found.lost:,}",
        f"{found.damaged:,}",
        f"{rows:.1%}",
        f"{negatives:.2%}",
        verdicts if judge != "none" else "-",
        dollars if judge != "none" else "-",
    ]
    return f"| {judge} | {error:.0%} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main(sys.argv[1:])
