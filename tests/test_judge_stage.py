"""Stage judge: listwise grades for a query's documents, end to end against a local server of the Gemini protocol."""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

import judge_house
from judge_house import gemini, judged, world
from oreline.judging.cases import unit_id
from oreline.judging.shown import calls_of, judged_documents
from oreline.judging.texts import DOCUMENT_TOKENS
from oreline.recipe.settings import PercentCeiling, Recipe
from oreline.records import Candidate, FateRow, Judgement, PoolEntry, Reject, Scored
from oreline.scripts import shortened
from synthesize_world import docstrings, positive, query

from gemini_server import GeminiServer
from house import rows_of


def recipe_of(output: Path, server: GeminiServer, cache: Path | None = None) -> Recipe:
    return judge_house.recipe_of(output, gemini(server), cache)


def test_every_chosen_document_of_every_query_is_graded_in_one_call(
    tmp_path: Path, gemini_server: GeminiServer
) -> None:
    documents = docstrings()
    made = world(15, documents)
    manifest = judged(recipe_of(tmp_path, gemini_server), documents, made)
    judgements = rows_of(tmp_path, "judge", "judgements", Judgement)
    wanted = {
        (each.query_id, doc_id)
        for each in made[2]
        for doc_id in judged_documents(each, 6, 4, PercentCeiling(percent_of_positive=0.95))
    }
    assert {(each.query_id, each.doc_id) for each in judgements} == wanted
    assert len(judgements) == len(wanted) == manifest.books.kept.count == manifest.books.units.count
    assert sum(gemini_server.calls.values()) == 15
    verdicts = {0.0: "irrelevant", 1.0: "partly_relevant", 2.0: "relevant", 3.0: "relevant"}
    assert all(each.verdict == verdicts[each.value] for each in judgements)
    assert len({each.value for each in judgements}) > 1
    assert {(each.scorer, each.model) for each in judgements} == {("listwise", "gemini-3.5-flash-lite")}


def test_grades_go_to_the_documents_that_stood_under_their_numbers(tmp_path: Path, gemini_server: GeminiServer) -> None:
    documents = docstrings()
    made = world(8, documents)
    judged(recipe_of(tmp_path, gemini_server), documents, made)
    found = {(each.query_id, each.doc_id): each for each in rows_of(tmp_path, "judge", "judgements", Judgement)}
    words = {each.query_id: _words(each.query) for each in made[0]}
    texts = {each.doc_id: f"{each.title}\n{each.text}" for each in documents}
    for (query_id, doc_id), judgement in found.items():
        shared = words[query_id] & _words(texts[doc_id])
        # The server grades by the share of the query's words that a document holds.
        assert judgement.value == round(3 * len(shared) / len(words[query_id]))


def test_prompts_show_no_id_and_the_positive_stands_anywhere(tmp_path: Path, gemini_server: GeminiServer) -> None:
    documents = docstrings()
    made = world(40, documents)
    judged(recipe_of(tmp_path, gemini_server), documents, made)
    places = Counter[int]()
    for prompt in gemini_server.answered_prompts:
        assert "python/" not in prompt
        title = re.findall(r"what does (\S+) do", prompt)[0]
        shown = re.findall(r'<document number="(\d+)">\n(.*)\n', prompt)
        places.update(int(number) for number, first in shown if first == title)
    assert places.total() == 40
    assert len(places) > 8
    assert max(places.values()) < 12


def test_a_query_with_many_positives_is_judged_in_several_calls(tmp_path: Path, gemini_server: GeminiServer) -> None:
    documents = docstrings()[:80]
    scored = [Scored(each.doc_id, 1, 0.5) for each in documents[:60]]
    asked = query("python/many", "functions and classes of the standard library")
    made = (
        [asked],
        [positive(asked.query_id, each.doc_id) for each in scored],
        [Candidate(asked.query_id, scored, [], [])],
    )
    manifest = judged(recipe_of(tmp_path, gemini_server), documents, made)
    assert sum(gemini_server.calls.values()) == 2
    assert manifest.books.kept.count == 60
    sizes = [prompt.count("<document number=") for prompt in gemini_server.answered_prompts]
    assert sorted(sizes) == [30, 30]


def test_under_the_default_recipe_a_query_with_one_positive_is_one_call() -> None:
    recipe = Recipe.model_validate({"output": "out", "sources": [{"path": "docs"}]})
    # All that can be judged: the positive, the top of the pool above the ceiling, and the best below it.
    pool = [PoolEntry(f"d/n{place}", 0.9 if place < recipe.judge.top_k else 0.1, []) for place in range(100)]
    asked = Candidate("d/q", [Scored("d/p", 1, 0.9)], [], pool)
    shown = judged_documents(asked, recipe.judge.top_k, recipe.select.negatives, recipe.mine.ceiling)
    assert len(shown) == 1 + recipe.judge.top_k + 2 * recipe.select.negatives
    assert len(calls_of("d/q", shown)) == 1


