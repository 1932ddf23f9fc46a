"""Matches of texts: what is planted is found, whatever was done to it; what is unrelated is not."""

# ruff: noqa: RUF001 - signs of other scripts are meant as they stand

import random
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from decontamination_world import OTHER_PARAGRAPH, PARAGRAPH, beir, index_of, matches_of, text_file
from oreline.decontamination.buckets import MOST_TEXTS
from oreline.decontamination.index import build_index
from oreline.decontamination.index_file import open_index, write_index
from oreline.decontamination.matching import find_matches
from oreline.decontamination.near import banding
from oreline.errors import SourceError
from oreline.minhash.parameters import recall
from oreline.recipe.settings import Benchmark, Decontaminate

QUESTION = "how far does the common swift fly every year"
WORDS = st.text("abcdefghijklmnopqrstuvwxyz", min_size=3, max_size=8)
WIDE = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def prose(seed: int, number: int, vocabulary: str) -> list[str]:
    drawn = random.Random(seed)
    return [vocabulary + "".join(drawn.choices("abcdefghij", k=6)) for _ in range(number)]


@pytest.mark.parametrize(
    "variant",
    [
        QUESTION.upper(),
        "How far does the common swift fly — every year?!",
        "  how far\tdoes the common\u00a0swift fly every year",
        "ｈｏｗ ｆａｒ does the common swift fly every year",
    ],
)
def test_a_short_question_is_found_whatever_its_case_punctuation_and_spaces(variant: str, tmp_path: Path) -> None:
    assert matches_of([QUESTION], [variant], tmp_path) == {(0, 0, "exact")}


@pytest.mark.parametrize("words", range(1, 14))
def test_questions_of_any_length_are_found(words: int, tmp_path: Path) -> None:
    question = " ".join(prose(words, words, "q"))
    assert matches_of([question], ["other words", question + "?"], tmp_path) == {(1, 0, "exact")}


def test_unicode_forms_are_one(tmp_path: Path) -> None:
    composed, decomposed = "où est né l'éléphant bleu", "où est né l'éléphant bleu".replace("é", "e\u0301")
    assert composed != decomposed
    assert matches_of([composed], [decomposed], tmp_path) == {(0, 0, "exact")}
    assert matches_of(["wie groß ist die Straße"], ["WIE GROSS IST DIE STRASSE"], tmp_path) == {(0, 0, "exact")}


def test_texts_without_spaces_between_words_are_found(tmp_path: Path) -> None:
    test = "雨燕几乎一生都在空中度过，只有在繁殖时才会降落在老房子的屋檐下。"
    longer = "关于鸟类的笔记。" + test + "这就是为什么人们很少看到它站立。"
    found = matches_of(
        [test], [test.rstrip("。"), longer, "混凝土之所以凝固是因为硅酸钙与水反应生成针状晶体。"], tmp_path
    )
    assert found == {(0, 0, "exact"), (1, 0, "contains")}
    thai = "นกแอ่นใช้เวลาเกือบทั้งชีวิตในอากาศ"
    assert matches_of([thai], [thai, "คอนกรีตแข็งตัวเพราะแคลเซียม"], tmp_path) == {(0, 0, "exact")}


def test_a_question_inside_a_longer_text_is_contained_in_it(tmp_path: Path) -> None:
    longer = f"Nobody knew {QUESTION.capitalize()}, until small loggers could be carried by the birds."
    assert matches_of([QUESTION], [longer], tmp_path) == {(0, 0, "contains")}


def test_half_of_a_question_is_no_question(tmp_path: Path) -> None:
    test = "how far does the common swift fly in a year and where does it sleep"
    half = "how far does the common swift fly in a year and what does it weigh in spring"
    assert matches_of([test], [half], tmp_path, near=None) == set()
    assert matches_of([half + " or in autumn"], [half], tmp_path, near=None) == set(), (
        "a part of a test question is not"
    )


def test_a_typing_error_is_a_near_match(tmp_path: Path) -> None:
    typo = "how far does the comon swift fly every year"
    assert matches_of([QUESTION], [typo], tmp_path) == {(0, 0, "near")}
    assert matches_of([QUESTION], [typo], tmp_path, near=None) == set()


def test_a_passage_is_found_in_a_longer_document_and_a_document_in_a_longer_passage(tmp_path: Path) -> None:
    longer = f"{OTHER_PARAGRAPH}. {PARAGRAPH}. {' '.join(prose(1, 40, 'x'))}"
    assert matches_of([PARAGRAPH], [longer], tmp_path) == {(0, 0, "contains")}
    assert matches_of([longer], [PARAGRAPH], tmp_path) == {(0, 0, "contained")}


