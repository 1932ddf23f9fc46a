"""Where a stage's inputs are there, the plan counts the very requests that a run would send."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from judge_house import world
from oreline.errors import StageFailed
from oreline.forecast import counting
from oreline.forecast.counting import Counted, count_requests
from oreline.job import Job
from oreline.llm import journal
from oreline.llm.requests import Answer, AnswerStatus, Request
from oreline.recipe.settings import Llm, Recipe
from oreline.records import Document
from oreline.stages.wiring import encode_row_group
from oreline.tables.manifest import read_manifest, write_manifest
from oreline.tables.parts import Part
from oreline.writing.task import Writing
from synthesize_world import docstrings, positive, query

from gemini_server import GeminiServer
from house import finish, recipe_for, run_stage

TABLES = ("documents", "queries", "pairs")
INPUTS = dict.fromkeys(TABLES, "ingest")
USABLE = '{"queries": [{"task_type": "retrieval", "task": "find it", "query": "where is it kept"}]}'


def recipe_of(output: Path, url: str = "http://127.0.0.1:1", **sections: object) -> Recipe:
    llm = {"model": "gemini-3.5-flash-lite", "base_url": url, "server": "local"}
    return recipe_for(output, **{"llm": llm, "synthesize": {"writers": ["retrieval/fret"]}, **sections})


def count(recipe: Recipe, stage: str = "synthesize", inputs: dict[str, str] = INPUTS) -> Counted:
    job = Job(recipe.output, stage, recipe, inputs)
    assert recipe.llm is not None
    return count_requests(job, recipe.llm, recipe.cache_folder, lambda _: None)


def requests_of(recipe: Recipe) -> list[Request]:
    job = Job(recipe.output, "synthesize", recipe, INPUTS)
    blocks = [encode_row_group(group) for group in job.row_groups("documents")]
    return [request for block in blocks for request in Writing(job).render(job, block)]


def answer(recipe: Recipe, requests: Sequence[Request], status: AnswerStatus = "ok", text: str = USABLE) -> None:
    answers = [Answer(each.key, 0, status, text, prompt_tokens=100, output_tokens=20) for each in requests]
    journal.append(recipe.cache_folder, answers)


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    """Returns a recipe whose ingest left forty documents."""
    made = recipe_of(tmp_path / "out")
    finish(made, "ingest", {"documents": docstrings()[:40], "queries": [], "pairs": []})
    return made


def test_a_document_is_a_call_until_its_answer_is_in_the_journal(recipe: Recipe) -> None:
    before = count(recipe)
    assert (before.requests.low, before.requests.high, before.exact) == (40.0, 40.0, True)
    assert before.models[0].calls == 40
    answer(recipe, requests_of(recipe)[:15])
    after = count(recipe)
    assert (after.requests.expected, after.models[0].calls, after.models[0].journaled) == (40.0, 25, 15)


def test_an_unusable_answer_is_asked_for_again_and_a_refusal_is_not(recipe: Recipe) -> None:
    requests = requests_of(recipe)
    answer(recipe, requests[:5], text="no JSON")
    answer(recipe, requests[5:12], status="refused", text="")
    assert count(recipe).models[0].calls == 40 - 7


def test_each_of_several_models_is_counted_with_the_documents_it_is_given(tmp_path: Path) -> None:
    llm = {"model": "gemini-3.5-flash-lite", "further_models": [{"model": "gemini-3.8-flash"}]}
    recipe = recipe_of(tmp_path / "out", llm=llm)
    finish(recipe, "ingest", {"documents": docstrings()[:40], "queries": [], "pairs": []})
    by_model = [sum(each.member == member for each in requests_of(recipe)) for member in (0, 1)]
    assert [each.calls for each in count(recipe).models] == by_model
    assert all(by_model)


def test_a_large_corpus_is_counted_in_part_and_said_to_be(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(recipe, requests_of(recipe)[:20])
    monkeypatch.setattr(counting, "MOST_REQUESTS", 25)
    found = count(recipe)
    calls = found.calls(found.models[0])
    assert not found.exact
    assert found.requests.expected == 40
    assert calls.low <= 20 <= calls.high
    assert not calls.exact


def test_of_a_large_table_some_row_groups_are_read(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = {"documents": docstrings()[40:80], "queries": [], "pairs": []}
    more = finish(recipe_of(Path(recipe.output)), "dedup", tables)
    both = more.with_tables({"documents": (*more.tables["documents"], *_parts(recipe, "ingest"))})
    write_manifest(recipe.output, both)
    inputs = {**INPUTS, "documents": "dedup"}
    assert count(recipe, inputs=inputs).requests.expected == 80
    monkeypatch.setattr(counting, "MOST_ROWS", 50)
    monkeypatch.setattr(counting, "MOST_BLOCKS", 1)
    found = count(recipe, inputs=inputs)
    assert (found.exact, found.requests.expected, found.models[0].requests) == (False, 80.0, 40)


def _parts(recipe: Recipe, stage: str) -> tuple[Part, ...]:
    manifest = read_manifest(recipe.output, stage)
    assert manifest is not None
    return manifest.tables["documents"]


def test_equal_requests_count_once(tmp_path: Path) -> None:
    one = docstrings()[0]
    twin = Document(one.doc_id + "-twin", one.dataset, one.text, one.content_hash, one.text_hash, one.title)
    recipe = recipe_of(tmp_path / "out")
    finish(recipe, "ingest", {"documents": [one, twin], "queries": [], "pairs": []})
    assert count(recipe).models[0].calls == len({each.key for each in requests_of(recipe)})


def test_the_rater_is_counted_behind_rules_and_duplicates_and_nothing_is_left_behind(
    tmp_path: Path, gemini_server: GeminiServer
) -> None:
    documents = docstrings()[:12]
    recipe = recipe_of(tmp_path / "out", gemini_server.url)
    finish(recipe, "ingest", {"documents": documents, "queries": [], "pairs": []})
    run_stage(recipe, "synthesize", INPUTS)
    asked = len(gemini_server.bodies)
    inputs = dict.fromkeys(TABLES, "synthesize")
    files = sorted(tmp_path.rglob("*"))
    found = count(recipe, "filter", inputs)
    assert sorted(tmp_path.rglob("*")) == files
    assert len(gemini_server.bodies) == asked
    run_stage(recipe, "filter", inputs)
    assert found.models[0].calls == len(gemini_server.bodies) - asked > 0
    assert count(recipe, "filter", inputs).models[0].calls == 0


def test_a_benchmark_that_the_filter_could_not_read_is_named_by_the_plan(tmp_path: Path) -> None:
    broken = tmp_path / "bench.jsonl"
    broken.write_text('{"text": "what is a list"}\n{"text": 5}\n')
    recipe = recipe_of(tmp_path / "out", decontaminate={"against": [{"path": str(broken)}]})
    documents = docstrings()[:2]
    queries = [query("python/q0", f"what does {documents[0].title} do")]
    pairs = [positive(queries[0].query_id, documents[0].doc_id)]
    finish(recipe, "ingest", {"documents": documents, "queries": queries, "pairs": pairs})
    with pytest.raises(StageFailed, match=r"filter would fail: .*bench\.jsonl:2: this row of a benchmark"):
        count(recipe, "filter")


def test_queries_of_people_are_no_calls_to_the_rater(tmp_path: Path) -> None:
    documents = docstrings()[:3]
    queries = [query(f"python/q{place}", f"what does {each.title} do") for place, each in enumerate(documents)]
    pairs = [positive(each.query_id, doc.doc_id) for each, doc in zip(queries, documents, strict=True)]
    recipe = recipe_of(tmp_path / "out")
    finish(recipe, "ingest", {"documents": documents, "queries": queries, "pairs": pairs})
    assert count(recipe, "filter").models[0].calls == 0


def test_the_judge_is_counted_as_it_asks(tmp_path: Path, gemini_server: GeminiServer) -> None:
    documents = docstrings()[:60]
    queries, pairs, candidates = world(10, documents)
    recipe = recipe_of(tmp_path / "out", gemini_server.url, judge={"top_k": 25}, select={"negatives": 20})
    finish(recipe, "ingest", {"documents": documents, "queries": queries, "pairs": pairs})
    finish(recipe, "mine", {"candidates": candidates})
    inputs = {**INPUTS, "candidates": "mine"}
    found = count(recipe, "judge", inputs).models[0]
    run_stage(recipe, "judge", inputs)
    assert found.calls == len(gemini_server.bodies) > 10
    assert found.items > found.calls


def test_a_section_without_documents_asks_nothing(tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path / "out")
    finish(recipe, "ingest", {"documents": [], "queries": [], "pairs": []})
    found = count(recipe)
    assert (found.requests.expected, found.exact) == (0.0, True)
    assert isinstance(recipe.llm, Llm)
