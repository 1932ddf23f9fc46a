"""BM25 over shards: equal to a plain computation bit for bit however it is cut, and to bm25s within rounding."""

import math
import tempfile
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from random import Random

import bm25s
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oreline.recipe.settings import Bm25
from oreline.search import bm25
from oreline.search.hits import Hits
from oreline.search.postings import read_postings, statistics, write_postings
from oreline.search.scores import all_scores
from oreline.search.shards import Pairs, Shard
from oreline.search.terms import terms_of, words_of

METHODS = ("lucene", "robertson", "atire")
TEXTS = st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=9).map(" ".join), min_size=1, max_size=25)


def vectors(rows: int) -> np.ndarray:
    return np.random.default_rng(rows).normal(size=(rows, 4)).astype(np.float16)


def search(  # noqa: PLR0917 - a world and how it is cut
    documents: list[str], queries: list[str], setting: Bm25, k: int, edges: list[int], out: set[tuple[int, int]]
) -> Hits:
    """Searches documents that are cut into shards at `edges`, every shard in two parts; `out` are pairs left out."""
    everything = vectors(len(documents))
    asking = bm25.asking(*terms_of(queries), vectors(len(queries)))
    bounds = [0, *sorted({edge % (len(documents) + 1) for edge in edges}), len(documents)]
    with tempfile.TemporaryDirectory() as folder:
        shards = [(f"{folder}/{first}-{last}.parquet", first, last) for first, last in pairwise(bounds)]
        for path, first, last in shards:
            write_postings(path, *terms_of(documents[first:last]))

        def parts() -> Iterator[bm25.Part]:
            for path, first, last in shards[::-1]:
                postings = read_postings(path, asking.unique)
                for start, stop in pairwise([first, (first + last) // 2, last]):
                    pairs = sorted((query, row - start) for query, row in out if start <= row < stop)
                    left = np.array(pairs[::-1], np.int64).reshape(-1, 2)
                    order = np.arange(start, stop)
                    shard = Shard(everything[start:stop], order, (Pairs(left[:, 0], left[:, 1]),))
                    yield bm25.Part(shard, start - first, postings)

        known = statistics([path for path, _, _ in shards], asking.unique)
        return bm25.search(asking, parts(), known, setting, k)


def plain_scores(documents: list[str], query: str, setting: Bm25) -> list[float]:
    """Scores by the formulas of the paper, adding up a query's terms in ascending order of their numbers."""
    held = [Counter(words_of(text)) for text in documents]
    mean = sum(each.total() for each in held) / len(held) or 1.0
    scores = [0.0] * len(documents)
    number = {word: terms_of([word])[0][0][0].as_py() for word in words_of(query)}
    for word in sorted(number, key=lambda each: number[each]):
        holding = sum(word in each for each in held)
        if not holding:
            continue
        odds = (len(held) - holding + 0.5) / (holding + 0.5)
        weight = {
            "lucene": math.log(1 + odds),
            "robertson": math.log(max(1.0, odds)),
            "atire": math.log(len(held) / holding),
        }[setting.method]
        for place, each in enumerate(held):
            if word in each:
                length = 1.0 - setting.b + setting.b * (each.total() / mean)
                saturated = each[word] / (each[word] + setting.k1 * length)
                saturated *= setting.k1 + 1.0 if setting.method == "atire" else 1.0
                scores[place] += words_of(query).count(word) * (weight * saturated)
    return scores


@settings(max_examples=60, deadline=None)
@given(
    documents=TEXTS,
    queries=TEXTS.map(lambda texts: texts[:4]),
    method=st.sampled_from(METHODS),
    k=st.integers(1, 30),
    edges=st.lists(st.integers(0, 25), max_size=4),
    drawn=st.randoms(use_true_random=False),
)
def test_equals_a_plain_computation_bit_for_bit_however_the_corpus_is_cut(  # noqa: PLR0917 - hypothesis names them
    documents: list[str], queries: list[str], method: str, k: int, edges: list[int], drawn: Random
) -> None:
    setting = Bm25.model_validate(
        {"method": method, "k1": drawn.choice([0.0, 0.9, 1.5]), "b": drawn.choice([0.0, 0.75])}
    )
    places = [(query, row) for query in range(len(queries)) for row in range(len(documents))]
    out = {pair for pair in places if drawn.random() < 0.2}
    found = search(documents, queries, setting, k, edges, out)
    dots = all_scores(vectors(len(queries)), vectors(len(documents)))
    expected = []
    for query, text in enumerate(queries):
        scores = plain_scores(documents, text, setting)
        line = sorted(range(len(documents)), key=lambda row: (-scores[row], row))
        open_ = [row for row in line if scores[row] > 0 and (query, row) not in out][:k]
        expected += [(query, row, scores[row], dots[query, row]) for row in open_]
    ranked = found.ranked
    columns = (ranked.queries, ranked.order, ranked.scores, found.reference)
    assert list(zip(*(each.tolist() for each in columns), strict=True)) == expected


@pytest.mark.parametrize("method", METHODS)
def test_scores_are_those_of_bm25s(method: str) -> None:
    rng = np.random.default_rng(7)
    words = np.array([f"w{number}" for number in range(300)])
    documents = [" ".join(words[rng.zipf(1.3, rng.integers(1, 60)) % 300]) for _ in range(400)]
    queries = [" ".join(rng.choice(words, 5)) for _ in range(30)]
    setting = Bm25.model_validate({"method": method})
    found = search(documents, queries, setting, 400, [37, 210], set())
    index = bm25s.BM25(method=method, k1=setting.k1, b=setting.b, dtype="float64")
    index.index([words_of(text) for text in documents], show_progress=False)
    for query, text in enumerate(queries):
        theirs = index.get_scores(words_of(text))
        ours = np.zeros(len(documents))
        for row, score in found.ranked.of(query):
            ours[row] = score
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't use `os.path_join`!", ["don", "t", "use", "os", "path", "join"]),
        ("\uff21\uff22\uff23 Straße", ["abc", "strasse"]),
        ("東京都 3区", ["東京", "京都", "3", "区"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("BM25は強い", ["bm25", "は強", "強い"]),
        ("", []),
    ],
)
def test_words_are_those_of_the_normal_form_in_any_script(text: str, words: list[str]) -> None:
    assert words_of(text) == words


def test_a_term_has_the_same_number_in_every_run() -> None:
    terms, counts = terms_of(["gate gate open"])
    assert (terms.to_pylist(), counts.to_pylist()) == ([[-4553011818319299902, -583020166314364642]], [[2, 1]])


def test_a_corpus_without_a_word_is_searched_in_vain(tmp_path: Path) -> None:
    path = str(tmp_path / "shard.parquet")
    write_postings(path, *terms_of(["", " "]))
    asking = bm25.asking(*terms_of(["word"]), vectors(1))
    known = statistics([path], asking.unique)
    assert (known.documents, known.words, known.holding.tolist()) == (2, 0, [0])
    shard = Shard(vectors(2), np.arange(2), (Pairs(np.empty(0, np.int64), np.empty(0, np.int64)),))
    part = bm25.Part(shard, 0, read_postings(path, asking.unique))
    assert len(bm25.search(asking, [part], known, Bm25(), 5).reference) == 0
