"""Near queries and near pairs: who goes, for whom, and what becomes of the positives; in blocks of any layout."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup_world import document
from oreline.filters.decided import DECISIONS
from oreline.filters.duplicates import Duplicates, PairDuplicates, QueryDuplicates
from oreline.filters.judged import JudgedQuery, Thinned, stays_first
from oreline.filters.sketches import banding, found_share, shingles, told
from oreline.filters.words import words
from oreline.ids import bucket_of
from oreline.job import Job, StageWriter
from oreline.minhash.grams import Sequences, Shape
from oreline.minhash.similarity import Floats, jaccard
from oreline.recipe.settings import Filter, Nearness
from oreline.records import Document, Pair, Query, QueryOrigin, Reject
from oreline.shuffle import Reference, gather
from query_world import DOCUMENTS, INPUTS, digests, pair, query, run_filter

from house import finish, recipe_for, rows_of

SURE = {"bands": 64, "rows": 1}
"""A banding that misses two queries of similarity 0.4 once in 10**14."""

LONG = " ".join(f"word{number}" for number in range(60))


def grouped(references: Iterable[Reference]) -> list[tuple[int, list[bytes]]]:
    found: dict[int, list[bytes]] = {}
    for key, reference in references:
        found.setdefault(key, []).append(reference)
    return sorted(found.items())


def thin(kind: Duplicates, blocks: Sequence[Sequence[JudgedQuery]]) -> tuple[list[Thinned], StageWriter]:
    """Runs the steps of one kind over blocks of queries, as the stage wires them."""
    prepared = grouped(reference for block in blocks for reference in kind.prepare(block))
    edges = grouped(reference for keyed in prepared for reference in kind.compare(keyed))
    references = [reference for keyed in edges for _, reference in kind.decide(keyed)]
    decisions = gather(references).get(DECISIONS)
    writer = StageWriter(kind.job)
    return [kind.apply(writer, block, decisions) for block in blocks], writer


def judged(queries: Sequence[Query], pairs: Sequence[Pair]) -> list[JudgedQuery]:
    return [JudgedQuery(each, tuple(own for own in pairs if own.query_id == each.query_id)) for each in queries]


def job_for(folder: Path, documents: Sequence[Document] = (), **filters: object) -> Job:
    recipe = recipe_for(folder, filter=filters)
    finish(recipe, "ingest", {"documents": documents or DOCUMENTS, "queries": [], "pairs": []})
    return Job(str(folder), "filter", recipe, INPUTS)


def dropped(folder: Path, queries: Sequence[Query], pairs: Sequence[Pair], **near: object) -> dict[str, str | None]:
    run_filter(recipe_for(folder, filter={"near_queries": near}), queries, pairs)
    return {each.row_id: each.by for each in rows_of(folder, "filter", "rejects", Reject)}


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        ("swim why do sharks", "Why do sharks swim?", True),
        ("symptoms of gout", "symptoms of acute gout", False),
        ("東京タワーの高さは何メートルですか", "東京タワーの高さは何メートルですか\uff1f", True),
        ("東京タワーの高さ", "高さの東京タワー", False),
        ("? !", "! ?", False),
        ("don't swim", "don t swim", False),
    ],
)
def test_near_queries_have_nearly_the_same_words(tmp_path: Path, one: str, other: str, *, near: bool) -> None:
    queries = [replace(query(name, text), lang="xx") for name, text in (("a", one), ("b", other))]
    recipe = recipe_for(tmp_path, filter={"rules": "none"})
    manifest = run_filter(recipe, queries, [pair("a", "one"), pair("b", "one")])
    assert manifest.drops == ({"duplicate_query": 1} if near else {})


def test_shingles_are_the_words_that_rules_count() -> None:
    texts = ["Why don't sharks swim", "東京タワー", "a b c", "?", "ab"]
    for ngram in (1, 2, 3):
        sets = shingles(texts, Shape(ngram))
        expected = [
            max(1, len({tuple(own[at : at + ngram]) for at in range(len(own) - ngram + 1)}))
            for own in map(words, texts)
        ]
        expected[3] = 0
        assert [len(sets[row]) for row in range(len(texts))] == expected


def test_a_query_shorter_than_an_n_gram_is_compared_as_a_whole(tmp_path: Path) -> None:
    queries = [query("a", "sharks swim"), query("b", "sharks, swim!"), query("c", "swim sharks")]
    pairs = [pair(name, "one") for name in "abc"]
    assert dropped(tmp_path, queries, pairs, ngram=3) == {"d/b": "d/a"}


def test_character_n_grams_find_what_words_do_not(tmp_path: Path) -> None:
    queries = [query("a", "how do hammerheads migrate"), query("b", "how do hammerhead migrate")]
    pairs = [pair(name, "one") for name in "ab"]
    assert dropped(tmp_path / "words", queries, pairs, threshold=0.7) == {}
    near = {"threshold": 0.7, "unit": "character", "ngram": 3}
    assert dropped(tmp_path / "characters", queries, pairs, **near) == {"d/b": "d/a"}


def test_near_queries_with_other_positives_or_none_stay(tmp_path: Path) -> None:
    queries = [query("a", "sharks swim why"), query("b", "why sharks swim"), query("c", "why swim sharks")]
    assert dropped(tmp_path, queries, [pair("a", "one"), pair("b", "two")]) == {}


def test_near_queries_of_other_splits_instructions_and_datasets_stay(tmp_path: Path) -> None:
    queries = [
        query("a", "sharks swim why"),
        query("b", "why sharks swim", split="test"),
        query("c", "why swim sharks", instruction="find"),
    ]
    assert dropped(tmp_path, queries, [pair(name, "one") for name in "abc"]) == {}


def test_queries_of_people_go_only_if_the_recipe_says_so(tmp_path: Path) -> None:
    people = [query("a", "sharks swim why", "human"), query("b", "why sharks swim", "human")]
    queries = [*people, query("0", "why swim sharks")]
    pairs = [pair("a", "one"), pair("b", "one"), pair("0", "one")]
    assert dropped(tmp_path / "stay", queries, pairs) == {"d/0": "d/a"}
    assert dropped(tmp_path / "go", queries, pairs, human=True) == {"d/0": "d/a", "d/b": "d/a"}


def test_the_longest_stays_if_the_recipe_says_so(tmp_path: Path) -> None:
    queries = [
        query("a", "why sharks swim"),
        query("b", "why sharks swim, why?"),
        query("z", "swim why sharks", "human"),
    ]
    pairs = [pair(name, "one") for name in "abz"]
    assert dropped(tmp_path / "origin", queries, pairs, keep="longest") == {"d/a": "d/z", "d/b": "d/z"}
    assert dropped(tmp_path / "longest", queries[:2], pairs[:2], keep="longest") == {"d/a": "d/b"}


def test_no_chain_of_small_changes_drops_an_unlike_query(tmp_path: Path) -> None:
    queries = [query("a", "one two three four"), query("b", "two three four five"), query("c", "three four five six")]
    pairs = [pair(name, "one") for name in "abc"]
    assert dropped(tmp_path, queries, pairs, threshold=0.6, **SURE) == {"d/b": "d/a"}


def near_world(positives: str, folder: Path) -> tuple[list[Pair], list[Reject], dict[str, int]]:
    queries = [query("a", "why sharks swim"), query("b", "sharks swim why"), query("c", "swifts in the air")]
    pairs = [pair("a", "one"), pair("b", "two"), pair("b", "one", "negative"), pair("c", "two")]
    recipe = recipe_for(folder, filter={"near_queries": {"positives": positives}})
    manifest = run_filter(recipe, queries, pairs)
    rejects = rows_of(folder, "filter", "rejects", Reject)
    return rows_of(folder, "filter", "pairs", Pair), rejects, manifest.counts


def test_the_positives_of_near_queries_are_united_if_the_recipe_says_so(tmp_path: Path) -> None:
    pairs, (reject,), counts = near_world("union", tmp_path)
    assert pairs == [pair("a", "one"), pair("a", "two"), pair("c", "two")]
    assert (reject.row_id, reject.by) == ("d/b", "d/a")
    assert counts["moved_pairs"] == 2


def test_the_positives_of_near_queries_become_partial_if_the_recipe_says_so(tmp_path: Path) -> None:
    pairs, (reject,), _ = near_world("partial", tmp_path)
    assert pairs == [pair("a", "one"), pair("a", "two", "partial"), pair("c", "two")]
    assert (reject.row_id, reject.by) == ("d/b", "d/a")


def world(texts: Sequence[str]) -> list[Document]:
    return [document(f"{place}", text) for place, text in enumerate(texts)]


def near_pairs(
    folder: Path, queries: Sequence[Query], pairs: Sequence[Pair], texts: Sequence[str], **near: object
) -> None:
    recipe = recipe_for(folder, filter={"duplicates": "keep", "near_pairs": near})
    run_filter(recipe, queries, pairs, documents=world(texts))


def test_a_pair_goes_if_its_query_and_its_positive_are_near(tmp_path: Path) -> None:
    queries = [query("a", "why sharks swim"), query("b", "sharks swim why"), query("c", "sharks sleep")]
    pairs = [pair("a", "0"), pair("b", "1"), pair("b", "2"), pair("c", "1")]
    near_pairs(tmp_path, queries, pairs, [LONG, LONG.upper(), "other"])
    (reject,) = rows_of(tmp_path, "filter", "rejects", Reject)
    assert (reject.row_id, reject.table, reject.reason, reject.by) == ("d/b", "pairs", "duplicate_pair", "d/a")
    assert reject.detail == (
        "d/1: Jaccard similarity 1.000 of word 1-grams with d/a for d/0; cluster of 2 pairs kept as d/a"
    )
    expected = [
        pair("a", "0"),
        pair("a", "1", "partial"),
        pair("b", "1", "partial"),
        pair("b", "2"),
        pair("c", "1"),
    ]
    assert rows_of(tmp_path, "filter", "pairs", Pair) == expected


def test_a_query_that_loses_all_its_pairs_goes(tmp_path: Path) -> None:
    queries = [query("a", "why sharks swim"), query("b", "sharks swim why")]
    near_pairs(tmp_path, queries, [pair("a", "0"), pair("b", "1")], [LONG, LONG.upper()])
    (reject,) = rows_of(tmp_path, "filter", "rejects", Reject)
    assert (reject.row_id, reject.table, reject.reason, reject.by) == ("d/b", "queries", "duplicate_pair", "d/a")
    assert rows_of(tmp_path, "filter", "pairs", Pair) == [pair("a", "0"), pair("a", "1", "partial")]


def test_a_pair_that_goes_gives_the_query_that_stays_no_negative(tmp_path: Path) -> None:
    queries = [query("a", "why sharks swim"), query("b", "sharks swim why")]
    pairs = [pair("a", "0"), pair("a", "1", "negative"), pair("b", "1")]
    recipe = recipe_for(tmp_path, filter={"near_pairs": {}, "caps": {"per_document": 5}})
    run_filter(recipe, queries, pairs, documents=world([LONG, LONG.upper()]))
    assert rows_of(tmp_path, "filter", "pairs", Pair) == [pair("a", "0"), pair("a", "1", "partial")]


def test_the_judgements_of_a_test_set_stay_as_they_are(tmp_path: Path) -> None:
    queries = [query("a", "why sharks swim", split="test"), query("b", "sharks swim why", split="test")]
    near_pairs(tmp_path, queries, [pair("a", "0"), pair("b", "1")], [LONG, LONG.upper()], human=True)
    assert rows_of(tmp_path, "filter", "rejects", Reject) == []


def test_of_two_equal_positives_of_one_query_one_stays(tmp_path: Path) -> None:
    near_pairs(tmp_path, [query("a", "why sharks swim")], [pair("a", "1"), pair("a", "0")], [LONG, LONG.upper()])
    assert rows_of(tmp_path, "filter", "pairs", Pair) == [pair("a", "0"), pair("a", "1", "partial")]


@pytest.mark.parametrize(("documents", "goes"), [(1.0, False), (0.9, True), (0.95, False)])
def test_positives_may_be_near_instead_of_equal(tmp_path: Path, documents: float, *, goes: bool) -> None:
    queries = [query("a", "why sharks swim"), query("b", "sharks swim why")]
    texts = [LONG, LONG + " and so on"]  # 56 of 59 n-grams
    near_pairs(tmp_path, queries, [pair("a", "0"), pair("b", "1")], texts, documents=documents)
    assert len(rows_of(tmp_path, "filter", "rejects", Reject)) == goes


SIGNS = "abcdef"
drawn_queries = st.lists(
    st.tuples(
        st.lists(st.sampled_from(SIGNS), min_size=1, max_size=5),
        st.sampled_from(["human", "synthetic", "extractive"]),
        st.sampled_from([("one",), ("two",), ("one", "two"), ()]),
        st.sampled_from(["train", "test"]),
    ),
    max_size=12,
)
Drawn = list[tuple[list[str], QueryOrigin, tuple[str, ...], str]]


def drawn_world(drawn: Drawn) -> list[JudgedQuery]:
    queries = [query(f"{n:02}", " ".join(own), origin, split=split) for n, (own, origin, _, split) in enumerate(drawn)]
    pairs = [pair(f"{n:02}", doc) for n, (_, _, docs, _) in enumerate(drawn) for doc in docs]
    return judged(queries, pairs)


def jaccard_of(one: JudgedQuery, other: JudgedQuery) -> float:
    left, right = set(words(one.query.query)), set(words(other.query.query))
    return len(left & right) / len(left | right)


@settings(max_examples=30, deadline=None)
@given(
    drawn_queries,
    st.sampled_from([0.5, 0.75, 1.0]),
    st.sampled_from(["same", "union"]),
    st.booleans(),
    st.integers(1, 12),
)
def test_those_that_stay_are_the_ones_of_a_scan_over_all_queries(
    drawn: Drawn,
    threshold: float,
    positives: str,
    human: bool,  # noqa: FBT001 - drawn by hypothesis
    size: int,
) -> None:
    queries = drawn_world(drawn)
    staying: list[JudgedQuery] = []
    expected: dict[str, str] = {}
    for each in sorted(queries, key=lambda own: stays_first(own.query)):
        if positives == "same" and not each.positives:
            continue
        near = [
            other
            for other in staying
            if other.query.split == each.query.split
            and (positives == "union" or other.positives == each.positives)
            and jaccard_of(each, other) >= threshold
        ]
        if near and (human or each.query.origin != "human"):
            best = max(near, key=lambda other: (jaccard_of(each, other), -staying.index(other)))
            expected[each.query.query_id] = best.query.query_id
        else:
            staying.append(each)
    with TemporaryDirectory() as folder:
        near_settings = {"threshold": threshold, "positives": positives, "human": human, **SURE}
        kind = QueryDuplicates(job_for(Path(folder), near_queries=near_settings))
        blocks = [queries[start : start + size] for start in range(0, len(queries), size)]
        thinned, writer = thin(kind, blocks)
        kept = {each.query.query_id for block in thinned for each in block.kept}
        assert kept == {each.query.query_id for each in queries} - expected.keys()
        moved = {(each.query_id, each.doc_id) for block in thinned for each in block.moved}
        united = {
            (expected[each.query.query_id], doc)
            for each in queries
            if each.query.query_id in expected
            for doc in each.positives
        }
        assert moved == (united if positives == "union" else set())
        assert writer.close().books.dropped.count == len(expected)


@settings(max_examples=25, deadline=None)
@given(drawn_queries, st.integers(1, 12))
def test_pairs_are_kept_withdrawn_or_dropped_once_in_blocks_of_any_size(drawn: Drawn, size: int) -> None:
    queries = drawn_world(drawn)
    with TemporaryDirectory() as folder:
        near = {"threshold": 0.6, "human": True, **SURE}
        job = job_for(Path(folder), near_pairs=near)
        blocks = [queries[start : start + size] for start in range(0, len(queries), size)]
        thinned, writer = thin(PairDuplicates(job), blocks)
        (whole,), _ = thin(PairDuplicates(job), [queries])
        kept = [each for block in thinned for each in block.kept]
        assert sorted(kept, key=repr) == sorted(whole.kept, key=repr)
        report = writer.close()
        pairs = sum(len(each.pairs) for each in queries)
        assert sum(len(each.pairs) for each in kept) + report.counts.get("dropped_pairs", 0) == pairs
        positives = [(each, doc) for each in kept for doc in each.positives]
        for place, (one, doc) in enumerate(positives):
            for other, other_doc in positives[place + 1 :]:
                near_queries = {one.query.split, other.query.split} == {"train"} and jaccard_of(one, other) >= 0.6
                assert not (near_queries and doc == other_doc)


def test_thousands_of_alike_queries_are_no_burden(tmp_path: Path) -> None:
    queries = [query(f"{number:05}", "why do sharks swim" + "?" * number) for number in range(3_000)]
    block = judged(queries, [])
    pairs = [JudgedQuery(each.query, (Pair(each.query.query_id, "d/one", "positive", "seed"),)) for each in block]
    (thinned,), writer = thin(QueryDuplicates(job_for(tmp_path)), [pairs])
    assert [each.query.query_id for each in thinned.kept] == ["d/00000"]
    assert writer.close().books.dropped.count == 2_999


def test_a_query_of_thousands_of_positives_is_no_burden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = tuple(Pair("d/q", f"d/{number:05}", "positive", "class") for number in range(3_000))
    compared: list[int] = []

    def counting(one: Sequences, other: Sequences) -> Floats:
        compared.append(len(one))
        return jaccard(one, other)

    monkeypatch.setattr("oreline.filters.comparing.jaccard", counting)
    (thinned,), _ = thin(PairDuplicates(job_for(tmp_path)), [[JudgedQuery(query("q", "about fish"), pairs)]])
    assert len(thinned.kept[0].positives) == 3_000
    assert sum(compared) < 3_000


def test_results_depend_on_no_order_workers_or_repeated_bundles(tmp_path: Path) -> None:
    texts = [LONG, LONG.upper(), "other"]
    queries = [query(f"{n:03}", f"shark {n % 40} swims {('fast', 'slow', 'fast fast')[n % 3]}") for n in range(120)]
    pairs = [pair(f"{n:03}", f"{(n // 7) % 3}") for n in range(120)]
    pairs += [pair(f"{n:03}", f"{(n // 7 + 1) % 3}") for n in range(0, 120, 2)]
    near = {"near_queries": {"positives": "union"}, "near_pairs": {"threshold": 0.7}, "caps": {"per_document": 20}}
    made = []
    for name, turned, workers, options in (
        ("one", False, 1, ()),
        ("turned", True, 1, ("--direct_runner_bundle_repeat=1",)),
        ("two", True, 2, ()),
    ):
        recipe = recipe_for(tmp_path / name, filter=near, beam={"workers": workers})
        step = -1 if turned else 1
        made.append(run_filter(recipe, queries[::step], pairs[::step], *options, documents=world(texts)[::step]))
    assert min(made[0].drops[reason] for reason in ("duplicate_query", "duplicate_pair", "over_document_cap")) > 0
    assert digests(made[0]) == digests(made[1]) == digests(made[2])
    assert made[0].books == made[1].books == made[2].books


@pytest.mark.parametrize("kind", [QueryDuplicates, PairDuplicates])
def test_each_range_of_queries_gets_the_decisions_about_its_own(
    kind: type[Duplicates], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries = [query(f"{number:02}", f"{'fish' if number % 2 else 'birds'} swim fast") for number in range(40)]
    block = [
        JudgedQuery(each, (Pair(each.query_id, f"d/{number % 2}", "positive", "seed"),))
        for number, each in enumerate(queries)
    ]
    job = job_for(tmp_path, near_pairs={"threshold": 0.7})
    finish(job.recipe, "ingest", {"documents": DOCUMENTS, "queries": queries, "pairs": []})
    monkeypatch.setattr("oreline.filters.decided._QUERIES_OF_A_RANGE", 5)
    thinner = kind(job)
    edges = grouped(each for keyed in grouped(thinner.prepare(block)) for each in thinner.compare(keyed))
    decided = grouped(reference for keyed in edges for reference in thinner.decide(keyed))
    assert len(decided) > 4
    told = [(key, row) for key, found in decided for row in gather(found)[DECISIONS].column("row").to_pylist()]
    assert len(told) == 38
    assert all(key == bucket_of(thinner.query_at(row), 9) for key, row in told)


def test_results_do_not_depend_on_the_number_of_ranges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    queries = [query(f"{n:03}", f"shark {n % 40} swims {('fast', 'slow', 'fast fast')[n % 3]}") for n in range(120)]
    pairs = [pair(f"{n:03}", f"{(n // 7) % 3}") for n in range(120)]
    near = {"near_queries": {"positives": "union"}, "near_pairs": {"threshold": 0.7}, "caps": {"per_document": 20}}
    documents = world([LONG, LONG.upper(), "other"])
    one = run_filter(recipe_for(tmp_path / "one", filter=near), queries, pairs, documents=documents)
    monkeypatch.setattr("oreline.filters.decided._QUERIES_OF_A_RANGE", 10)
    many = run_filter(recipe_for(tmp_path / "many", filter=near), queries, pairs, documents=documents)
    assert one.drops == many.drops
    assert min(one.drops[reason] for reason in ("duplicate_query", "duplicate_pair", "over_document_cap")) > 0
    assert digests(one) == digests(many)


def test_a_banding_that_finds_little_is_warned_about() -> None:
    assert list(told(Filter())) == []
    weak = {"threshold": 0.8, "bands": 4, "rows": 6}
    (warning,) = told(Filter.model_validate({"duplicates": "keep", "near_queries": weak, "near_pairs": weak}))
    assert warning == (
        "filter: warning: 4 bands of 6 rows find only 70% of the queries at filter.near_pairs.threshold 0.8; "
        "more bands of fewer rows find more"
    )


def test_bands_and_rows_may_be_chosen_from_the_threshold() -> None:
    for threshold in (0.3, 0.5, 0.8, 0.95, 1.0):
        settings = Nearness(threshold=threshold, bands=None, rows=None)
        bands, rows = banding(settings)
        assert bands * rows <= 64
        assert found_share(settings) > 0.9
