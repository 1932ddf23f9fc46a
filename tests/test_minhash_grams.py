"""N-grams, normal forms and signatures by the block: equal to what Python's own strings and datasketch say."""

import shutil
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from datasketch import MinHash
from hypothesis import example, given, settings
from hypothesis import strategies as st

import oreline
from oreline.minhash.forms import forms_of
from oreline.minhash.grams import Sequences, Shape, Unit, grams, shingle_sets, shingles_of, units
from oreline.minhash.permutations import Permutations, agreement, band_hashes
from oreline.minhash.words import words_of
from oreline.normalise import normalise_text
from oreline.records import Content

TEXTS = st.text(st.sampled_from("aB9 _-\n\t\x1f.,é\u0301ß東ไท𠀀\u2028Ⅷﬁ"), max_size=24)
CONTENTS = st.sampled_from(["text", "code"])


def characters_of(text: str, content: Content) -> list[str]:
    return list(" ".join(words_of(None, text, content)))


def tuples(parts: list[str], ngram: int) -> list[tuple[str, ...]]:
    return [tuple(parts[place : place + ngram]) for place in range(len(parts) - ngram + 1)]


def sequences(rows: list[list[int]]) -> Sequences:
    starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    return Sequences(np.array([value for row in rows for value in row], np.uint32), starts)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(TEXTS, st.none() | TEXTS), min_size=1, max_size=6), CONTENTS, st.integers(1, 3))
@example([("...", "Title"), ("", None), ("!?", "!")], "text", 1)
def test_word_ngrams_are_equal_where_the_words_of_the_normal_form_are(
    rows: list[tuple[str, str | None]], content: Content, ngram: int
) -> None:
    texts, titles = pa.array([row[0] for row in rows]), pa.array([row[1] for row in rows], pa.string())
    found = grams(forms_of(texts, content, titles), Shape(ngram))
    expected = [gram for text, title in rows for gram in tuples(words_of(title, text, content), ngram)]
    assert len(found.values) == len(expected)
    by_gram = dict(zip(expected, found.values.tolist(), strict=True))
    assert [by_gram[gram] for gram in expected] == found.values.tolist()
    assert len(set(by_gram.values())) == len(by_gram)


@settings(max_examples=200, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=5), CONTENTS, st.integers(1, 3))
def test_character_ngrams_are_equal_where_the_characters_of_the_normal_form_are(
    texts: list[str], content: Content, ngram: int
) -> None:
    found = grams(forms_of(pa.array(texts), content), Shape(ngram, "character"))
    expected = [gram for text in texts for gram in tuples(characters_of(text, content), ngram)]
    by_gram = dict(zip(expected, found.values.tolist(), strict=True))
    assert [by_gram[gram] for gram in expected] == found.values.tolist()
    assert len(set(by_gram.values())) == len(by_gram)


@settings(max_examples=200, deadline=None)
@given(TEXTS, CONTENTS)
def test_words_are_those_of_the_normal_form(text: str, content: Content) -> None:
    normal = normalise_text(text, content)
    assert "".join(words_of(None, text, content)) == "".join(normal.split())


def test_words_end_where_a_script_has_no_spaces() -> None:
    assert words_of(None, "東京は大きいcity", "text") == ["東", "京", "は", "大", "き", "い", "city"]
    assert words_of("The Title", "Don't  STOP,\tnow!", "text") == ["the", "title", "don", "t", "stop", "now"]
    assert words_of(None, "Set -e;\n  echo $A", "code") == ["Set", "-e;", "echo", "$A"]


def test_a_sliced_or_chunked_column_gives_the_rows_that_it_shows() -> None:
    column = pa.array(["zero one", "two three é", None, "four five"])
    whole = shingles_of(column, "text", Shape(2))
    chunked = pa.chunked_array([column.slice(0, 1), column.slice(1)])
    assert shingles_of(chunked, "text", Shape(2)).values.tolist() == whole.values.tolist()
    sliced = shingles_of(column.slice(1), "text", Shape(2), column.slice(0, 3))
    assert len(sliced) == 3
    assert sliced[1].tolist() == whole[1].tolist()
    assert sliced[2].tolist() == shingles_of(pa.array(["four five"]), "text", Shape(2))[0].tolist()
    assert len(shingles_of(pa.array([], pa.string()), "text", Shape(2))) == 0


def test_half_a_surrogate_pair_is_compared_and_breaks_nothing() -> None:
    halves = pa.array([each.encode("utf-8", "surrogatepass") for each in ("a \ud800 b", "a \ud801 b", "a b")])
    found = shingles_of(halves, "code", Shape(3))
    assert np.diff(found.starts).tolist() == [1, 1, 0]
    assert found[0].tolist() != found[1].tolist()
    # In text it is no letter.
    assert shingles_of(halves, "text", Shape(2)).values.tolist() == [shingles_of(halves, "text", Shape(2))[2][0]] * 3


