"""What the tests of faults share: the small LLM stage over each API, with the details of its rejects."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from asking_house import Asking, WordsTask
from local_server import LocalServer
from openai_server import OpenAiServer
from oreline.ids import Tally
from oreline.job import Job, StageWriter
from oreline.llm import journal
from oreline.llm.requests import Answer, Answered

from gemini_server import GeminiServer

KEY = "AIza-of-the-faults-31c7"


@dataclass(frozen=True)
class Api:
    """An API as a recipe names it, and the local server that speaks it."""

    name: str
    server: LocalServer
    settings: Mapping[str, object]


def _developer(folder: Path, key: str, patch: pytest.MonkeyPatch) -> tuple[LocalServer, dict[str, object]]:
    del folder
    patch.setenv("GEMINI_API_KEY", key)
    return GeminiServer(key=key), {}


def _vertex(folder: Path, key: str, patch: pytest.MonkeyPatch) -> tuple[LocalServer, dict[str, object]]:
    del key
    server = GeminiServer(key="not asked for")
    patch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(folder / "service-account.json"))
    return server, {"project": server.project, "location": "europe-west4"}


def _compatible(folder: Path, key: str, patch: pytest.MonkeyPatch) -> tuple[LocalServer, dict[str, object]]:
    del folder
    patch.setenv("SERVER_KEY", key)
    return OpenAiServer(key=key), {"provider": "openai", "key_variable": "SERVER_KEY", "budget_tokens": 10**9}


MAKERS = {"Gemini Developer API": _developer, "Vertex AI": _vertex, "OpenAI-compatible server": _compatible}


@contextmanager
def serving(name: str, folder: Path, key: str = KEY) -> Iterator[Api]:
    """Starts the server of an API, with its credentials in the environment; Vertex AI's lie in the folder."""
    with pytest.MonkeyPatch.context() as patch:
        for variable in (
            "GEMINI_API_KEY",
            "GOOGLE_API_KEY",
            "OPENAI_API_KEY",
            "SERVER_KEY",
            "GOOGLE_APPLICATION_CREDENTIALS",
        ):
            patch.delenv(variable, raising=False)
        server, settings = MAKERS[name](folder, key, patch)
        with server:
            if isinstance(server, GeminiServer) and name == "Vertex AI":
                server.accounts.service_account(folder, server.url)
            yield Api(name, server, settings)


@dataclass(frozen=True)
class ToldTask(WordsTask):
    """Leaves line, reject reason or nothing, and detail or answer of each request as JSON."""

    def finish(self, job: Job, block: bytes, answers: Sequence[Answered], writer: StageWriter) -> None:
        writer.count("finished_blocks")
        told = [
            json.dumps([json.loads(each.request.context)[1], each.reject, each.detail if each.reject else each.text])
            for each in answers
        ]
        name = f"{Tally.of([job.stage, block.decode()]).hash_sum:032x}"
        (Path(self.results) / name).write_text("\n".join(told))


@dataclass
class Faulty(Asking):
    """A run of the small stage that keeps what became of each line."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.task = ToldTask(self.llm, self.task.prompt, self.task.results, self.fails_at)

    def told(self) -> dict[str, tuple[str | None, str]]:
        """Returns reject reason (None for an answer) and detail (or the answer) by line."""
        found = [json.loads(line) for line in self.results()]
        return {line: (reject, detail) for line, reject, detail in found}


def faulty(folder: Path, api: Api, blocks: Sequence[str], settings: Mapping[str, object] | None = None) -> Faulty:
    """Returns a run over blocks of lines; the folder holds its output."""
    return Faulty(folder, api.server.url, blocks, {**api.settings, **(settings or {})})


def journaled(asking: Asking) -> list[Answer]:
    """Returns all journaled attempts."""
    lanes = (journal.read_lane(asking.recipe.cache_folder, lane) for lane in range(256))
    return [each for lane in lanes for attempts in lane.values() for each in attempts.values()]