def test_edits_far_apart_do_not_hide_a_passage(tmp_path: Path) -> None:
    words = PARAGRAPH.split()
    for place in range(5, len(words), 15):
        words[place] = "changed"
    assert matches_of([PARAGRAPH], [" ".join(words)], tmp_path) == {(0, 0, "contains")}


def test_code_is_compared_sign_by_sign(tmp_path: Path) -> None:
    assert matches_of(["set -e"], ["set -e", "set +e", "SET -E"], tmp_path, "code") == {(0, 0, "exact")}
    assert matches_of(["set -e"], ["set -e", "set +e", "SET -E"], tmp_path) == {(row, 0, "exact") for row in range(3)}


def test_shared_boilerplate_alone_is_no_match(tmp_path: Path) -> None:
    footer = "all rights are reserved and no part may be copied without written permission of the publisher"
    tests = [f"{' '.join(prose(number, 40, 'y'))} {footer}" for number in range(3)]
    assert matches_of(tests, [f"{OTHER_PARAGRAPH} {footer}"], tmp_path) == set()


def test_an_n_gram_of_too_many_test_texts_hides_no_row(tmp_path: Path) -> None:
    """Rows whose beginning is common are still found by the rest of them."""
    footer = " ".join(prose(0, 12, "f"))
    tests = [f"{footer} {' '.join(prose(number + 1, 12, 'z'))}" for number in range(MOST_TEXTS + 50)]
    found = matches_of(tests, [f"so it was written: {tests[7]}"], tmp_path)
    assert found == {(0, 7, "contains")}


def test_a_passage_that_several_test_texts_hold_is_found_in_all_of_them(tmp_path: Path) -> None:
    tests = [f"{PARAGRAPH} {' '.join(prose(number, 20, 'w'))}" for number in range(20)]
    found = matches_of(tests, [f"{PARAGRAPH} {' '.join(prose(99, 60, 'v'))}"], tmp_path)
    assert found == {(0, number, "contains") for number in range(20)}


@WIDE
@given(st.lists(WORDS, min_size=8, max_size=150), st.lists(WORDS, max_size=60), st.lists(WORDS, max_size=60))
def test_a_planted_text_of_eight_words_or_more_is_always_found(
    tmp_path: Path, planted: list[str], before: list[str], after: list[str]
) -> None:
    training = " ".join([*before, *planted, *after])
    found = matches_of([" ".join(planted)], [training], tmp_path)
    assert {(row, text) for row, text, _ in found} == {(0, 0)}


@WIDE
@given(st.lists(WORDS, min_size=40, max_size=200), st.randoms(use_true_random=False))
def test_a_long_text_with_one_word_in_thirty_changed_is_always_found(
    tmp_path: Path, words: list[str], drawn: random.Random
) -> None:
    edited = list(words)
    for start in range(0, len(words), 30):
        edited[drawn.randrange(start, min(start + 30, len(words)))] = "edited"
    # Two changed words may lie side by side or up to 58 apart: at least 60 % stands in runs of 8 or more.
    found = matches_of([" ".join(words)], [" ".join(edited)], tmp_path)
    assert {(row, text) for row, text, _ in found} == {(0, 0)}


@WIDE
@given(st.lists(st.lists(WORDS, min_size=1, max_size=60), min_size=1, max_size=5), st.integers(0, 2**32))
def test_an_unrelated_text_never_matches(tmp_path: Path, tests: list[list[str]], seed: int) -> None:
    unrelated = " ".join(prose(seed, 80, "0"))
    assert matches_of([" ".join(each) for each in tests], [unrelated], tmp_path) == set()


@WIDE
@given(st.lists(st.sampled_from([PARAGRAPH, QUESTION, OTHER_PARAGRAPH, "other"]), min_size=1, max_size=12))
def test_what_is_found_does_not_depend_on_blocks(tmp_path: Path, training: list[str]) -> None:
    section = Decontaminate(against=[Benchmark(path=str(text_file(tmp_path / "t.txt", [PARAGRAPH, QUESTION])))])
    index = index_of(section)

    def found(rows: Sequence[str]) -> list[tuple[int, str]]:
        return [(each.text, each.match) for each in find_matches(index, pa.array(rows, pa.string()), "text", section)]

    assert found(training) == [each for row in training for each in found([row])]


