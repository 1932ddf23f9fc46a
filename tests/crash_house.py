"""A run that is killed again and again, and what its journal held each time: for the crash test and its benchmark.

The server is a thread of the process that kills, so it outlives every run and counts what it was asked.
"""

import json
import os
import random
import signal
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from line_house import begin, oreline
from oreline.llm import journal
from oreline.llm.journal.segments import journal_folder, list_lanes
from oreline.llm.spending import Spending, spent
from oreline.tables.manifest import read_manifest
from server_faults import FaultKind

from gemini_server import GeminiServer

KEY = "local-key"
TABLES = ("ingest", "synthesize", "filter", "select", "export")
USELESS: dict[str, FaultKind] = {"Xblocked": "blocked_prompt", "Xmalformed": "malformed", "Xtruncated": "max_tokens"}
"""What a document holds whose answers are of no use, each time: the faults that a table may not depend on by chance."""

Held = Mapping[tuple[str, int], str]
"""What a journal holds: the time of each answer by request key and attempt."""


@dataclass(frozen=True)
class Kill:
    """A kill -9: seconds since the run began; what the server was asked and answered in it; what the journal gained."""

    seconds: float
    asked: int
    answered: int
    journaled: int

    @property
    def lost(self) -> int:
        """Answers that were sent and are in no segment: they are asked for again."""
        return self.answered - self.journaled


@dataclass
class Corpus:
    """Documents of random words, a recipe that asks a model about them twice over, and its server's faults."""

    folder: Path
    documents: int
    concurrency: int
    kills: list[Kill] = field(default_factory=list)

    def write(self, server: GeminiServer) -> None:
        """Writes documents and recipe: a request per document to write two queries, and one to rate each of them."""
        draw = random.Random(13)
        words = ["".join(draw.choices("abcdefghijklmnoprstuvwyz", k=draw.randint(4, 9))) for _ in range(8_000)]
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "pages.jsonl").open("w") as file:
            for number in range(self.documents):
                sentences = [" ".join(draw.choices(words, k=12)).capitalize() + "." for _ in range(5)]
                mark = dict(zip((5, 21, 38), USELESS, strict=True)).get(number % 50)
                text = " ".join([*sentences, *([] if mark is None else [f"{mark}."])])
                file.write(json.dumps({"id": f"page-{number}", "text": text}) + "\n")
        (self.folder / "recipe.yaml").write_text(
            "output: out\nsources: [{path: pages.jsonl, format: jsonl}]\n"
            "llm: {provider: gemini, model: gemini-3.5-flash-lite, server: local, "
            f"base_url: '{server.url}', concurrency: {self.concurrency}, call_attempts: 12}}\n"
            "dedup: {enabled: false}\nselect: {negatives: 0}\nsynthesize: {per_document: 2}\n"
        )

    def run(self, *arguments: str) -> str:
        """Runs the recipe to its end and returns what it said on standard error; fails if it does not end well."""
        done = oreline(self.folder, "run", "recipe.yaml", *arguments, variables={"GEMINI_API_KEY": KEY})
        assert done.returncode == 0, done.stderr
        return done.stderr

    def kill(self, server: GeminiServer, *, asks: int, seconds: float) -> bool:
        """Runs the recipe and kills it `seconds` after the server got so many calls; says whether it was in time."""
        asked, answered, before = len(server.bodies), len(server.answered_prompts), len(self.held())
        begun = time.monotonic()
        process = begin(self.folder, "run", "recipe.yaml", variables={"GEMINI_API_KEY": KEY})
        while process.poll() is None and len(server.bodies) - asked < asks:
            threading.Event().wait(0.005)
        threading.Event().wait(seconds)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        _, told = process.communicate()
        assert process.returncode in (0, -signal.SIGKILL), told
        threading.Event().wait(server.latency + 0.3)  # what was in flight is answered, and nobody reads it
        self.kills.append(
            Kill(
                time.monotonic() - begun - server.latency - 0.3,
                len(server.bodies) - asked,
                len(server.answered_prompts) - answered,
                len(self.held()) - before,
            )
        )
        return process.returncode != 0

    def held(self) -> Held:
        """Returns what the journal holds now; an answer that stands there twice fails."""
        found: dict[tuple[str, int], str] = {}
        cache = str(self.folder / "out" / "_cache")
        for listed in list_lanes(journal_folder(cache)):
            contents = journal.open_lane(cache, listed.lane)
            assert contents.repeated == 0, f"{contents.repeated} answers of lane {listed.lane} were paid for twice"
            assert not contents.broken
            for key, attempts in contents.answers.items():
                found.update({(key, number): each.time or "" for number, each in attempts.items()})
        return found

    def tokens(self) -> int:
        """Returns the tokens of all journaled answers, by their rows."""
        cache = str(self.folder / "out" / "_cache")
        lanes = (journal.read_lane(cache, listed.lane) for listed in list_lanes(journal_folder(cache)))
        return sum(each.billed_tokens for lane in lanes for attempts in lane.values() for each in attempts.values())

    def spent(self) -> Spending:
        """Returns what the output has spent, by the names of its journal's segments."""
        return spent(str(self.folder / "out"), str(self.folder / "out" / "_cache"))

    def digests(self) -> dict[str, tuple[int, str]]:
        """Returns rows and content digest of every table of every stage, whatever its files and their order."""
        found = {}
        for stage in TABLES:
            manifest = read_manifest(str(self.folder / "out"), stage)
            assert manifest is not None, f"{stage} is not finished"
            found.update({f"{stage}/{name}": (manifest.rows(name), manifest.digest(name)) for name in manifest.tables})
        return found


def faulty(server: GeminiServer) -> None:
    """Makes one call in ten fail: errors of the connection by chance, answers without use by what a document holds."""
    for mark, kind in USELESS.items():
        server.fault(kind, mark)
    # One hash decides on all of them, so that each takes what those before it leave of its share.
    server.fault("reset", share=0.01)
    server.fault("rate", share=0.03, delay=0.05)
    server.fault("unavailable", share=0.05)
    server.fault("server", share=0.08)
