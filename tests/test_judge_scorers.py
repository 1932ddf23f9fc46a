"""The scorers that ask a model about one document: grades, expected grades, likelihoods exact and graded."""

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from judge_house import CEILING, docstrings, gemini, judged, judgements_in, openai, recipe_of, world
from local_server import logprob, pieces, variants
from openai_server import OpenAiServer
from oreline.judging.grades import expected_grade
from oreline.judging.shown import judged_documents
from oreline.llm.journal import read_lane
from oreline.llm.requests import LikelyToken, TokenLogprob
from oreline.records import FateRow, Reject
from oreline.reports.judges import judges_report
from oreline.tables.manifest import Manifest

from gemini_server import GeminiServer
from house import rows_of


@pytest.fixture
def openai_server() -> Iterator[OpenAiServer]:
    with OpenAiServer(key="") as server:
        yield server


def pairs_of(queries: int) -> set[tuple[str, str]]:
    made = world(queries, docstrings())
    return {(each.query_id, doc_id) for each in made[2] for doc_id in judged_documents(each, 6, 4, CEILING)}


def test_graded_asks_about_each_document_alone_and_its_grade_is_the_verdict(
    tmp_path: Path, gemini_server: GeminiServer
) -> None:
    manifest = judged(
        recipe_of(tmp_path, gemini(gemini_server), scorers=["graded"]), docstrings(), world(4, docstrings())
    )
    found = judgements_in(tmp_path)
    assert {key[:2] for key in found} == pairs_of(4)
    assert sum(gemini_server.calls.values()) == len(pairs_of(4)) == manifest.books.kept.count
    verdicts = {0.0: "irrelevant", 1.0: "partly_relevant", 2.0: "relevant", 3.0: "relevant"}
    assert all(each.verdict == verdicts[each.value] and each.reason for each in found.values())
    assert len({each.value for each in found.values()}) > 1
    assert {each.likelihood_source for each in found.values()} == {None}
    assert manifest.facts["values"] == {"graded": {"gemini-3.5-flash-lite": "stated"}}
    assert all("<document>" in prompt and "python/" not in prompt for prompt in gemini_server.answered_prompts)
    assert any("Find documentation." in prompt for prompt in gemini_server.answered_prompts)


