"""kill -9 at random moments of a run, resumed each time: what was lost, what was paid twice, and whether it shows.

    PYTHONPATH=pipelines:tests python benchmarks/crash_resume.py [--kills 20] [--documents 690] [--seed 20]

Two folders hold the same documents and recipe, which asks a model twice over: it writes queries, then rates them, about
2,000 requests. One is run without disturbance. The other is killed, by signal 9 to its process group, after a number of
calls drawn at random, and every fourth time after seconds drawn at random, wherever the run is by then; it is started
again each time, and left alone at the end. The server, a thread of this process, lets one call in ten fail. Then the
content digests of all tables must be equal, no answer may stand in the journal twice, and no answer that it held at any
kill may be gone or another. Prints a table and writes it to benchmarks/results/.
"""

import argparse
import platform
import random
import tempfile
from pathlib import Path

from crash_house import USELESS, Corpus, Kill, faulty

from gemini_server import GeminiServer

LATENCY = 0.1
CONCURRENCY = 16
MOST_CALLS = 190
"""A run is killed after at most so many calls: 20 of them then fall into 2,000."""


def main() -> None:
    """Runs both and writes the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--documents", type=int, default=690)
    parser.add_argument("--seed", type=int, default=20)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, GeminiServer() as server:
        faulty(server)
        whole, killed = (Corpus(Path(folder) / name, given.documents, CONCURRENCY) for name in ("whole", "killed"))
        for corpus in (whole, killed):
            corpus.write(server)
        whole.run()
        faults = _faults(server)
        server.calls.clear()
        late = _kill_often(killed, server, given.kills, random.Random(given.seed))
        killed.run()
        report = _table(whole, killed, late, faults)
    print(report)
    (Path(__file__).parent / "results" / "crash_resume.md").write_text(report, encoding="utf-8")


def _kill_often(corpus: Corpus, server: GeminiServer, kills: int, draw: random.Random) -> int:
    """Kills the run so many times; returns how many further ones came too late, since it had ended."""
    server.latency = LATENCY
    late = 0
    while len(corpus.kills) < kills:
        before = corpus.held()
        by_time = len(corpus.kills) % 4 == 3
        calls, seconds = (0, draw.uniform(0.5, 8.0)) if by_time else (draw.randint(1, MOST_CALLS), draw.uniform(0, 0.5))
        if not corpus.kill(server, asks=calls, seconds=seconds):
            corpus.kills.pop()
            late += 1
            if late > kills:
                raise SystemExit("the run ends before it can be killed; give it more documents")
        if not before.items() <= corpus.held().items():
            raise SystemExit("an answer that was journaled is gone, or is another one now")
    return late


def _faults(server: GeminiServer) -> float:
    """Returns the share of the calls so far that failed, or whose answer was blocked, cut off or no JSON."""
    failed = len(server.bodies) - len(server.answered_prompts)
    useless = sum(any(mark in prompt for mark in USELESS) for prompt in server.answered_prompts)
    return (failed + useless) / len(server.bodies)


def _table(whole: Corpus, killed: Corpus, late: int, faults: float) -> str:
    expected, found = whole.held(), killed.held()
    equal = killed.digests() == whole.digests()
    lost, tokens = sum(each.lost for each in killed.kills), killed.spent().tokens
    again = lost / (len(found) + lost)
    setting = (
        f"{platform.system()} {platform.machine()}, Python {platform.python_version()}; "
        f"{killed.documents:,} documents, {len(expected):,} answers, {CONCURRENCY} calls of {LATENCY:g} s in flight; "
        f"{faults:.1%} of the calls failed or gave nothing of use; {len(killed.kills)} kills"
        + (f", {late} more came after the end." if late else ".")
    )
    tables = (
        f"- Tables ({', '.join(killed.digests())}): {'equal to' if equal else 'NOT EQUAL to'} those of the run that "
        "was left alone, by their content digests."
    )
    journal = (
        f"- Answers in the journal: {len(found):,}; requests and attempts "
        f"{'the same' if found.keys() == expected.keys() else 'NOT THE SAME'}; there twice: 0; gone or replaced: 0."
    )
    asked = (
        f"- Asked again: {lost} of {len(found) + lost:,} answers that were sent ({again:.1%}), at most "
        f"{max(each.lost for each in killed.kills)} per kill: in flight, or not yet flushed (64 answers or 2 seconds)."
    )
    money = (
        f"- Spent by the names of the segments: {tokens:,} tokens; by their rows: {killed.tokens():,}; by the run that "
        f"was left alone: {whole.tokens():,}."
    )
    head = "| kill | after | calls in this run | answered | journaled | lost |"
    rows = [_row(number, each) for number, each in enumerate(killed.kills, 1)]
    ruler = "| ---: | ---: | ---: | ---: | ---: | ---: |"
    return "\n".join(
        ["# Killed and resumed", "", setting, "", head, ruler, *rows, "", tables, journal, asked, money, ""]
    )


def _row(number: int, kill: Kill) -> str:
    return f"| {number} | {kill.seconds:.1f} s | {kill.asked} | {kill.answered} | {kill.journaled} | {kill.lost} |"


if __name__ == "__main__":
    main()
