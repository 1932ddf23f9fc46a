"""Calls per second: a stage with its journal, a bare loop over the same client, and RunInference.

    python benchmarks/llm_throughput.py [--requests 5000] [--concurrency 64] [--latency 0.2] [--rounds 3]
    python benchmarks/llm_throughput.py --memory [--requests 200000]

A server in a process of its own (`canned_gemini`) answers each call after `latency`, so that concurrency / latency is
the ideal rate. The sides (`llm_sides`) run in turn, each in a process of its own, and ask the same prompts: `oreline
run --only synthesize` over documents that were read before; asyncio loops over google-genai, with the session that
oreline gives it and with its own; RunInference with a handler that sends its batch at once. Prints a table and writes
it to benchmarks/results/. With `--memory` the stage runs alone, without latency, and its peak memory is what counts.
"""

import argparse
import json
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import oreline
from llm_sides import KEY, Setting, recipe

HERE = Path(__file__).parent
WORDS = 120
SIDES = {
    "oreline": "oreline: the whole stage, journal included",
    "session": "bare loop, oreline's session",
    "default": "bare loop, the client's own session",
    "inference": "RunInference, batches sent at once",
}


@dataclass(frozen=True)
class Timing:
    """What a side took: seconds in all and from first request to last answer, CPU seconds, peak memory in bytes."""

    whole: float
    calls: float
    cpu: float
    peak: int
    in_flight: int
    server_cpu: float


def write_documents(path: Path, number: int, seed: int = 13) -> None:
    """Writes documents of random words, the same for the same seed."""
    draw = random.Random(seed)
    words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(3, 10))) for _ in range(20_000)]
    with path.open("w", encoding="utf-8") as file:
        for place in range(number):
            title, text = (" ".join(draw.choices(words, k=count)) for count in (4, WORDS))
            file.write(json.dumps({"id": f"d{place}", "title": title, "text": text}) + "\n")


@contextmanager
def server(latency: float) -> Iterator[str]:
    """Runs the server in a process of its own; gives its address."""
    command = [sys.executable, str(HERE / "canned_gemini.py"), "--latency", str(latency)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()


def counted(url: str) -> dict[str, float]:
    """Returns what the server counted since it was asked last."""
    with urllib.request.urlopen(url) as response:  # noqa: S310 - our own server
        found: dict[str, float] = json.loads(response.read())
    return found


def measure(side: str, setting: Setting, requests: int) -> Timing:
    """Runs one side from nothing journaled; raises RuntimeError if the server did not answer every request once."""
    for name in ("out/_cache", "out/synthesize"):
        shutil.rmtree(Path(setting.folder) / name, ignore_errors=True)
    before = counted(setting.url)
    command = [sys.executable, str(HERE / "llm_sides.py"), side, setting.folder, setting.url, str(setting.concurrency)]
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, "GEMINI_API_KEY": KEY}
    )
    own, seen = json.loads(done.stdout.splitlines()[-1]), counted(setting.url)
    if seen["answered"] != requests:
        raise RuntimeError(f"{side}: {requests} requests, but {seen['answered']:.0f} answers")
    flight, used = int(seen["most_in_flight"]), seen["cpu"] - before["cpu"]
    return Timing(own["whole"], seen["seconds"], own["cpu"], own["peak"], flight, used)


def prepare(setting: Setting, requests: int) -> None:
    """Writes the documents and reads them: ingest and dedup are not what is measured."""
    write_documents(Path(setting.folder) / "documents.jsonl", requests)
    oreline.run(recipe(setting), until="dedup")


def rows_of(timings: dict[str, list[Timing]], requests: int, ideal: float) -> list[list[str]]:
    """Returns the table: medians over the rounds."""
    rows = []
    for side, found in timings.items():
        whole, calls = (median(getattr(each, name) for each in found) for name in ("whole", "calls"))
        cpu = median(each.cpu for each in found) / requests * 1000
        rates = [f"{requests / seconds:.0f}" for seconds in (whole, calls)]
        shares = [f"{requests / seconds / ideal:.2f}" for seconds in (whole, calls)]
        peak = f"{max(each.peak for each in found) / 1e9:.2f} GB"
        rows.append([SIDES[side], rates[0], shares[0], rates[1], shares[1], f"{cpu:.2f} ms", peak])
    return rows


def table(head: list[str], rows: list[list[str]]) -> str:
    """Returns a Markdown table."""
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows))


def machine() -> str:
    """Returns on what it ran."""
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def compare(given: argparse.Namespace, folder: str) -> str:
    """Runs all sides in turn and returns the section of the results."""
    requests = given.requests or 5_000
    ideal = given.concurrency / given.latency
    timings: dict[str, list[Timing]] = {side: [] for side in given.sides.split(",")}
    with server(given.latency) as url:
        setting = Setting(folder, url, given.concurrency)
        prepare(setting, requests)
        for _ in range(given.rounds):
            for side, found in timings.items():
                found.append(measure(side, setting, requests))
                print(side, found[-1], file=sys.stderr, flush=True)
    head = ["", "requests/s", "of ideal", "while calling", "of ideal", "CPU per request", "peak memory"]
    told = (
        f"{requests:,} requests, {given.concurrency} in flight, {given.latency * 1000:.0f} ms each: "
        f"ideal {ideal:.0f}/s. {machine()}, load {os.getloadavg()[0]:.1f}; median of {given.rounds}."
    )
    return f"{told}\n\n{table(head, rows_of(timings, requests, ideal))}\n"


def remember(given: argparse.Namespace, folder: str) -> str:
    """Runs the stage alone, without latency, and returns the section of the results."""
    requests = given.requests or 200_000
    with server(0.0) as url:
        setting = Setting(folder, url, given.concurrency)
        prepare(setting, requests)
        timing = measure("oreline", setting, requests)
    head = ["requests", "time", "CPU per request", "peak memory"]
    cpu = f"{timing.cpu / requests * 1000:.2f} ms"
    row = [f"{requests:,}", f"{timing.whole:.0f} s", cpu, f"{timing.peak / 1e9:.2f} GB"]
    told = f"One stage from documents to committed queries, a server without latency. {machine()}."
    return f"{told}\n\n{table(head, [row])}\n"


def main() -> None:
    """Measures, prints and keeps the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--latency", type=float, default=0.2, help="seconds before each answer")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sides", default=",".join(SIDES), help="which to run, with commas between")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--result", type=Path, help="where the table goes; default: benchmarks/results")
    given = parser.parse_args()
    os.environ["GEMINI_API_KEY"] = KEY
    with tempfile.TemporaryDirectory() as folder:
        section = remember(given, folder) if given.memory else compare(given, folder)
    name = "llm_memory.md" if given.memory else "llm_throughput.md"
    title = "Memory of a stage with many requests" if given.memory else "Calls to a model"
    text = f"# {title}\n\n{section}"
    (given.result or HERE / "results" / name).write_text(text)
    print(text)


if __name__ == "__main__":
    main()