def test_threads_that_meet_new_characters_agree_with_one_alone() -> None:
    columns = [
        pa.array([f"{chr(code)} é{chr(code + 1)} x y" for code in range(first, first + 300)])
        for first in range(0x400, 0x700, 100)
    ]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda column: shingles_of(column, "text", Shape(2)).values.tolist(), columns * 4))
    alone = [shingles_of(column, "text", Shape(2)).values.tolist() for column in columns]
    assert together == alone * 4


def test_a_text_shorter_than_a_shingle_has_none() -> None:
    found = shingles_of(pa.array(["one two three four", "one two three four five"]), "text", Shape(5))
    assert np.diff(found.starts).tolist() == [0, 1]


def test_sets_are_sorted_and_distinct_and_rows_can_be_taken() -> None:
    found = shingle_sets(sequences([[5, 3, 5], [], [9, 9]]))
    assert [found[row].tolist() for row in range(3)] == [[3, 5], [], [9]]
    taken = found.take(np.array([2, 0, 1]))
    assert [taken[row].tolist() for row in range(3)] == [[9], [3, 5], []]


@pytest.mark.parametrize("unit", ["word", "character"])
def test_units_are_what_an_edit_counts_in(unit: Unit) -> None:
    one, other = units(forms_of(pa.array(["a bc d", "A, bc e"]), "text"), unit), ["a bc d", "a bc e"]
    lengths = [len(each.split()) if unit == "word" else len(each) for each in other]
    assert np.diff(one.starts).tolist() == lengths
    assert (one[0] == one[1]).tolist() == [True] * (lengths[0] - 1) + [False]


@pytest.mark.parametrize(("number", "seed"), [(1, 1), (112, 1), (128, 13), (257, 2**32 - 1)])
def test_signatures_are_datasketchs_bit_for_bit(number: int, seed: int) -> None:
    draw = np.random.default_rng(number)
    rows = [draw.integers(0, 2**32, size, dtype=np.uint32).tolist() for size in draw.integers(1, 60, 1_000)]
    rows += [[0], [2**32 - 1], [0, 2**32 - 1, 1]]
    found = Permutations.drawn(number, seed).signatures(sequences(rows))
    minhash = MinHash(num_perm=number, seed=seed, hashfunc=int, scheme="affine32")
    for row, own in zip(rows, found, strict=True):
        minhash.clear()
        minhash.update_batch(row)
        assert (minhash.hashvalues == own).all()


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8, 0.95])
def test_signatures_agree_as_often_as_the_sets_overlap(share: float) -> None:
    numbers = np.arange(4_000, dtype=np.uint32) * np.uint32(2_654_435)
    common = round(2 * share / (1 + share) * 2_000)
    one, other = numbers[:2_000], np.concatenate([numbers[:common], numbers[2_000 : 4_000 - common]])
    found = Permutations.drawn(1024, 1).signatures(sequences([one.tolist(), other.tolist()]))
    assert abs(float(agreement(found[:1], found[1:])[0]) - share) < 0.06


def test_texts_share_a_bucket_if_scope_and_all_rows_of_the_band_agree() -> None:
    values = np.array([[1, 2, 3, 4], [1, 2, 3, 5], [1, 2, 3, 4], [7, 7, 7, 7]], np.uint32)
    found = band_hashes(values, np.array([1, 1, 2, 1], np.uint64), bands=2, rows=2)
    assert found[0, 0] == found[1, 0]
    assert found[0, 1] != found[1, 1]
    assert not set(found[0]) & set(found[2])
    assert found[3, 0] != found[3, 1]


def test_kernels_compile_where_no_cache_can_be_written(tmp_path: Path) -> None:
    package = tmp_path / "site" / "oreline"
    shutil.copytree(Path(oreline.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in [each for each in (package, *package.rglob("*")) if each.is_dir()]:
        folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    program = (
        "import numba.core.caching as caching\n"
        "caching.CacheImpl._locator_classes = []\n"  # as root, no folder is read-only
        "import pyarrow as pa\n"
        "from oreline.minhash.grams import Sequences\n"
        "from oreline.minhash.permutations import Permutations\n"
        "import numpy as np\n"
        "rows = Sequences(np.array([3], np.uint32), np.array([0, 1], np.int64))\n"
        "print(Permutations.drawn(4, 1).signatures(rows).shape)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(tmp_path / "site"), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stdout == "(1, 4)\n", ended.stderr