def test_titles_are_part_of_the_text(tmp_path: Path) -> None:
    section = Decontaminate(against=[Benchmark(path=str(text_file(tmp_path / "t.txt", ["Swifts: they never land"])))])
    texts, titles = pa.array(["they never land", "they never land"]), pa.array(["Swifts", None])
    found = find_matches(index_of(section), texts, "text", section, titles)
    assert [(each.row, each.match) for each in found] == [(0, "exact")]


@pytest.mark.parametrize("title", [None, "Aspirin", "Acetylsalicylic acid"])
@pytest.mark.parametrize("ours", [None, "Aspirin", "Painkillers"])
@pytest.mark.parametrize("near", [None, 0.8])
def test_a_text_shorter_than_an_n_gram_is_found_whatever_its_title(
    title: str | None, ours: str | None, near: float | None, tmp_path: Path
) -> None:
    text = "A common pain killer."
    folder = beir(tmp_path / "b", {"q": "what is it"}, {"d": (title or "", text)}, {"test": [("q", "d", 1.0)]})
    section = Decontaminate(against=[Benchmark(path=str(folder))], near=near)
    texts, titles = pa.array([text.upper(), "A rare pain killer.", ""]), pa.array([ours, ours, ours], pa.string())
    found = find_matches(index_of(section), texts, "text", section, titles)
    assert (0, "relevant", "exact") in {(each.row, each.role, each.match) for each in found}
    assert {each.row for each in found} <= ({0, 1} if near else {0})
    assert len({(each.row, each.text) for each in found}) == len(found)


def test_a_row_that_is_equal_with_its_title_and_without_counts_once(tmp_path: Path) -> None:
    corpus: dict[str, str | tuple[str, str]] = {
        "d1": ("…", "A common pain killer."),
        "d2": "A common pain killer.",
        "d3": ("Aspirin", "Another text."),
    }
    folder = beir(tmp_path / "b", {"q": "what is it"}, corpus, {"test": [("q", "d1", 1.0), ("q", "d2", 1.0)]})
    texts = index_of(Decontaminate(against=[Benchmark(path=str(folder))])).texts
    rows = dict(zip(texts.labels.to_pylist(), texts.equal_rows.tolist(), strict=False))
    assert rows["corpus/d1"] == 2
    assert "corpus/d2" not in rows


def test_an_index_is_the_same_after_it_was_written(tmp_path: Path) -> None:
    section = Decontaminate(
        against=[Benchmark(path=str(text_file(tmp_path / "t.txt", [PARAGRAPH, QUESTION, QUESTION.upper()])), task="T")]
    )
    index = build_index(section, ("text", "code"))
    assert index is not None
    write_index(index, str(tmp_path / "index.arrow"))
    read = open_index(str(tmp_path / "index.arrow"))
    assert read.facts == index.facts == [{"name": "t", "format": "text", "task": "T", "texts": {"text": 3}}]
    assert sorted(read.forms) == ["code", "text"]
    training = pa.array([PARAGRAPH + " and more", QUESTION])
    for content in ("text", "code"):
        assert find_matches(read, training, content, section) == find_matches(index, training, content, section)
    assert read.texts.labels.to_pylist() == ["t.txt:1", "t.txt:2", "t.txt:3"], "as code, case counts"


def test_equal_test_texts_are_one_that_counts_its_rows(tmp_path: Path) -> None:
    tests = text_file(tmp_path / "t.txt", [QUESTION, PARAGRAPH, QUESTION.upper()])
    index = index_of(Decontaminate(against=[Benchmark(path=str(tests))]))
    assert index.texts.labels.to_pylist() == ["t.txt:1", "t.txt:2"]
    assert index.texts.equal_rows.tolist() == [2, 1]


@pytest.mark.parametrize("near", [0.3, 0.5, 0.7, 0.8, 0.9, 1.0])
def test_the_banding_finds_nearly_all_pairs_of_the_threshold(near: float) -> None:
    cut = banding(near)
    assert recall(near, cut.bands, cut.rows) >= 0.999
    assert cut.bands * cut.rows <= 100


def test_empty_rows_match_nothing(tmp_path: Path) -> None:
    assert matches_of([QUESTION], [], tmp_path) == set()
    assert matches_of(["?!", QUESTION], ["", "…"], tmp_path) == set()


def test_a_benchmark_without_a_text_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"tests.txt: it holds no text"):
        matches_of(["", " "], ["anything"], tmp_path)
