"""kill -9 at random moments, resumed each time: the tables of a run that was left alone, and no answer paid twice.

The same at full size, 20 kills of 2,000 requests, is benchmarks/crash_resume.py.
"""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from crash_house import Corpus, faulty

from gemini_server import GeminiServer

DOCUMENTS = 40
CONCURRENCY = 4


@pytest.fixture
def server() -> Iterator[GeminiServer]:
    with GeminiServer() as running:
        faulty(running)
        yield running


def test_killed_at_random_moments_a_run_ends_as_if_it_had_been_left_alone(tmp_path: Path, server: GeminiServer) -> None:
    whole, killed = (Corpus(tmp_path / name, DOCUMENTS, CONCURRENCY) for name in ("whole", "killed"))
    for corpus in (whole, killed):
        corpus.write(server)
    whole.run()
    expected = whole.held()
    assert len(expected) > 100
    server.calls.clear()
    server.latency = 0.15
    draw = random.Random(20)
    for _ in range(3):
        before = killed.held()
        assert killed.kill(server, asks=draw.randint(8, 40), seconds=draw.uniform(0.0, 0.4))
        after = killed.held()
        assert before.items() <= after.items()  # nothing that was journaled is gone, or was asked for again
        last = killed.kills[-1]
        # In flight, waiting for its flush, or just being written.
        assert 0 <= last.lost <= CONCURRENCY + 2.5 * CONCURRENCY / server.latency
    server.latency = 0.0
    told = killed.run()
    assert killed.held().keys() == expected.keys()
    assert killed.digests() == whole.digests()
    assert killed.spent().tokens == killed.tokens() == whole.tokens()
    assert killed.spent().dollars == pytest.approx(whole.spent().dollars)
    assert sum(each.journaled for each in killed.kills) < len(expected)
    assert "synthesize" in told
