"""Languages: a query in another language than its writer was to write is found where that is sure, and only there."""

import json

import pytest

from oreline.filters.languages import code_of, detected, foreign
from oreline.filters.rules import Shown, find
from oreline.recipe.settings import Filter
from query_world import query

from house import data_folder

GERMAN = "Die Alpensegler verbringen bis zu zweihundert Tage ohne Unterbrechung in der Luft und schlafen im Flug."
ENGLISH = "Sharks never stop swimming because water has to flow over their gills all the time."


def shown(text: str, lang: str | None = None) -> Shown:
    return Shown("d/one", None, text, lang, "text")


def reason(text: str, document: Shown, lang: str | None = None, **settings: object) -> str | None:
    found = find(query("q", text, lang=lang), [document], Filter.model_validate(settings))
    return found.detail if found else None


@pytest.mark.parametrize(
    ("tag", "code"), [("pt_BR", "pt"), ("zh-Hant", "zh"), ("EN", "en"), ("nb", "no"), ("iw", "he")]
)
def test_a_tag_gives_the_code_of_its_language(tag: str, code: str) -> None:
    assert code_of(tag) == code


def test_a_sentence_has_a_language_and_signs_have_none() -> None:
    assert detected(GERMAN) == "de"
    assert detected("") is None
    assert detected("x = 3 + 4; y[0] = {'a': 1}") is None
    assert detected("Kinderarzt") is None or detected("Kinderarzt") == "de"


def test_a_query_is_compared_with_its_own_language_before_that_of_the_document() -> None:
    crossing = "why do swifts stay in the air for so long"
    assert reason(crossing, shown(GERMAN, "de"), "en") is None
    told = reason(crossing, shown(GERMAN, "de"), "de")
    assert told is not None
    assert told.startswith("the query is en (probability 0.")
    assert told.endswith("but the query is to be de")


def test_the_language_of_a_document_is_found_out_where_it_is_not_declared() -> None:
    told = reason("why do swifts stay in the air for so long", shown(GERMAN))
    assert told is not None
    assert told.endswith("but d/one is de")
    assert reason("warum bleiben Segler so lange in der Luft", shown(GERMAN)) is None


def test_the_other_script_is_what_was_asked_for_if_the_query_says_so() -> None:
    assert reason("почему акулы никогда не перестают плавать", shown(ENGLISH, "en"), "ru") is None
    assert reason("почему акулы никогда не перестают плавать", shown(ENGLISH), "ru") is None
    assert reason("почему акулы никогда не перестают плавать", shown(ENGLISH, "en")) is not None
    assert reason("почему акулы никогда не перестают плавать", shown(ENGLISH, "en"), "en") is not None


@pytest.mark.parametrize(("check", "found"), [("detect", True), ("scripts", False), ("none", False)])
def test_how_languages_are_told_is_a_setting(check: str, found: bool) -> None:  # noqa: FBT001 - a case of the table
    told = reason("why do swifts stay in the air for so long", shown(GERMAN), language=check)
    assert (told is not None) is found


def test_without_languages_another_script_passes_too() -> None:
    assert reason("почему акулы плавают", shown(ENGLISH), language="none") is None


@pytest.mark.parametrize("text", ["Kubernetes pod crash loop", "e4 e5 Nf3", "ls -la | grep foo", "Mount Everest"])
def test_names_and_terms_are_no_language(text: str) -> None:
    assert reason(text, shown(GERMAN)) is None


def test_what_an_extractive_writer_cuts_out_is_not_identified() -> None:
    title = query("q", "The Rise and Fall of the House of Windsor", "extractive")
    assert find(title, [shown(GERMAN)], Filter()) is None


def test_a_text_that_may_well_be_in_the_expected_language_is_not_foreign() -> None:
    text = "why do sharks keep moving"
    assert detected(text) == "en"
    assert foreign(text, "pcm") is None, "Nigerian Pidgin has a fifth of the probability"
    assert foreign(text, "de") is not None


def test_an_unknown_language_is_compared_with_none() -> None:
    assert foreign("why do sharks never stop swimming", "tlh") is None
    assert reason("why do sharks never stop swimming", shown(ENGLISH, "en"), "tlh") is None


def test_hardly_a_query_of_people_in_31_languages_is_taken_for_foreign() -> None:
    rows = [
        json.loads(line)
        for name in ("xquad-r-sample", "tldr-sample")
        for line in (data_folder(name) / "queries.jsonl").read_text(encoding="utf-8").strip().split("\n")
    ]
    assert len({code_of(row["lang"]) for row in rows}) == 31
    wrong = [row["text"] for row in rows if foreign(row["text"], code_of(row["lang"]))]
    assert len(wrong) <= 3, wrong
    crossed = [row for row in rows if code_of(row["lang"]) != "en"]
    caught = sum(foreign(row["text"], "en") is not None for row in crossed)
    assert caught > 0.8 * len(crossed)
