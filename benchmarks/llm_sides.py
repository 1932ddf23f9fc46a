"""What `llm_throughput.py` compares: each side asks the same prompts, in a process of its own.

    python benchmarks/llm_sides.py SIDE FOLDER URL CONCURRENCY

Prints the seconds it took, CPU seconds and peak memory in bytes as JSON; imports and the making of prompts for the
bare sides are not timed, since the stage's own rendering is part of the stage.
"""

import asyncio
import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import aiohttp
import pyarrow.acero  # with these no side's imports are timed: a call that needs one brings it in
import pyarrow.dataset  # noqa: F401 - as above
from google import genai
from google.genai import types

import oreline
import oreline.filters.sketches
import oreline.llm.providers.gemini
import oreline.runner
import oreline.running
import oreline.stages.rounds
import oreline.stages.synthesize
from canned_gemini import MODEL, QUERIES
from oreline import prompting
from oreline.normalise import content_hash, text_hash
from oreline.recipe.settings import Llm
from oreline.records import Document
from oreline.writing import fret
from oreline.writing.answers import FRET_INPUTS, FretAnswer
from oreline.writing.work import Work

KEY = "local-key"


@dataclass(frozen=True)
class Setting:
    """What one side is to do: `folder` holds the documents, `url` is the server's."""

    folder: str
    url: str
    concurrency: int


def recipe(setting: Setting) -> dict[str, object]:
    """Returns a recipe up to synthesize, with a budget that is not reached."""
    llm = {
        "provider": "gemini",
        "model": MODEL,
        "base_url": setting.url,
        "server": "canned",
        "concurrency": setting.concurrency,
        "budget_tokens": 10**12,
    }
    return {
        "output": f"{setting.folder}/out",
        "sources": [{"path": f"{setting.folder}/documents.jsonl", "dataset": "made"}],
        "llm": llm,
        "synthesize": {"writers": ["retrieval/fret"], "per_document": QUERIES},
    }


def rendered(setting: Setting) -> list[tuple[str | None, str]]:
    """Returns system instruction and prompt of each request, as the stage renders them."""
    prompt = prompting.load("retrieval/fret", FretAnswer, FRET_INPUTS)
    found = []
    with open(f"{setting.folder}/documents.jsonl", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            title, text = row["title"], row["text"]
            hashes = content_hash(title, text, "text"), text_hash(text, "text")
            document = Document(f"made/{row['id']}", "made", text, *hashes, title)
            work = Work("retrieval/fret", document.doc_id, (document,))
            (request,) = fret.FretChain("retrieval/fret", prompt, QUERIES).requests(Llm(model=MODEL), work, ())
            found.append((request.system, request.prompt))
    return found


class Asker:
    """Asks Gemini as the documentation of google-genai shows it; with a session of one's own, or with its default."""

    def __init__(self, url: str, *, own_session: bool) -> None:
        self._session = None
        if own_session:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        options = types.HttpOptions(base_url=url, api_version="v1beta", aiohttp_client=self._session)
        self._client = genai.Client(vertexai=False, api_key=KEY, http_options=options)
        self._schema = prompting.answer_schema(FretAnswer)

    async def ask(self, system: str | None, prompt: str) -> str:
        """Returns an answer's text."""
        config = types.GenerateContentConfig(
            system_instruction=system,
            response_mime_type="application/json",
            response_json_schema=self._schema,
            max_output_tokens=2048,
        )
        response = await self._client.aio.models.generate_content(model=MODEL, contents=prompt, config=config)
        return response.text or ""

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aio.aclose()
        if self._session is not None:
            await self._session.close()


async def bare(setting: Setting, requests: Sequence[tuple[str | None, str]], *, own_session: bool) -> int:
    """Asks everything with as many tasks as calls may be in flight; returns the number of answers."""
    asker = Asker(setting.url, own_session=own_session)
    waiting = iter(requests)
    answers: list[str] = []

    async def work() -> None:
        for request in waiting:
            answers.append(await asker.ask(*request))  # noqa: PERF401 - the tasks share one iterator

    await asyncio.gather(*(work() for _ in range(setting.concurrency)))
    await asker.close()
    return len(answers)


def main() -> None:
    """Runs one side."""
    side, folder, url, concurrency = sys.argv[1:]
    setting = Setting(folder, url, int(concurrency))
    work: dict[str, Callable[[], object]] = {"oreline": lambda: oreline.run(recipe(setting), only="synthesize")}
    if side == "inference":
        from llm_batches import inference  # it imports more than the others need, which their memory would show

        requests = rendered(setting)
        work = {side: lambda: inference(setting, requests)}
    elif side != "oreline":
        requests = rendered(setting)
        work = {
            "session": lambda: asyncio.run(bare(setting, requests, own_session=True)),
            "default": lambda: asyncio.run(bare(setting, requests, own_session=False)),
        }
    genai.Client(vertexai=False, api_key=KEY).close()  # it imports its HTTP libraries when it is first made
    begun, used = time.monotonic(), time.process_time()
    work[side]()
    whole, cpu = time.monotonic() - begun, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(json.dumps({"whole": whole, "cpu": cpu, "peak": peak}))


if __name__ == "__main__":
    main()