def test_ids_may_hold_any_character(tmp_path: Path, gemini_server: GeminiServer) -> None:
    shown = [replace(each, doc_id=f"python/a\t{place}") for place, each in enumerate(docstrings()[:3])]
    asked = query("python/q\tlistwise", "functions and classes of the standard library")
    scored = [Scored(each.doc_id, 1, 0.5) for each in shown]
    made = ([asked], [positive(asked.query_id, shown[0].doc_id)], [Candidate(asked.query_id, scored, [], [])])
    judged(recipe_of(tmp_path, gemini_server), shown, made)
    found = {(each.query_id, each.doc_id) for each in rows_of(tmp_path, "judge", "judgements", Judgement)}
    assert found == {(asked.query_id, each.doc_id) for each in shown}


def test_a_long_document_is_shown_from_its_beginning(tmp_path: Path, gemini_server: GeminiServer) -> None:
    words = "".join(f"word{number} " for number in range(20_000))
    (own,) = docstrings()[:1]
    made = (
        [asked := query("python/q", "what is the first word")],
        [positive(asked.query_id, own.doc_id)],
        [Candidate(asked.query_id, [Scored(own.doc_id, 1, 0.5)], [], [])],
    )
    judged(recipe_of(tmp_path, gemini_server), [replace(own, text=words)], made)
    (prompt,) = gemini_server.answered_prompts
    assert f"{own.title}\n{shortened(words, DOCUMENT_TOKENS)}\n" in prompt
    assert len(prompt) < 6 * DOCUMENT_TOKENS


def test_a_failed_call_drops_all_its_units_with_the_reason(tmp_path: Path, gemini_server: GeminiServer) -> None:
    documents = docstrings()
    made = world(4, documents)
    gemini_server.fault("safety", f"what does {documents[2].title} do")
    manifest = judged(recipe_of(tmp_path, gemini_server), documents, made)
    units = judged_documents(made[2][2], 6, 4, PercentCeiling(percent_of_positive=0.95))
    rejects = rows_of(tmp_path, "judge", "rejects", Reject)
    assert {each.row_id for each in rejects} == {unit_id("python/q2", doc_id, "listwise") for doc_id in units}
    assert {each.reason for each in rejects} == {"blocked"}
    assert {each.unit_id for each in rows_of(tmp_path, "judge", "fates", FateRow)} == {each.row_id for each in rejects}
    assert manifest.books.balanced
    assert "python/q2" not in {each.query_id for each in rows_of(tmp_path, "judge", "judgements", Judgement)}


@pytest.mark.parametrize("options", [("--direct_runner_bundle_repeat=1",), ("--direct_num_workers=1",)])
def test_judging_again_sends_nothing_and_gives_the_same_rows(
    tmp_path: Path, gemini_server: GeminiServer, options: tuple[str, ...]
) -> None:
    documents = docstrings()
    made = world(10, documents)
    first = judged(recipe_of(tmp_path / "one", gemini_server, tmp_path / "cache"), documents, made)
    sent = sum(gemini_server.calls.values())
    turned = (made[0][::-1], made[1], made[2][::-1])
    again = recipe_of(tmp_path / "two", gemini_server, tmp_path / "cache")
    second = judged(again, documents[::-1], turned, *options)
    assert sum(gemini_server.calls.values()) == sent == 10
    assert [first.digest(table) for table in first.tables] == [second.digest(table) for table in second.tables]
    assert first.books == second.books


def test_queries_with_a_class_are_not_paid_for(tmp_path: Path, gemini_server: GeminiServer) -> None:
    documents = docstrings()
    queries, pairs, candidates = world(6, documents)
    classed = [replace(each, group="greeting") if place % 2 else each for place, each in enumerate(queries)]
    manifest = judged(recipe_of(tmp_path, gemini_server), documents, (classed, pairs, candidates))
    judgements = rows_of(tmp_path, "judge", "judgements", Judgement)
    assert {each.query_id for each in judgements} == {each.query_id for each in classed if each.group is None}
    assert manifest.counts["requests"] == 3
    judged(
        recipe_of(tmp_path / "all", gemini_server),
        documents,
        ([replace(each, group="greeting") for each in queries], pairs, candidates),
    )
    assert rows_of(tmp_path / "all", "judge", "judgements", Judgement) == []


def _words(text: str) -> set[str]:
    return {word.casefold() for word in re.findall(r"\w+", text) if len(word) > 2}
