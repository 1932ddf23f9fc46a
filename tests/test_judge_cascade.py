"""The cascade: what a cheap judge flags is judged again by a strong one, whose verdict decides."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge_house import docstrings, gemini, judged, judgements_in, recipe_of, world
from oreline.judging.cascade import flagged
from oreline.judging.cases import Case, Found
from oreline.judging.grades import verdict_of
from oreline.recipe.settings import Cascade, Judge, Llm
from oreline.records import Judgement, Reject
from oreline.selection.verdicts import verdicts_of
from reranking_server import RerankingServer

from gemini_server import GeminiServer
from house import rows_of

DOCUMENTS = [f"d/{place}" for place in range(6)]
VALUES = st.dictionaries(st.sampled_from(DOCUMENTS), st.integers(0, 3), max_size=6)


def settings(ask_again: str = "relevant") -> Judge:
    cascade = Cascade.model_validate({"llm": Llm(model="strong"), "ask_again": ask_again})
    return Judge(scorers=["listwise", "graded"], cascade=cascade)


def found(scorer: str, grades: dict[str, int]) -> list[Found]:
    return [Found("d/q", doc_id, scorer, float(grade)) for doc_id, grade in grades.items()]


@given(VALUES, VALUES, st.sets(st.sampled_from(DOCUMENTS)), st.sampled_from(["relevant", "partly"]))
def test_flagged_are_relevant_ones_that_are_no_positive_and_positives_that_are_not_relevant(
    listwise: dict[str, int], graded: dict[str, int], positives: set[str], ask_again: str
) -> None:
    case = Case("d/q", "q", "i", DOCUMENTS, sorted(positives))
    said = flagged(case, [*found("listwise", listwise), *found("graded", graded)], settings(ask_again))
    assert said == [each for each in DOCUMENTS if each in said]
    for doc_id in DOCUMENTS:
        grades = [each[doc_id] for each in (listwise, graded) if doc_id in each]
        if not grades:
            assert doc_id not in said, "who was not judged is not flagged"
        elif doc_id in positives:
            assert (doc_id in said) == (max(grades) < 2)
        else:
            assert (doc_id in said) == (max(grades) >= (2 if ask_again == "relevant" else 1))


def test_without_a_cascade_nothing_is_flagged_and_failed_answers_flag_nothing() -> None:
    case = Case("d/q", "q", "i", DOCUMENTS, DOCUMENTS[:1])
    assert flagged(case, found("listwise", dict.fromkeys(DOCUMENTS, 3)), Judge()) == []
    failed = [Found("d/q", each, "listwise", reject="blocked", detail="no") for each in DOCUMENTS]
    assert flagged(case, failed, settings()) == []


@pytest.mark.parametrize(
    ("scorer", "options"),
    [("listwise", ("--direct_runner_bundle_repeat=1",)), ("graded", ())],
    ids=["listwise", "graded"],
)
def test_the_strong_judge_is_asked_about_just_what_is_flagged_and_both_rows_stand(
    tmp_path: Path, gemini_server: GeminiServer, scorer: str, options: tuple[str, ...]
) -> None:
    cascade = {"llm": gemini(gemini_server, "gemini-strong", budget_tokens=10**9), "ask_again": "partly"}
    recipe = recipe_of(tmp_path, gemini(gemini_server), scorers=[scorer], cascade=cascade)
    made = world(5, docstrings())
    manifest = judged(recipe, docstrings(), made, *options)
    rows = judgements_in(tmp_path)
    positives = {each.query_id: [scored.doc_id for scored in each.positives] for each in made[2]}
    cheap = {key[:2]: each for key, each in rows.items() if key[2] == scorer}
    strong = {key[:2]: each for key, each in rows.items() if key[2] == f"{scorer}/strong"}
    assert len(cheap) + len(strong) == len(rows) == manifest.books.kept.count == manifest.books.units.count
    expected = {
        pair
        for pair, each in cheap.items()
        if (each.verdict != "relevant" if pair[1] in positives[pair[0]] else each.verdict != "irrelevant")
    }
    assert set(strong) == expected
    assert 0 < len(expected) < len(cheap)
    assert {each.model for each in strong.values()} == {"gemini-strong"}
    assert {each.model for each in cheap.values()} == {"gemini-3.5-flash-lite"}
    flagged_queries = {query_id for query_id, _ in expected}
    calls = len(flagged_queries) if scorer == "listwise" else len(expected)
    assert gemini_server.asked_models["gemini-strong"] == calls
    meters = manifest.facts["scorers"]
    assert isinstance(meters, dict)
    strong_meter = meters[f"{scorer}/strong"]
    assert isinstance(strong_meter, dict)
    assert strong_meter["calls"] == calls
    assert manifest.counts["requests"] == manifest.counts["answers"] == sum(gemini_server.calls.values())


def test_judging_again_asks_neither_judge_and_gives_the_same_rows(tmp_path: Path, gemini_server: GeminiServer) -> None:
    digests = []
    for name in ("one", "two"):
        cascade = {"llm": gemini(gemini_server, "gemini-strong", budget_tokens=10**9), "ask_again": "partly"}
        recipe = recipe_of(tmp_path / name, gemini(gemini_server), tmp_path / "cache", cascade=cascade)
        digests.append(judged(recipe, docstrings(), world(5, docstrings())).digest("judgements"))
        sent = sum(gemini_server.calls.values())
    assert digests[0] == digests[1]
    assert sum(gemini_server.calls.values()) == sent == len(set(gemini_server.answers))


def test_where_the_strong_judge_gives_no_answer_the_cheap_verdict_stands(
    tmp_path: Path, gemini_server: GeminiServer
) -> None:
    documents = docstrings()
    cascade = {"llm": gemini(gemini_server, "gemini-strong", budget_tokens=10**9), "ask_again": "partly"}
    recipe = recipe_of(tmp_path, gemini(gemini_server), cascade=cascade)
    # A listwise prompt of the second round shows fewer documents than one of the first.
    gemini_server.fault("safety", f"what does {documents[2].title} do", after=4)
    manifest = judged(recipe, documents, world(4, documents))
    rejects = rows_of(tmp_path, "judge", "rejects", Reject)
    rows = judgements_in(tmp_path)
    assert rejects
    assert {each.row_id.split("\t")[2] for each in rejects} == {"listwise/strong"}
    assert {each.row_id.split("\t")[0] for each in rejects} == {"python/q2"}
    assert all((*each.row_id.split("\t")[:2], "listwise") in rows for each in rejects)
    assert manifest.books.balanced


def test_a_cross_encoder_may_be_the_cheap_judge(tmp_path: Path, gemini_server: GeminiServer) -> None:
    with RerankingServer() as server:
        section = {"model": "reranker", "server": server.url, "relevant_from": 0.5}
        cascade = {"llm": gemini(gemini_server, "gemini-strong", budget_tokens=10**9)}
        recipe = recipe_of(tmp_path, None, scorers=["cross_encoder"], cross_encoder=section, cascade=cascade)
        made = world(6, docstrings())
        judged(recipe, docstrings(), made)
        rows = judgements_in(tmp_path)
        positives = {(each.query_id, scored.doc_id) for each in made[2] for scored in each.positives}
        cheap = {key[:2]: each for key, each in rows.items() if key[2] == "cross_encoder"}
        strong = {key[:2] for key in rows if key[2] == "listwise/strong"}
        assert strong == {pair for pair, each in cheap.items() if (each.verdict == "relevant") != (pair in positives)}
        assert strong
        assert set(gemini_server.asked_models) == {"gemini-strong"}


def row(scorer: str, doc_id: str, value: float, verdict: str | None) -> Judgement:
    return Judgement("d/q", doc_id, scorer, value, verdict)


def rows(scorer: str, **values: float) -> list[Judgement]:
    return [row(scorer, doc_id, value, verdict_of(value)) for doc_id, value in values.items()]


def test_the_strong_verdict_decides_over_all_others_and_takes_the_cheap_ones_place_in_the_fusion() -> None:
    cheap = rows("listwise", a=3.0, b=2.0, c=1.0)
    graded = rows("graded", a=2.6, b=0.2, c=1.4)
    before = verdicts_of([*cheap, *graded], ("listwise", "graded"))
    strong = row("listwise/strong", "a", 0.0, "irrelevant")
    after = verdicts_of([*cheap, *graded, strong], ("listwise", "graded"))
    assert (before["a"].relevance, before["a"].grade) == ("relevant", 3.0)
    assert (after["a"].relevance, after["a"].grade) == ("irrelevant", 0.0)
    assert after["b"].relevance == before["b"].relevance == "relevant"
    assert after["a"].fused == pytest.approx(1 / 63 + 1 / 61), "last by listwise now, still first by graded"
    assert after["b"].fused == pytest.approx(1 / 61 + 1 / 63)


def test_a_strong_judge_beside_scorers_of_another_kind_has_no_voice_in_the_fusion() -> None:
    measured = [row("cross_encoder", "a", 0.9, "relevant"), row("cross_encoder", "b", 0.4, "irrelevant")]
    strong = row("listwise/strong", "a", 1.0, "partly_relevant")
    found = verdicts_of([*measured, strong], ("cross_encoder",))
    assert (found["a"].relevance, found["a"].grade) == ("partly_relevant", 1.0)
    assert (found["b"].relevance, found["b"].grade) == ("irrelevant", 0.0), "what its verdict amounts to"
    assert [found[each].fused for each in "ab"] == [pytest.approx(1 / 61), pytest.approx(1 / 62)]


def test_an_expected_grade_counts_as_its_nearest_whole_one() -> None:
    found = verdicts_of([row("graded", "a", 1.97, "relevant"), row("graded", "b", 1.4, "partly_relevant")], ("graded",))
    assert [found[each].grade for each in "ab"] == [2.0, 1.0]
