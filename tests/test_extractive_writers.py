"""The extractive writers: what they take, what they leave, and that the query's words are gone from its positive."""

# ruff: noqa: RUF001 - signs of other scripts are meant as they stand

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oreline.chunking.tokens import estimate_tokens
from oreline.extractive.inverse_cloze import LEAST_REST_WORDS, cloze
from oreline.extractive.keyphrase import keyphrase_query
from oreline.extractive.prose import leans_on_others, reads_as_prose
from oreline.extractive.rows import EXTRACTORS, extract
from oreline.extractive.title import body_without_title, title_query
from oreline.normalise import content_hash, text_hash
from oreline.records import Document
from oreline.scripts import one_line, shortened, word_count

HEAP = (
    "A heap is a binary tree in which every parent is smaller than its children.\n"
    "The smallest element of a heap is always its root, which makes it quick to find.\n\n"
    ">>> heappush(heap, 3)\n\n"
    "Pushing an element to a binary heap takes logarithmic time, as it may have to rise to the root.\n"
    "It is also possible to merge two heaps, which takes linear time in their sizes.\n"
)
ENGLISH = [
    "Bees dance to tell where the flowers are that they have found.",
    "It rains.",
    "Ships float on water they push.",
]
OTHERS = [
    "蜜蜂用舞蹈告诉同伴花在哪里，它们飞得很远。",
    "النحل يرقص ليخبر رفاقه أين توجد الأزهار البعيدة.",
    "מים רבים לא יוכלו לכבות את האהבה הזאת.",
]
SENTENCES = st.lists(
    st.sampled_from([*ENGLISH, *OTHERS, "😀 Bees 🐝 fly far over the sea and the hills.", "Call f(y)!"])
)


def document(text: str, title: str | None = None, **fields: str) -> Document:
    return Document("d/a", "d", text, content_hash(title, text, "text"), text_hash(text, "text"), title, **fields)  # type: ignore[arg-type]  # fields are columns of type str


@given(SENTENCES, st.sampled_from([" ", "\n", "\n\n"]), st.integers(0, 50))
def test_the_sentence_really_leaves_and_nothing_else_does(parts: list[str], joint: str, seed: int) -> None:
    text = joint.join(parts)
    taken = cloze("d/a", None, text, seed)
    if taken is None:
        return
    assert one_line(taken.sentence) not in one_line(taken.rest)
    assert taken.rest
    assert word_count(taken.rest) >= LEAST_REST_WORDS
    assert parts.count(taken.sentence) == 1
    rest = [part for part in parts if part != taken.sentence]
    assert one_line(taken.rest) == one_line(joint.join(rest))


@given(st.text(max_size=300), st.one_of(st.none(), st.text(max_size=30)), st.integers(0, 3))
def test_writers_take_any_text_and_say_the_same_twice(text: str, title: str | None, seed: int) -> None:
    for writer in EXTRACTORS:
        one = extract(writer, document(text, title), seed)
        assert one == extract(writer, document(text, title), seed)
        if one is not None:
            assert one.query.query == one_line(one.query.query) != ""
            assert one.derived is None or one.derived.text.strip()


def test_the_drawn_sentence_depends_on_seed_and_document_and_prefers_those_that_stand_alone() -> None:
    drawn = {taken.sentence for seed in range(30) if (taken := cloze("d/heap", "heapq", HEAP, seed))}
    assert len(drawn) == 3
    assert not any(sentence.startswith("It is also") for sentence in drawn)
    assert len({cloze(f"d/{place}", "heapq", HEAP, 1) for place in range(30)}) == 3


def test_code_stays_in_the_rest_and_paragraphs_do_not_run_together() -> None:
    for seed in range(20):
        taken = cloze("d/heap", "heapq", HEAP, seed)
        assert taken is not None
        assert "\n\n>>> heappush(heap, 3)\n\n" in taken.rest


@pytest.mark.parametrize(
    "text",
    [
        "There is only this one sentence in the whole of the document.",
        "Short. Very short. All short. Nothing long. Not one.",
        ">>> one(two, three)\n4\n>>> five(six)\n7\n",
        "Bees dance to tell where the flowers are that they have found. " * 5,
        "",
    ],
)
def test_a_document_without_a_sentence_to_spare_gives_no_cloze(text: str) -> None:
    assert cloze("d/a", "A title", text, 13) is None


def test_a_sentence_that_shares_no_word_with_its_document_is_not_taken() -> None:
    text = "Quantum computers remain noisy devices today. " + " ".join(["Bees dance. Flowers smell."] * 6)
    assert cloze("d/a", None, text, 13) is None


def test_list_marks_and_link_targets_leave_the_query() -> None:
    text = "- Bees find [flowers](http://example.org/f) by their bright colours.\n" + "- Flowers call bees. \n" * 6
    taken = cloze("d/a", None, text, 13)
    assert taken is not None
    assert taken.sentence == "Bees find flowers by their bright colours."
    assert "example.org" not in taken.rest


