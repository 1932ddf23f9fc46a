"""One call to the model in ten goes wrong, over a whole corpus: what became of every unit, request and answer.

    PYTHONPATH=pipelines:tests python benchmarks/faults.py CORPUS [--share 0.1] [--limit N]

CORPUS is a folder in BEIR's format. A server of Gemini's protocol, a thread of this process, lets a share of the calls
go wrong, in eighteen ways in equal parts: 429, 500, 503, 504, a connection reset in mid-body, a body that never ends,
JSON that is none or off its schema, blocks, refusals, truncation and more. The whole line runs. Then the books of every
stage must balance and agree with the tables, requests must be answers and rejects, and the answers that the server gave
must be those that were paid for and those that the journal holds, each once. A second run, in which nothing goes wrong,
must leave no row without an answer.
Prints a table and writes it to benchmarks/results/.
"""

import argparse
import os
import platform
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from faults_corpus import ASKING, MIXED, UNANSWERED, Course, Entry, mixed
from oreline.reasons import UNANSWERED as UNANSWERED_REASON

from gemini_server import GeminiServer

LATENCY = 0.05
TIMEOUT = 15.0
"""Seconds: what a call takes whose body never ends, and long enough for all others on a machine that is busy."""


def main() -> None:
    """Runs the line twice and writes the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--share", type=float, default=0.1)
    parser.add_argument("--limit", type=int)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, GeminiServer(latency=LATENCY) as server:
        os.environ["GEMINI_API_KEY"] = server.key
        mixed(server, given.share)
        course = Course(
            Path(folder),
            given.corpus.resolve(),
            server,
            "synthesize: {writers: [retrieval/fret]}\n",
            timeout=TIMEOUT,
            limit=given.limit,
        )
        begun, used = time.monotonic(), time.process_time()
        course.run()
        begun, used = time.monotonic() - begun, time.process_time() - used
        misses, asked = course.misses(), server.met.total()
        books = _books(course, f"{begun:,.0f} s, {used:,.0f} s of them on the processor")
        server.faults.clear()
        course.run()
        lost = sum(each.rejects[UNANSWERED_REASON] for each in course.entries())
        if lost:
            misses.append(f"{lost} rows are without an answer after a run in which nothing went wrong")
        told = "All of this adds up." if not misses else "NOT ADDING UP: " + "; ".join(misses)
        again = (
            f"A second run, in which nothing went wrong, asked {server.met.total() - asked:,} times; without an answer"
        )
        report = "\n".join([*books, "", f"{again} then: {lost}.", "", told, ""])
    print(report)
    (Path(__file__).parent / "results" / "faults.md").write_text(report, encoding="utf-8")
    if misses:
        raise SystemExit("\n".join(misses))


def _books(course: Course, took: str) -> list[str]:
    """Returns the lines on a run, before anything is asked again."""
    met, entries = course.server.met, course.entries()
    wrong = met.total() - met[""]
    kept = course.journaled()
    setting = (
        f"{platform.system()} {platform.machine()}, Python {platform.python_version()}; {course.corpus.name}; "
        f"{met.total():,} calls, {wrong:,} of which ({wrong / met.total():.1%}) went wrong; {took}."
    )
    unanswered = sum(met[kind] for kind in UNANSWERED)
    paid = sum(each.paid for each in entries)
    statuses = ", ".join(f"{number:,} {status}" for status, number in kept.most_common())
    asked = (
        f"Calls {met.total():,} = {unanswered:,} without an answer + {met.total() - unanswered:,} answers; "
        f"paid for {paid:,}; in the journal {kept.total():,} ({statuses})."
    )
    return [
        "# One call in ten goes wrong",
        "",
        setting,
        "",
        *_units(entries),
        "",
        *_requests(entries),
        "",
        asked,
        "",
        *_kinds(met),
    ]


def _units(entries: Sequence[Entry]) -> list[str]:
    rows = [
        "| stage | units | kept | merged | passed over | dropped | rejects |",
        "| :-- | --: | --: | --: | --: | --: | :-- |",
    ]
    for each in entries:
        books = each.manifest.books
        tallies = (books.units, books.kept, books.merged, books.passed_over, books.dropped)
        counts = " | ".join(f"{tally.count:,}" for tally in tallies)
        rows.append(f"| {each.stage} | {counts} | {_shown(each.rejects)} |")
    return rows


def _requests(entries: Sequence[Entry]) -> list[str]:
    rows = ["| stage | requests | answers | rejects | answers paid for |", "| :-- | --: | --: | --: | --: |"]
    asking = [each for each in entries if each.stage in ASKING]
    for each in asking:
        answers = each.manifest.counts.get("answers", 0)
        rows.append(f"| {each.stage} | {each.requests:,} | {answers:,} | {each.answer_rejects:,} | {each.paid:,} |")
    return rows


def _kinds(met: Counter[str]) -> list[str]:
    rows = ["| went wrong | calls |", "| :-- | --: |"]
    return [*rows, *(f"| {kind} | {met[kind]:,} |" for kind in MIXED)]


def _shown(counter: Counter[str]) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in counter.most_common()) or "-"


if __name__ == "__main__":
    main()
