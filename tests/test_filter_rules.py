"""The free rules, one by one: what they find, what they measured, and what they leave alone."""

import pytest

from oreline.filters.rules import Shown, find
from oreline.filters.words import count_words, script_shares, words
from oreline.recipe.settings import Filter
from oreline.records import Content, QueryOrigin
from query_world import query

SHARKS = "Sharks never stop swimming because water has to flow over their gills all the time."


def shown(text: str = SHARKS, lang: str | None = None, content: Content = "text", title: str | None = None) -> Shown:
    return Shown("d/one", title, text, lang, content)


def reason(text: str, *documents: Shown, origin: QueryOrigin = "synthetic", lang: str | None = None) -> str | None:
    found = find(query("q", text, origin, lang=lang), documents, Filter())
    return found.reason if found else None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("", 0),
        ("?!", 0),
        ("don't stop", 2),
        ("os.path.join", 3),
        ("why do sharks swim?", 4),
        ("東京", 1),
        ("東京の人口は", 2),
        ("GIL とは何か", 2),
    ],
)
def test_words_are_counted_in_any_script(text: str, number: int) -> None:
    assert count_words(text) == number


def test_a_run_without_spaces_gives_pairs_of_characters() -> None:
    assert words("東京都 Tower") == ["tower", "東京", "京都"]


def test_shares_of_scripts_sum_to_one_and_kana_count_with_han() -> None:
    assert script_shares("東京タワー abc") == {"CJK": 5 / 8, "LATIN": 3 / 8}
    assert sum(script_shares("mixed Текст 文").values()) == pytest.approx(1.0)


def test_a_plain_question_passes() -> None:
    assert reason("why do sharks keep moving", shown()) is None


def test_queries_of_people_are_exempt() -> None:
    assert reason("x", shown(), origin="human") is None
    assert reason("x", shown(), origin="extractive") == "too_few_words"


def test_rules_none_switches_all_off() -> None:
    assert find(query("q", "x"), [shown()], Filter(rules="none")) is None


def test_the_detail_states_what_was_measured() -> None:
    found = find(query("q", "sharks"), [], Filter())
    assert found is not None
    assert (found.detail, found.rule) == ("1 word, filter.min_words is 2", "words")


def test_long_queries_are_found() -> None:
    assert reason(" ".join(f"w{number}" for number in range(121))) == "too_many_words"
    assert reason(" ".join(f"w{number}" for number in range(120))) is None


@pytest.mark.parametrize("text", ["aaaaaaaaaa hm", "shark shark shark gills shark", "!!!!!!!!!!!! a b", "ha ha ha ha"])
def test_repetition_is_found(text: str) -> None:
    assert reason(text) == "repeated_characters"


@pytest.mark.parametrize("text", ["aaa bbb", "New York New York hotels", "who is who is asking whom", "pizza pizza"])
def test_ordinary_repetition_passes(text: str) -> None:
    assert reason(text) is None


def test_declared_languages_are_compared_by_their_first_part() -> None:
    assert reason("why do sharks keep moving", shown(lang="en-US"), lang="en_GB") is None
    assert reason("why do sharks keep moving", shown(lang="de-AT")) == "other_language"


def test_a_query_in_another_script_is_found() -> None:
    assert reason("почему акулы плавают", shown()) == "other_language"
    assert reason("サメはなぜ泳ぐのか", shown()) == "other_language"


def test_names_in_another_script_pass() -> None:
    chinese = shown("全局解释器锁 GIL 是计算机程序设计语言解释器用于同步线程的一种机制使得任何时刻仅有一个线程在执行")
    assert reason("Python GIL 多线程", chinese) is None
    assert reason("what is the GIL for", chinese) == "other_language"
    assert reason("\uff57\uff48\uff59 do sharks swim", shown()) is None


def test_code_says_nothing_about_language() -> None:
    assert reason("列出所有打开的文件和端口", shown("lsof -i -P -n | grep LISTEN", content="code")) is None


def test_translation_is_no_mistake() -> None:
    bitext = query("q", "почему акулы плавают", task_type="bitext")
    assert find(bitext, [shown()], Filter()) is None


def test_one_document_in_the_query_language_is_enough() -> None:
    assert reason("почему акулы плавают", shown(), shown("Акулы никогда не перестают плавать, им нужна вода.")) is None


def test_a_long_copy_is_found_whatever_its_case_and_punctuation() -> None:
    assert reason("sharks, never stop swimming: because WATER has to flow", shown()) == "verbatim_copy"
    assert reason("because water has to flow", shown()) is None
    assert reason("sharks never stop swimming since water has to flow", shown()) is None


def test_a_copy_ends_at_words() -> None:
    assert reason("harks never stop swimming because water has to flow", shown()) is None


def test_a_copy_is_found_in_scripts_without_spaces() -> None:
    text = "全局解释器锁是计算机程序设计语言解释器用于同步线程的一种机制使得任何时刻仅有一个线程在执行"
    assert reason(text[2:36], shown(text + "。")) == "verbatim_copy"


def test_extractive_writers_copy_by_design() -> None:
    assert reason(SHARKS, shown(), origin="extractive") is None


def test_a_copied_title_is_found_if_it_is_long() -> None:
    title = "How the water that flows over its gills keeps a shark alive"
    assert reason(title.lower(), shown(title=title)) == "verbatim_copy"
