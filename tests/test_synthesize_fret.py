"""The writer retrieval/fret, end to end against a local server of the Gemini protocol."""

import json
from dataclasses import replace
from pathlib import Path

from oreline import prompting
from oreline.ids import Json, written_query_id
from oreline.llm.requests import Answer, Answered, Request, request_for
from oreline.recipe.settings import Llm, Recipe
from oreline.records import Document, FateRow, Pair, Query, Reject
from oreline.scripts import shortened
from oreline.tables.manifest import Manifest
from oreline.writing import fret
from oreline.writing.answers import FretAnswer
from oreline.writing.work import Written
from synthesize_world import asked_about, docstrings, document, work_about

from gemini_server import GeminiServer
from house import finish, recipe_for, rows_of, run_stage

INPUTS = {"documents": "ingest", "queries": "ingest", "pairs": "ingest"}
LLM = Llm(model="gemini-3.5-flash-lite", base_url="http://127.0.0.1:1", server="local")
BEES = document("d/bees", "Bees", "Bees dance to tell each other where flowers are. They see ultraviolet light.")


def recipe_of(output: Path, server: GeminiServer, cache: Path | None = None, **synthesize: object) -> Recipe:
    llm = {"model": "gemini-3.5-flash-lite", "base_url": server.url, "server": "local"}
    return recipe_for(output, llm=llm, synthesize=synthesize, **({"cache": str(cache)} if cache else {}))


def synthesized(recipe: Recipe, documents: list[Document], options: tuple[str, ...] = ()) -> Manifest:
    finish(recipe, "ingest", {"documents": documents, "queries": [], "pairs": []})
    return run_stage(recipe, "synthesize", INPUTS, options)


FRET = fret.FretChain("retrieval/fret", prompting.load("retrieval/fret", FretAnswer), 2)


def request() -> Request:
    return asked_about(FRET, LLM, BEES)


def written(answered: Answered) -> Written:
    return FRET.rows(work_about(FRET, BEES), [[answered]])


def answered(*queries: tuple[str, str, str]) -> Answered:
    names = ("task_type", "task", "query")
    text = json.dumps({"queries": [dict(zip(names, each, strict=True)) for each in queries]})
    asked = request()
    return Answered(asked, Answer(asked.key, 1, "ok", text))


def test_each_document_gets_queries_with_instruction_task_and_lineage(
    tmp_path: Path, gemini_server: GeminiServer
) -> None:
    source = docstrings()[:12]
    manifest = synthesized(recipe_of(tmp_path, gemini_server), source)
    queries = rows_of(tmp_path, "synthesize", "queries", Query)
    pairs = {each.query_id: each for each in rows_of(tmp_path, "synthesize", "pairs", Pair)}
    assert manifest.books.kept.count == len(source)
    assert manifest.rows("documents") == len(source)
    assert len(source) <= len(queries) <= 2 * len(source)
    for each in queries:
        assert each.origin == "synthetic"
        assert each.instruction
        lineage = each.lineage
        assert lineage is not None
        assert (lineage.writer, lineage.prompt_id, lineage.prompt_version) == ("retrieval/fret", "retrieval/fret", 2)
        assert lineage.model == "gemini-3.5-flash-lite"
        identity: list[Json] = [lineage.writer, lineage.prompt_id, [*lineage.doc_ids], lineage.request_key]
        assert each.query_id == written_query_id("python", [*identity, lineage.attempt, lineage.place])
        assert (pairs[each.query_id].doc_id, pairs[each.query_id].source) == (lineage.doc_ids[0], "seed")
    assert sum(gemini_server.calls.values()) == len(source)


def test_a_second_run_over_one_cache_sends_nothing_and_gives_the_same_rows(
    tmp_path: Path, gemini_server: GeminiServer
) -> None:
    source = docstrings()[:10]
    cache = tmp_path / "cache"
    first = synthesized(recipe_of(tmp_path / "one", gemini_server, cache), source)
    sent = sum(gemini_server.calls.values())
    again = recipe_of(tmp_path / "two", gemini_server, cache)
    second = synthesized(again, source[::-1], ("--direct_runner_bundle_repeat=1",))
    two = ("--direct_num_workers=2", "--direct_running_mode=multi_processing")
    third = synthesized(recipe_of(tmp_path / "three", gemini_server, cache), source, two)
    assert sum(gemini_server.calls.values()) == sent == 10
    assert [first.digest(table) for table in first.tables] == [third.digest(table) for table in first.tables]
    assert [first.digest(table) for table in first.tables] == [second.digest(table) for table in first.tables]


