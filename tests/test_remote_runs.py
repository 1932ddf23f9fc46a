"""Whole runs whose vectors come from a service: what is paid for once is never paid for again."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from line_house import begin, wait_until
from openai_server import OpenAiServer
from oreline.errors import PreflightError, Stopped
from oreline.forecast.whole import forecast
from oreline.preflight import check
from oreline.recipe.loading import load_recipe
from oreline.records import Reject
from oreline.reports.show import show
from oreline.running import run
from oreline.tables.manifest import read_manifest

from house import rows_of

KEY = "sk-of-the-vectors-3"
DOCUMENTS = 40


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAiServer]:
    monkeypatch.setenv("SERVER_KEY", KEY)
    with OpenAiServer(key=KEY) as running:
        yield running


def corpus(folder: Path) -> Path:
    """Writes documents whose titles say what they are about; the extractive writer asks for them."""
    path = folder / "glands.jsonl"
    words = ("thyroid", "adrenal", "pituitary", "pineal", "thymus", "parathyroid", "pancreas", "liver")
    lines = [
        {
            "id": str(number),
            "title": f"How the {words[number % 8]} gland works, part {number}",
            "text": f"The {words[number % 8]} gland, seen in case {number}, makes hormone {number * 7} for the body. "
            f"It was described in the year {1800 + number} by physician {number}.",
        }
        for number in range(DOCUMENTS)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def recipe(tmp_path: Path, url: str, **encoder: object) -> dict[str, object]:
    own = {"provider": "openai", "model": "own/model", "server": "tei", "key_variable": "SERVER_KEY"}
    return {
        "output": str(tmp_path / "out"),
        "sources": [{"path": str(corpus(tmp_path))}],
        "synthesize": {"writers": ["extractive/title"]},
        "encoder": {**own, "base_url": url, "dimension": 64, "texts_per_call": 8, **encoder},
    }


def test_a_run_with_a_service_makes_triples_and_a_second_one_sends_nothing(
    server: OpenAiServer, tmp_path: Path
) -> None:
    assert run(recipe(tmp_path, server.url)).triples == DOCUMENTS
    assert set(server.embeddings.answered.values()) == {1}
    manifest = read_manifest(str(tmp_path / "out"), "embed")
    assert manifest is not None
    assert manifest.counts["texts_encoded"] == len(server.embeddings.answered)
    assert manifest.facts["provider"] == "openai:tei"
    assert manifest.facts["dimension"] == 64
    calls = len(server.bodies)
    again = recipe(tmp_path, server.url)
    again.update(output=str(tmp_path / "again"), cache=str(tmp_path / "out" / "_cache"))
    assert run(again).triples == DOCUMENTS
    assert len(server.bodies) == calls
    reused = read_manifest(str(tmp_path / "again"), "embed")
    assert reused is not None
    assert (reused.counts["texts_encoded"], reused.counts["texts_reused"]) == (0, len(server.embeddings.answered))
    (told,) = [json.loads(str(line)) for line in show(str(tmp_path / "out" / "_cache" / "vectors"), as_json=True)]
    assert told["model"] == "own/model"
    assert told["rows"] == len(server.embeddings.answered)
    assert told["bytes"] > 64 * 2 * told["rows"]


def test_a_quota_stops_the_run_and_the_next_one_sends_only_the_rest(server: OpenAiServer, tmp_path: Path) -> None:
    server.fault("quota", after=3)
    with pytest.raises(Stopped, match="quota is used up"):
        run(recipe(tmp_path, server.url, concurrency=1))
    paid = sum(server.embeddings.answered.values())
    assert 0 < paid < DOCUMENTS
    server.faults.clear()
    run(recipe(tmp_path, server.url, concurrency=1), until="embed")
    assert set(server.embeddings.answered.values()) == {1}


def test_a_killed_run_pays_again_at_most_what_was_on_its_way(server: OpenAiServer, tmp_path: Path) -> None:
    server.latency = 0.3
    made = recipe(tmp_path, server.url, concurrency=1, texts_per_call=4)
    (tmp_path / "recipe.yaml").write_text(json.dumps(made), encoding="utf-8")
    process = begin(tmp_path, "run", "recipe.yaml", variables={"SERVER_KEY": KEY})
    wait_until(process, lambda: len(server.embeddings.sizes) >= 14)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    kept = sum(1 for _ in (tmp_path / "out" / "_cache" / "vectors").rglob("*.parquet"))
    assert kept > 0
    paid = sum(server.embeddings.answered.values())
    server.latency = 0.0
    run(made, until="embed")
    twice = sum(number - 1 for number in server.embeddings.answered.values())
    # A file is finished every 2 seconds: of 0.3 seconds a call, that is 7 calls, and the one on its way.
    assert twice <= 8 * 4 < paid


def test_a_text_that_the_service_refuses_is_a_reject_with_its_reason(server: OpenAiServer, tmp_path: Path) -> None:
    server.embeddings.most_characters = 300
    made = recipe(tmp_path, server.url)
    with (tmp_path / "glands.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"id": "long", "title": "All of them", "text": "Every gland there is. " * 40}) + "\n")
    run(made, until="embed")
    rejects = rows_of(tmp_path / "out", "embed", "rejects", Reject)
    assert {reject.reason for reject in rejects} == {"not_encodable"}
    assert "maximum input length is 300 characters" in rejects[0].detail


def test_preflight_names_the_key_and_the_budget_before_anything_is_sent(
    server: OpenAiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SERVER_KEY")
    with pytest.raises(PreflightError, match="SERVER_KEY"):
        run(recipe(tmp_path, server.url))
    with pytest.raises(PreflightError, match=r"encoder\.server is not set"):
        run(recipe(tmp_path, server.url, server=None))
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
    made = recipe(tmp_path, server.url)
    with pytest.raises(PreflightError, match="GEMINI_API_KEY or GOOGLE_API_KEY"):
        run({**made, "encoder": {"provider": "gemini", "model": "gemini-embedding-001"}})
    with pytest.raises(PreflightError, match=r"price of gemini .* not known; set encoder\.budget_tokens"):
        run({**made, "encoder": {"provider": "gemini", "model": "gemini-embedding-9", "dimension": 8}})
    assert server.bodies == []


def test_a_plan_counts_texts_tokens_and_dollars_that_are_not_paid_yet(server: OpenAiServer, tmp_path: Path) -> None:
    made = recipe(tmp_path, server.url, price=0.5)
    run(made, until="filter")
    assert "would get 120 texts that are not stored, " in planned(tmp_path, made)
    assert "0.5 dollars per million tokens, encoder.price" in planned(tmp_path, made)
    run(made, until="embed")
    with (tmp_path / "glands.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"id": "new", "title": "What all glands have in common", "text": "Hormones."}) + "\n")
    run(made, until="filter")
    assert "would get 1 texts that are not stored, " in planned(tmp_path, made)
    assert sum(server.embeddings.answered.values()) == 120


def planned(folder: Path, made: dict[str, object]) -> str:
    """Returns the notes of a plan."""
    (folder / "recipe.yaml").write_text(json.dumps(made), encoding="utf-8")
    loaded = load_recipe(str(folder / "recipe.yaml"))
    plan = check(loaded)
    found = forecast(loaded.recipe, plan, adopt_from=None, counter=lambda *_: "nothing to count", progress=print)
    return "\n".join(found.notes)
