"""A disk that takes no more, a cache that vanishes in mid-run: one message, nothing lost, and the next run goes on."""

import errno
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from crash_house import KEY, Corpus
from journal_house import answers_in
from line_house import begin, wait_until
from oreline.tables.manifest import read_manifest

from gemini_server import GeminiServer

CONCURRENCY = 4


@pytest.fixture
def server() -> Iterator[GeminiServer]:
    with GeminiServer() as running:
        running.latency = 0.1
        yield running


@pytest.fixture
def corpus(tmp_path: Path, server: GeminiServer) -> Corpus:
    written = Corpus(tmp_path, 150, CONCURRENCY)
    written.write(server)
    return written


def in_the_middle(corpus: Corpus) -> "subprocess.Popen[str]":
    """Starts the run and returns when some answers are in the journal and more are to come."""
    process = begin(corpus.folder, "run", "recipe.yaml", "--until", "synthesize", variables={"GEMINI_API_KEY": KEY})
    wait_until(process, lambda: len(corpus.held()) > 0)
    return process


def ended(process: "subprocess.Popen[str]") -> str:
    """Returns what a run said that had to fail, with exit code 3 and one message."""
    _, told = process.communicate(timeout=60)
    assert process.returncode == 3, told
    assert told.count("oreline: ") == 1
    assert "Traceback" not in told
    assert "Logging error" not in told
    return told


def goes_on(corpus: Corpus, server: GeminiServer, held: dict[tuple[str, int], str]) -> None:
    """Runs the rest: what was in the journal is there unchanged, is not asked for again, and all books add up."""
    asked = len(server.bodies)
    server.latency = 0.0
    corpus.run("--until", "synthesize")
    now = corpus.held()
    assert held.items() <= now.items()
    assert len(server.bodies) - asked == corpus.documents - len(held) == len(now) - len(held)
    manifest = read_manifest(str(corpus.folder / "out"), "synthesize")
    assert manifest is not None
    assert manifest.books.balanced
    assert manifest.counts["requests"] == manifest.counts["answers"] == corpus.documents
    assert manifest.counts["journal_hits"] == len(held)
    assert corpus.spent().tokens == corpus.tokens()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux sets the limits of another process")
def test_a_disk_that_fills_in_mid_run_stops_it_with_one_message(corpus: Corpus, server: GeminiServer) -> None:
    process = in_the_middle(corpus)
    # From here on no file of that process grows: every write fails as on a full disk, at whatever point it has come to.
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    told = ended(process)
    assert "synthesize failed: a disk takes no more (File too large), that of out or out/_cache; make room" in told
    goes_on(corpus, server, dict(corpus.held()))


def test_a_cache_that_vanishes_in_mid_run_stops_it_and_is_not_made_anew(corpus: Corpus, server: GeminiServer) -> None:
    process = in_the_middle(corpus)
    cache = corpus.folder / "out" / "_cache"
    away = cache.rename(corpus.folder / "away")
    told = ended(process)
    assert "synthesize failed: the journal below out/_cache cannot be used" in told
    assert "is gone: the cache was deleted or moved while the run used it" in told
    assert not cache.exists()
    away.rename(cache)
    goes_on(corpus, server, dict(corpus.held()))


def limited(code: str, cache: Path) -> str:
    """Runs Python with a cache as `cache` and the tests' helpers at hand; returns what it printed."""
    here = Path(__file__).parent
    paths = os.pathsep.join([str(here), str(here.parent / "pipelines")])
    begun = "import resource, sys\nfrom journal_house import answer\nfrom oreline.llm.journal import Journal\n"
    command = [sys.executable, "-c", f"{begun}kept = Journal(sys.argv[1], 'a' * 12)\n{code}", str(cache)]
    environment = {**os.environ, "PYTHONPATH": paths}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


def test_a_disk_without_room_leaves_no_halves_and_what_was_there(tmp_path: Path) -> None:
    told = limited(
        "kept.begin()\nkept.append([answer(number) for number in range(3)])\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))\n"
        "try: kept.append([answer(number) for number in range(3, 6)])\n"
        "except OSError as error: print(error.errno)\n",
        tmp_path,
    )
    assert told == str(errno.EFBIG)
    assert len(answers_in(str(tmp_path))) == 3
    assert not [path for path in tmp_path.rglob("*.tmp") if path.is_file()]


def test_a_disk_that_is_full_is_found_before_anything_is_paid_for(tmp_path: Path) -> None:
    told = limited(
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))\n"
        "try: kept.begin()\n"
        "except OSError as error: print(error.errno)\n",
        tmp_path,
    )
    assert told == str(errno.EFBIG)
    assert not list(tmp_path.rglob("*.tmp"))