@pytest.mark.parametrize(
    ("title", "query"),
    [
        ("json.decoder.JSONDecoder.raw_decode", "json decoder JSONDecoder raw_decode"),
        ("Handbook > Setup > Linux", "Handbook Setup Linux"),
        ("Handbook > Introduction > Handbook", "Handbook"),
        ("Super_Bowl_50", "Super Bowl 50"),
        ("MAX_PATH", "MAX_PATH"),
        ("## `useState` hook", "useState hook"),
        ("什么是光合作用", "什么是光合作用"),
        ("Acromegaly", "Acromegaly"),
        ("مقدمة في الجبر", "مقدمة في الجبر"),
        ("Introduction", None),
        ("README", None),
        ("概要", None),
        ("1.2.3", None),
        ("  ", None),
        ("😀", None),
        ("", None),
        (None, None),
    ],
)
def test_a_title_becomes_what_a_person_would_type(title: str | None, query: str | None) -> None:
    assert title_query(title) == query


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("Encode a string as base sixty four.", "Encode a string as base sixty four."),
        ("# Setup\n\nRun the installer and wait a minute.", "Run the installer and wait a minute."),
        ("Setup\n=====\nRun the installer and wait a minute.", "Run the installer and wait a minute."),
        ("Setup", None),
        ("Guide > Setup", None),
        ("Too short.", None),
    ],
)
def test_the_title_leaves_the_text_as_well(text: str, body: str | None) -> None:
    assert body_without_title("Guide > Setup", text) == body


@pytest.mark.parametrize(
    ("title", "text", "among"),
    [
        (None, HEAP, {"heap", "root", "element"}),
        ("xquad", "Die Dampfturbine besteht aus einem Rotor. Der Rotor der Dampfturbine dreht sich.", {"Dampfturbine"}),
        (None, "朗肯循环的效率受工作流体限制。朗肯循环的温度很高，涡轮机很大。涡轮机入口温度有限。", {"朗肯循环"}),
        (None, "النحل يجمع الرحيق من الأزهار. الرحيق يصبح عسلا. النحل يبني خلايا.", {"النحل", "الرحيق"}),
    ],
)
def test_a_keyword_query_holds_three_to_six_terms_of_the_document(
    title: str | None, text: str, among: set[str]
) -> None:
    query = keyphrase_query(title, text)
    assert query is not None
    terms = query.split()
    assert 3 <= len(terms) <= 6
    assert len(set(terms)) == len(terms)
    assert among & set(terms)
    assert all(term in f"{title} {text}" for term in terms)


@given(SENTENCES, st.one_of(st.none(), st.text(max_size=20)))
def test_keyword_queries_name_no_term_twice(parts: list[str], title: str | None) -> None:
    query = keyphrase_query(title, " ".join(parts))
    if query is not None:
        terms = query.casefold().split()
        assert 3 <= len(terms) <= 6
        assert len(set(terms)) == len(terms)


@pytest.mark.parametrize("text", ["", "the of and", "a b c", "1 2 3 4", ">>> a = b\n", "😀😀😀", "One two"])
def test_a_document_of_few_words_gives_no_keyword_query(text: str) -> None:
    assert keyphrase_query(None, text) is None


def test_a_derived_document_is_generated_unsearchable_and_points_to_its_original() -> None:
    original = document(HEAP, "heapq", lang="en", group="g", metadata="{}")
    for writer, name in (("extractive/title", "title"), ("extractive/inverse_cloze", "inverse_cloze")):
        found = extract(writer, original, 13)
        assert found is not None
        derived = found.derived
        assert derived is not None
        assert (derived.doc_id, derived.parent_id) == (f"d/a#{name}", "d/a")
        assert (derived.title, derived.position) == (None if name == "title" else "heapq", None)
        assert (derived.origin, derived.searchable, derived.lang, derived.group) == ("generated", False, "en", "g")
        assert derived.content_hash == content_hash(derived.title, derived.text, "text") != original.content_hash
        assert derived.text_hash == text_hash(derived.text, "text")
        assert (found.pair.doc_id, found.pair.label, found.pair.source) == (derived.doc_id, "positive", "generated")
        assert found.query.lineage is not None
        assert (found.query.lineage.writer, found.query.lineage.doc_ids) == (writer, ["d/a"])


def test_a_keyword_query_has_the_document_itself_as_its_positive() -> None:
    found = extract("extractive/keyphrase", document(HEAP), 13)
    assert found is not None
    assert found.derived is None
    assert (found.pair.doc_id, found.pair.source) == ("d/a", "seed")


def test_every_writer_has_ids_of_its_own_and_another_seed_another_cloze() -> None:
    original = document(HEAP, "heapq")
    found = [extract(writer, original, 13) for writer in EXTRACTORS]
    assert len({each.query.query_id for each in found if each}) == 3
    again = extract("extractive/inverse_cloze", original, 14)
    assert again is not None
    assert again.query.query_id not in {each.query.query_id for each in found if each}


@given(st.text(max_size=400), st.integers(1, 40))
def test_a_shortened_text_is_a_beginning_within_its_budget(text: str, tokens: int) -> None:
    short = shortened(text, tokens)
    if estimate_tokens(text) <= tokens:
        assert short == text
    else:
        assert text.startswith(short.removesuffix(" …"))
        assert estimate_tokens(short.removesuffix(" …")) <= tokens


def test_prose_is_told_from_code_and_from_what_leans_on_it() -> None:
    assert reads_as_prose("Returns the smallest element of the heap.")
    assert not reads_as_prose("x = foo(bar) and y[1] == z.w or q")
    assert not reads_as_prose("one two three four five six:")
    assert leans_on_others("It returns the smallest one.")
    assert leans_on_others("Some of these methods are slow.")
    assert not leans_on_others("Heaps are trees.")


def test_long_and_odd_texts_take_no_long_time() -> None:
    same = "Bees dance to tell where the flowers are that they have found.\n" * 5_000
    for text in (
        same,
        "." * 300_000,
        "a" * 300_000,
        "[" * 100_000,
        "[x](" * 50_000,
        "( " * 100_000,
        "- " * 100_000,
        "=" * 300_000,
    ):
        for writer in EXTRACTORS:
            extract(writer, document(text, "A title"), 13)
        assert estimate_tokens(shortened(text, 450).removesuffix(" …")) <= 450