def test_extractive_and_llm_writers_share_a_document_and_a_blocked_answer_does_not_drop_it(
    tmp_path: Path, gemini_server: GeminiServer
) -> None:
    gemini_server.fault("safety", "Bees dance")
    lonely = replace(BEES, doc_id="d/lonely", title=None, text="Bees dance here.")
    recipe = recipe_of(tmp_path, gemini_server, writers=["retrieval/fret", "extractive/title"])
    manifest = synthesized(recipe, [BEES, lonely, *docstrings()[:3]])
    rejects = {each.row_id: each for each in rows_of(tmp_path, "synthesize", "rejects", Reject)}
    assert {row_id: each.reason for row_id, each in rejects.items()} == {"d/bees": "blocked", "d/lonely": "blocked"}
    assert rejects["d/bees"].by == request().key
    assert rows_of(tmp_path, "synthesize", "fates", FateRow) == [FateRow("d/lonely", "dropped", None)]
    assert manifest.books.kept.count == 4
    assert manifest.counts["answer_rejects"] == 2
    origins = {each.origin for each in rows_of(tmp_path, "synthesize", "queries", Query)}
    assert origins == {"synthetic", "extractive"}


def test_an_answer_off_its_schema_is_asked_for_again_and_then_dropped(
    tmp_path: Path, gemini_server: GeminiServer
) -> None:
    gemini_server.fault("off_schema", "Bees dance")
    manifest = synthesized(recipe_of(tmp_path, gemini_server), [BEES])
    assert sum(gemini_server.calls.values()) == 2
    [reject] = rows_of(tmp_path, "synthesize", "rejects", Reject)
    assert (reject.row_id, reject.reason) == ("d/bees", "unparsable")
    assert manifest.books.dropped.count == 1


def test_a_longer_answer_is_cut_an_equal_query_left_out_and_a_shorter_one_taken() -> None:
    bees, light, more = (
        ("question_answering", "find it", "how do bees dance"),
        ("retrieval", "find it", "bees ultraviolet"),
        ("retrieval", "find it", "one too many"),
    )
    long = written(answered(bees, light, more)).queries
    assert [query.query for query in long] == ["how do bees dance", "bees ultraviolet"]
    assert [(query.lineage.attempt, query.lineage.place) for query in long if query.lineage] == [(1, 0), (1, 1)]
    again = written(answered(bees, (bees[0], bees[1], " How do  bees DANCE "), light)).queries
    assert [query.lineage.place for query in again if query.lineage] == [0, 2]
    assert len(written(answered(bees)).queries) == 1


def test_blank_queries_and_unknown_tasks_make_an_answer_unusable() -> None:
    for unusable in ([("retrieval", "t", "  ")], [("poetry", "t", "q")], []):
        found = written(answered(*unusable))
        assert not found.queries
        assert [each.reason for each in found.rejects] == ["unparsable"]


def test_suggested_kinds_differ_within_a_document_and_are_spread_evenly_over_documents() -> None:
    drawn = [fret.suggested_kinds(f"d/{number}", "text", 2) for number in range(400)]
    assert all(first != second for first, second in drawn)
    for kind in ("retrieval", "question_answering", "fact_checking", "sentence_similarity", "free_form"):
        assert 55 < sum(first == kind for first, _ in drawn) < 105
    assert not any("code_retrieval" in each for each in drawn)
    assert any("code_retrieval" in fret.suggested_kinds(f"d/{number}", "code", 2) for number in range(20))


def test_a_long_document_is_shown_up_to_a_limit_and_its_id_is_not_shown() -> None:
    long = replace(BEES, text="Bees dance. " * 20_000)
    asked = asked_about(FRET, LLM, long)
    assert len(asked.prompt) < 26_000
    assert "d/bees" not in asked.prompt
    assert asked == request_for(
        LLM,
        FRET.prompt.render(_inputs(long)),
        assigned_by="d/bees",
        unit_ids=["d/bees"],
        context=["retrieval/fret", "d/bees", 0],
    )


def _inputs(shown: Document) -> dict[str, str | int]:
    kinds = ", ".join(fret.suggested_kinds(shown.doc_id, shown.content, 2))
    return {"title": "Bees", "document": shortened(shown.text, fret.SHOWN_TOKENS), "count": 2, "kinds": kinds}