@pytest.mark.parametrize("provider", ["gemini", "openai"])
def test_with_log_probabilities_a_grade_is_the_expected_one(
    tmp_path: Path, gemini_server: GeminiServer, openai_server: OpenAiServer, provider: str
) -> None:
    model = gemini(gemini_server, "gemini-2.5-flash") if provider == "gemini" else openai(openai_server)
    recipe = recipe_of(tmp_path, {**model, "logprobs": True}, scorers=["graded"])
    manifest = judged(recipe, docstrings(), world(3, docstrings()))
    found = judgements_in(tmp_path)
    assert {key[:2] for key in found} == pairs_of(3)
    for each in found.values():
        key = each.request_key or ""
        text = read_lane(recipe.cache_folder, int(key[:2], 16))[key][0].text
        place = text.index('"grade": ') + len('"grade": ')
        # The server's chances of a token are a function of its text, so that those of the four grades are known.
        chances = [math.exp(logprob(each)) for each in variants(pieces(text)[place // 4])]
        expected = sum(grade * chance for grade, chance in enumerate(chances)) / sum(chances)
        assert each.value == pytest.approx(expected)
    assert all(0.0 < each.value < 3.0 for each in found.values())
    assert all(each.verdict == ("relevant" if each.value >= 1.5 else "partly_relevant") for each in found.values())
    assert manifest.facts["values"] == {"graded": {str(model["model"]): "expected"}}


def answered(*tokens: tuple[str, dict[str, float]]) -> tuple[str, list[TokenLogprob]]:
    logprobs = [
        TokenLogprob(text, math.log(chances.get(text, 1.0)), [LikelyToken(*each) for each in _logs(chances)] or None)
        for text, chances in tokens
    ]
    return "".join(text for text, _ in tokens), logprobs


def _logs(chances: dict[str, float]) -> list[tuple[str, float]]:
    return [(token, math.log(chance)) for token, chance in chances.items()]


def test_the_expectation_is_over_the_four_labels_alone_where_the_answer_states_its_grade() -> None:
    text, logprobs = answered(
        ('{"reason": "a \\"grade\\": 3}, as it says', {}),
        ('", "grade": ', {}),
        ("2", {"2": 0.6, "3": 0.2, "7": 0.2}),
        ("}", {}),
    )
    assert expected_grade(text, logprobs) == pytest.approx((2 * 0.6 + 3 * 0.2) / 0.8)


def test_a_grade_may_stand_in_a_token_with_other_signs() -> None:
    text, logprobs = answered(
        ('{"grade":', {}), (" 1}", {" 1}": 0.5, " 0}": 0.25, " 2": 0.25, " 12": 0.9, "1}": 0.9, "x3": 0.9})
    )
    assert expected_grade(text, logprobs) == pytest.approx(0.5 * 1 + 0.25 * 2)


@pytest.mark.parametrize(
    ("text", "logprobs"),
    [
        ('{"grade": 2}', None),
        ('{"grade": 2}', answered(('{"grade": ', {}), ("2", {}), ("}", {}))[1]),
        ('{"grade": 2}', answered(('{"grade": ', {}), ("3", {"3": 1.0}), ("}", {}))[1]),
        ("no JSON", answered(("no JSON", {"no JSON": 0.5}))[1]),
    ],
    ids=["none came", "without alternatives", "of another text", "no grade"],
)
def test_without_the_labels_chances_there_is_no_expectation(text: str, logprobs: list[TokenLogprob] | None) -> None:
    assert expected_grade(text, logprobs) is None


def test_a_vllm_server_gives_exact_likelihoods_and_they_state_no_verdict(
    tmp_path: Path, openai_server: OpenAiServer
) -> None:
    recipe = recipe_of(tmp_path, openai(openai_server), scorers=["listwise", "likelihood"])
    made = world(3, docstrings())
    manifest = judged(recipe, docstrings(), made)
    found = {key: each for key, each in judgements_in(tmp_path).items() if key[2] == "likelihood"}
    assert {key[:2] for key in found} == pairs_of(3)
    assert {(each.likelihood_source, each.verdict, each.reason) for each in found.values()} == {("exact", None, None)}
    queries = {each.query_id: each.query for each in made[0]}
    for (query_id, _, _), each in found.items():
        tokens = pieces(queries[query_id])
        assert each.value == pytest.approx(sum(map(logprob, tokens)) / len(tokens))
    assert manifest.facts["values"] == {"likelihood": {"m": "exact"}}


def test_a_whole_querys_likelihood_is_the_sum_over_its_tokens(tmp_path: Path, openai_server: OpenAiServer) -> None:
    recipe = recipe_of(tmp_path, openai(openai_server), scorers=["listwise", "likelihood"], likelihood={"of": "query"})
    made = world(1, docstrings())
    judged(recipe, docstrings(), made)
    whole = sum(map(logprob, pieces(made[0][0].query)))
    values = [each.value for key, each in judgements_in(tmp_path).items() if key[2] == "likelihood"]
    assert values == [pytest.approx(whole)] * len(values)


def test_without_prompt_log_probabilities_likelihood_is_a_grade_that_says_so(
    tmp_path: Path, gemini_server: GeminiServer
) -> None:
    recipe = recipe_of(tmp_path, gemini(gemini_server), scorers=["listwise", "likelihood"])
    manifest = judged(recipe, docstrings(), world(3, docstrings()))
    found = {key: each for key, each in judgements_in(tmp_path).items() if key[2] == "likelihood"}
    assert {key[:2] for key in found} == pairs_of(3)
    assert {(each.likelihood_source, each.verdict) for each in found.values()} == {("graded", None)}
    assert all(each.value in range(11) and each.reason for each in found.values())
    assert manifest.facts["values"] == {"likelihood": {"gemini-3.5-flash-lite": "graded"}}


def test_sources_of_likelihood_are_never_mixed_within_a_query(
    tmp_path: Path, gemini_server: GeminiServer, openai_server: OpenAiServer
) -> None:
    further = {"provider": "openai", "model": "m", "base_url": openai_server.url, "server": "vllm"}
    llm = {**gemini(gemini_server), "further_models": [further], "budget_tokens": 10**9}
    manifest = judged(
        recipe_of(tmp_path, llm, scorers=["listwise", "likelihood"]), docstrings(), world(12, docstrings())
    )
    sources: dict[str, set[str | None]] = {}
    for (query_id, _, scorer), each in judgements_in(tmp_path).items():
        if scorer == "likelihood":
            sources.setdefault(query_id, set()).add(each.likelihood_source)
    assert all(len(found) == 1 for found in sources.values())
    assert set.union(*sources.values()) == {"exact", "graded"}
    assert manifest.facts["values"] == {"likelihood": {"gemini-3.5-flash-lite": "graded", "m": "exact"}}


def test_costs_are_metered_by_scorer(tmp_path: Path, gemini_server: GeminiServer) -> None:
    recipe = recipe_of(tmp_path, gemini(gemini_server), scorers=["listwise", "graded"])
    manifest = judged(recipe, docstrings(), world(3, docstrings()))
    meters = manifest.facts["scorers"]
    assert isinstance(meters, dict)
    assert {name: each["calls"] for name, each in meters.items() if isinstance(each, dict)} == {
        "listwise": 3,
        "graded": len(pairs_of(3)),
    }
    spent = _total(manifest, "tokens")
    assert spent == manifest.counts["prompt_tokens"] + manifest.counts["output_tokens"]
    assert _total(manifest, "microdollars") == pytest.approx(manifest.counts["microdollars"], abs=2)


def _total(manifest: Manifest, what: str) -> int:
    meters = manifest.facts["scorers"]
    assert isinstance(meters, dict)
    return sum(int(str(each[what])) for each in meters.values() if isinstance(each, dict))


def test_an_answer_that_cannot_be_used_drops_its_one_unit(tmp_path: Path, gemini_server: GeminiServer) -> None:
    documents = docstrings()
    gemini_server.fault("safety", f"<document>\n{documents[2].title}\n")
    manifest = judged(recipe_of(tmp_path, gemini(gemini_server), scorers=["graded"]), documents, world(3, documents))
    rejects = rows_of(tmp_path, "judge", "rejects", Reject)
    dropped = {(query_id, doc_id) for query_id, doc_id in pairs_of(3) if doc_id == documents[2].doc_id}
    assert {each.row_id for each in rejects} == {f"{query_id}\t{doc_id}\tgraded" for query_id, doc_id in dropped}
    assert {(each.reason, each.table) for each in rejects} == {("blocked", "judgements")}
    assert len(rows_of(tmp_path, "judge", "fates", FateRow)) == len(dropped) == 3
    assert manifest.books.balanced
    assert {key[:2] for key in judgements_in(tmp_path)} == pairs_of(3) - dropped


def test_show_tells_what_each_scorer_cost(tmp_path: Path, gemini_server: GeminiServer) -> None:
    price = {"input": 1.0, "output": 4.0}
    recipe = recipe_of(tmp_path, gemini(gemini_server, price=price), scorers=["graded", "likelihood"])
    manifest = judged(recipe, docstrings(), world(2, docstrings()))
    lines = [str(each) for each in judges_report(manifest)]
    assert len(lines) == 4
    pattern = rf"{len(pairs_of(2))} calls, [\d,]+ tokens, 0\.\d{{4}} dollars"
    assert re.fullmatch(rf"graded: {pattern}", lines[0])
    assert re.fullmatch(rf"likelihood: {pattern}", lines[1])
    assert lines[2:] == [
        "values of graded by gemini-3.5-flash-lite: stated",
        "values of likelihood by gemini-3.5-flash-lite: graded",
    ]
    assert judges_report(replace(manifest, stage="mine")) == []
