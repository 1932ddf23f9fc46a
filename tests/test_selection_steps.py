"""Picks, relabelling, gates and shortages of selection: each decision where another one would be as easy to make."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from oreline.recipe.settings import Mine, Relabel, RoundTrip, Select
from oreline.records import Candidate, Hit, Judgement, Lineage, Pair, PoolEntry, Query, QueryOrigin, Scored
from oreline.selection.cases import Case, Passage, Rules
from oreline.selection.gates import passes_round_trip, rank_among, searched_datasets
from oreline.selection.mined import mined_rows
from oreline.selection.near_equal import NearEqual
from oreline.selection.picks import Negative, pick_from
from oreline.selection.positives import Positive
from oreline.selection.relabelling import Policy, relabel
from oreline.selection.rows import Selected, select_row
from oreline.selection.verdicts import Verdict, verdicts_of
from oreline.tables.schema import to_arrow

GRADES: Mapping[int, str] = {3: "relevant", 2: "relevant", 1: "partly_relevant", 0: "irrelevant"}


def passage(name: str, dataset: str = "d", *, searchable: bool = True) -> Passage:
    return Passage(name, dataset, f"content of {name}", f"text of {name}", searchable=searchable)


def negative(name: str, score: float, fused: float) -> Negative:
    return Negative(passage(name), score, "dense", 1, Verdict("irrelevant", 0.0, fused))


def positive(name: str, score: float, rank: int | None) -> Positive:
    return Positive(passage(name), "human", score=score, rank=rank)


def case(
    grades: Mapping[str, int] | None,
    pool: Mapping[str, float],
    labels: Mapping[str, str],
    *,
    scores: Mapping[str, float] | None = None,
    origin: QueryOrigin = "synthetic",
    spare: Sequence[str] = (),
) -> Case:
    """Returns a query with labelled documents (score .9 unless given), a pool by score, and a judge's grades."""
    hits = [name for name in sorted(pool, key=lambda name: -pool[name]) if name not in spare]
    entries = [PoolEntry(name, pool[name], [Hit("dense", rank, pool[name])]) for rank, name in enumerate(hits, start=1)]
    entries += [PoolEntry(name, pool[name], []) for name in spare]
    known = scores or {}
    scored = {name: Scored(name, 1, known.get(name, 0.9)) for name in labels}
    row = Candidate(
        "q",
        [scored[name] for name, label in labels.items() if label == "positive"],
        [scored[name] for name, label in labels.items() if label == "negative"],
        entries,
    )
    (candidate,) = mined_rows(to_arrow(Candidate, [row]))
    judged = None
    if grades is not None:
        judged = tuple(Judgement("q", name, "listwise", float(grade), GRADES[grade]) for name, grade in grades.items())
    pairs = tuple(Pair("q", name, label, "human") for name, label in labels.items())  # type: ignore[arg-type]  # labels
    passages = {name: passage(name) for name in {*pool, *labels}}
    return Case(Query("q", "d", "a question", "hash", origin=origin), pairs, (), candidate, judged, passages)


def selected(given: Case, mine: Mine | None = None, **select: object) -> Selected:
    settings = Select.model_validate({"near_equal": None, "ceiling": "none", "pick": "hardest", **select})
    rules = Rules(settings, mine or Mine(top_k=10, spare=0, ceiling="none"), ("listwise",), 13)
    return select_row(given, rules, NearEqual(None))


def positives_of(found: Selected) -> list[str]:
    assert found.triple is not None, found.reject
    return [each.doc_id for each in found.triple.positives]


def negatives_of(found: Selected) -> list[str]:
    assert found.triple is not None, found.reject
    return [each.doc_id for each in found.triple.negatives]


def relabelled(policy: Policy, given: Case) -> list[str]:
    verdicts = verdicts_of(given.judgements or (), ("listwise",))
    assert given.candidate is not None
    scores = {each.doc_id: each.score for each in given.candidate.positives}
    labelled = [
        Positive(given.passages[name], "human", score=score, rank=1, verdict=verdicts.get(name))
        for name, score in scores.items()
    ]
    rules = Rules(Select(), Mine(), ("listwise",), 13)
    return [each.doc_id for each in relabel(policy, given, labelled, verdicts, rules).positives]


def test_lowest_ranked_takes_the_lowest_fused_score_then_the_lowest_reference_score_then_the_id() -> None:
    window = [
        negative("high", 0.9, 0.03),
        negative("close", 0.8, 0.01),
        negative("far-b", 0.2, 0.01),
        negative("far-a", 0.2, 0.01),
        negative("middle", 0.1, 0.02),
    ]
    picked = pick_from(window, "lowest_ranked", 4, 13, "q")
    assert [each.passage.doc_id for each in picked] == ["far-a", "far-b", "close", "middle"]


def test_random_draws_depend_on_seed_and_query_and_stand_in_the_window_s_order() -> None:
    window = [negative(f"d{place}", 0.9 - place / 10, 0.01) for place in range(8)]
    places = {
        (seed, query): [window.index(each) for each in pick_from(window, "random", 3, seed, query)]
        for seed in (1, 2)
        for query in ("q", "r")
    }
    assert all(found == sorted(found) for found in places.values())
    assert len({tuple(found) for found in places.values()}) > 1


@pytest.mark.parametrize("policy", ["best", "add"])
def test_a_known_negative_that_a_judge_finds_relevant_is_neither_a_positive_nor_a_negative(policy: str) -> None:
    given = case(
        {"own": 2, "known": 3, "other": 0}, {"known": 0.8, "other": 0.7}, {"own": "positive", "known": "negative"}
    )
    assert "known" not in relabelled("best" if policy == "best" else "add", given)
    found = selected(given, relabel={"synthetic": policy}, negatives=2)
    assert (positives_of(found), negatives_of(found)) == (["own"], ["other"])
    assert found.counts["known_excluded_judged_relevant"] == 1


def test_best_makes_the_best_judged_document_the_only_positive_and_the_label_no_negative() -> None:
    pool = {"better": 0.8, "other": 0.7, "own": 0.6}
    given = case({"own": 0, "better": 3, "other": 0}, pool, {"own": "positive"})
    found = selected(given, negatives=3)
    assert (positives_of(found), negatives_of(found)) == (["better"], ["other"])
    assert found.counts["relabelled"] == 1


def test_best_leaves_the_documents_for_which_a_query_was_written_together() -> None:
    labels = {"own": "positive", "also": "positive"}
    given = case({"own": 2, "also": 1, "better": 3}, {"better": 0.8}, labels)
    lineage = Lineage("retrieval/multi_hop", ["own", "also"])
    together = Case(**{**vars(given), "query": replace(given.query, lineage=lineage)})
    assert sorted(relabelled("best", together)) == ["also", "own"]
    assert relabelled("best", given) == ["better"]


def test_add_lets_relevant_documents_join_and_they_are_no_negatives() -> None:
    given = case({"own": 2, "also": 2, "other": 0}, {"also": 0.8, "other": 0.7}, {"own": "positive"})
    found = selected(given, relabel={"synthetic": "add"}, negatives=2)
    assert (positives_of(found), negatives_of(found)) == (["own", "also"], ["other"])


def test_a_copy_of_a_relabelled_positive_is_no_negative() -> None:
    given = case(
        {"own": 1, "better": 3, "copy": 0, "other": 0}, {"better": 0.8, "copy": 0.7, "other": 0.6}, {"own": "positive"}
    )
    twin = Passage("copy", "d", "content of better", "text of copy")
    found = selected(Case(**{**vars(given), "passages": {**given.passages, "copy": twin}}), negatives=3)
    assert (positives_of(found), negatives_of(found)) == (["better"], ["other"])


def test_keep_keeps_a_label_that_the_judge_does_not_share_until_the_gate() -> None:
    given = case({"own": 1, "better": 3}, {"better": 0.8}, {"own": "positive"})
    assert relabelled("keep", given) == ["own"]
    kept = selected(given, relabel={"synthetic": "keep"}, gates={"positive_grade": 1}, negatives=1)
    assert positives_of(kept) == ["own"]
    dropped = selected(given, relabel={"synthetic": "keep"}, negatives=1)
    assert dropped.reject is not None
    assert (dropped.reject.reason, dropped.reject.detail) == (
        "low_grade",
        "the best positive has grade 1, positive_grade is 2",
    )


def test_a_query_without_any_relevant_document_is_dropped_and_says_how_many_were_seen() -> None:
    found = selected(case({"own": 1, "other": 0}, {"other": 0.8}, {"own": "positive"}))
    assert found.reject is not None
    assert (found.reject.reason, found.reject.table) == ("no_relevant_passage", "triples")
    assert found.reject.detail == "none of the 2 documents that the judge saw is relevant"


def test_a_label_that_the_judge_did_not_see_stays_where_nothing_is_relevant() -> None:
    given = case({"other": 0}, {"other": 0.8}, {"own": "positive"})
    assert relabelled("best", given) == ["own"]
    assert positives_of(selected(given, negatives=1)) == ["own"]


def test_relabelling_follows_the_origin_of_the_query() -> None:
    grades = {"own": 2, "better": 3}
    policy = Relabel(synthetic="best", human="keep", extractive="add").model_dump()
    found = {
        origin: positives_of(
            selected(case(grades, {"better": 0.8}, {"own": "positive"}, origin=origin), relabel=policy, negatives=1)
        )
        for origin in ("synthetic", "human", "extractive")
    }
    assert found == {"synthetic": ["better"], "human": ["own"], "extractive": ["own", "better"]}


def with_further(number: int) -> Case:
    """Returns a query whose label is relevant and whose pool holds `number` relevant documents and two others."""
    pool = {f"r{place}": 0.8 - place / 100 for place in range(number)} | {"x": 0.3, "y": 0.2}
    grades = {"own": 2, "x": 0, "y": 0} | {f"r{place}": 2 for place in range(number)}
    return case(grades, pool, {"own": "positive"}, origin="human")


def test_false_negatives_are_left_out_relabelled_or_drop_the_row() -> None:
    given = with_further(3)
    left_out = selected(given, negatives=2)
    assert (positives_of(left_out), negatives_of(left_out)) == (["own"], ["x", "y"])
    assert (left_out.counts["false_negatives"], left_out.counts["rows_with_false_negatives"]) == (3, 1)
    relabelled_row = selected(given, negatives=2, relabel={"human": "add"}, false_negatives={"action": "drop_row"})
    assert (positives_of(relabelled_row), negatives_of(relabelled_row)) == (["own", "r0", "r1", "r2"], ["x", "y"])
    dropped = selected(given, negatives=2, false_negatives={"action": "drop_row"})
    assert dropped.reject is not None
    assert dropped.reject.reason == "false_negatives"
    assert dropped.reject.detail.startswith("the judge finds 3 documents relevant that are no positives of the row")


@pytest.mark.parametrize("policy", ["keep", "add"])
def test_more_than_seven_false_negatives_drop_the_row_whatever_happens_to_them(policy: str) -> None:
    few = selected(with_further(7), relabel={"human": policy}, negatives=2)
    many = selected(with_further(8), relabel={"human": policy}, negatives=2)
    assert few.triple is not None
    assert many.reject is not None
    assert many.reject.detail == "the judge finds 8 further documents relevant, select.false_negatives.most is 7"
    unlimited = selected(with_further(8), relabel={"human": policy}, negatives=2, false_negatives={"most": None})
    assert unlimited.triple is not None


def test_the_document_that_becomes_the_positive_is_no_false_negative() -> None:
    given = case(
        {"own": 0, "better": 3, "also": 2, "x": 0}, {"better": 0.8, "also": 0.7, "x": 0.3}, {"own": "positive"}
    )
    found = selected(given, negatives=1, false_negatives={"most": 1})
    assert (positives_of(found), found.counts["false_negatives"]) == (["better"], 1)
    assert selected(given, negatives=1, false_negatives={"most": 0}).reject is not None


def test_a_given_negative_becomes_a_positive_only_where_given_ones_are_in_question() -> None:
    labels = {"own": "positive", "given": "negative"}
    given = case({"own": 2, "given": 3, "x": 0}, {"x": 0.3}, labels, origin="human")
    believed = selected(given, relabel={"human": "add"}, negatives=1)
    cleaned = selected(given, relabel={"human": "add"}, negatives=1, false_negatives={"given": True})
    assert (positives_of(believed), negatives_of(believed)) == (["own"], ["x"])
    assert (positives_of(cleaned), negatives_of(cleaned)) == (["own", "given"], ["x"])
    assert selected(given, negatives=1, false_negatives={"given": True, "most": 0}).reject is not None


def with_copies(given: Case, *names: str) -> Case:
    """Returns the case with documents that say the same."""
    same = {name: replace(given.passages[name], content_hash="one content") for name in names}
    return replace(given, passages={**given.passages, **same})


def test_a_row_says_a_text_once_however_many_documents_hold_it() -> None:
    pool = {"a": 0.8, "b": 0.7, "c": 0.6, "d": 0.5}
    found = selected(with_copies(case(None, pool, {"own": "positive"}), "a", "c"), negatives=4)
    assert found.triple is not None
    assert (negatives_of(found), found.triple.short) == (["a", "b", "d"], "corpus")
    assert found.counts["excluded_repeated"] == 1
    given = case(None, pool, {"own": "positive", "given": "negative"})
    assert negatives_of(selected(with_copies(given, "given", "b"), negatives=4)) == ["given", "a", "c", "d"]


def test_a_copy_of_what_the_judge_withholds_does_not_make_up_for_it_twice() -> None:
    pool = {"a": 0.8, "b": 0.7, "c": 0.6}
    judged = with_copies(case({"own": 3, "a": 0}, pool, {"own": "positive"}), "b", "c")
    short = [selected(judged, negatives=number).triple for number in (2, 3)]
    assert [each.short for each in short if each is not None] == ["judged", "corpus"]


def test_two_miners_give_no_two_copies_of_a_text() -> None:
    pool = [
        PoolEntry("a", 0.8, [Hit("dense", 1, 0.8)]),
        PoolEntry("b", 0.7, [Hit("bm25", 1, 9.0)]),
        PoolEntry("c", 0.6, [Hit("bm25", 2, 8.0)]),
    ]
    (candidate,) = mined_rows(to_arrow(Candidate, [Candidate("q", [Scored("own", 1, 0.9)], [], pool)]))
    found = case(None, {entry.doc_id: entry.score for entry in pool}, {"own": "positive"})
    found = with_copies(replace(found, candidate=candidate), "a", "b")
    assert negatives_of(selected(found, per_miner={"duplicates": "drop"}, negatives=2)) == ["a", "c"]


def of_two_miners(*, keep: bool, number: int, window: Sequence[int] = (1, 10)) -> Selected:
    """Returns the row of a pool whose first documents both miners found, in another order."""
    pool = [
        PoolEntry("a", 0.8, [Hit("dense", 1, 0.8), Hit("bm25", 2, 7.0)]),
        PoolEntry("b", 0.7, [Hit("dense", 2, 0.7)]),
        PoolEntry("c", 0.6, [Hit("dense", 3, 0.6), Hit("bm25", 1, 9.0)]),
        PoolEntry("d", 0.5, [Hit("bm25", 3, 5.0)]),
        PoolEntry("s", 0.4, []),
    ]
    found = case(None, {entry.doc_id: entry.score for entry in pool}, {"own": "positive"})
    (candidate,) = mined_rows(to_arrow(Candidate, [Candidate("q", [Scored("own", 1, 0.9)], [], pool)]))
    found = replace(found, candidate=candidate)
    duplicates = "keep" if keep else "drop"
    return selected(found, per_miner={"duplicates": duplicates}, negatives=number, window=list(window))


def test_each_miner_gives_its_share_in_turn_and_passes_on_what_another_gave() -> None:
    assert negatives_of(of_two_miners(keep=False, number=4)) == ["a", "c", "b", "d"]
    assert negatives_of(of_two_miners(keep=True, number=4)) == ["a", "c", "b", "a"]
    assert negatives_of(of_two_miners(keep=False, number=9)) == ["a", "c", "b", "d", "s"]
    short = of_two_miners(keep=False, number=9).triple
    assert short is not None
    assert [(each.miner, each.rank) for each in short.negatives] == [
        ("dense", 1),
        ("bm25", 1),
        ("dense", 2),
        ("bm25", 3),
        ("spare", None),
    ]
    assert short.short == "corpus"


def test_the_window_is_taken_in_each_miner_s_own_list() -> None:
    assert negatives_of(of_two_miners(keep=False, number=4, window=(2, 2))) == ["b", "a"]


@pytest.mark.parametrize(
    ("ranks", "passes"),
    [([2, 30], True), ([30, 2], True), ([20, 21], True), ([21, 30], False), ([None, 30], False), ([None], True)],
)
def test_one_positive_that_is_found_again_is_enough(ranks: list[int | None], *, passes: bool) -> None:
    positives = [positive(f"p{place}", 0.5, rank) for place, rank in enumerate(ranks)]
    assert passes_round_trip(RoundTrip(rank=20, action="drop"), positives) is passes
    assert passes_round_trip(RoundTrip(rank=20, action="off"), positives)


@pytest.mark.parametrize("action", ["annotate", "drop"])
def test_a_failed_round_trip_is_counted_or_drops_the_query(action: str) -> None:
    given = case(None, {"other": 0.95}, {"own": "positive", "second": "positive"})
    assert given.candidate is not None
    ranked = replace(given.candidate, positives=[Scored("own", 25, 0.9), Scored("second", 40, 0.8)])
    given = replace(given, candidate=ranked)
    found = selected(given, gates={"round_trip": {"rank": 20, "action": action}}, negatives=1)
    assert found.counts["round_trip_failed"] == 1
    assert (found.triple is None) is (action == "drop")
    if found.reject is not None:
        assert found.reject.detail == "its best positive has rank 25, the gate is 20"


def test_ranks_after_relabelling_count_a_lost_label_again_and_a_new_co_positive_no_more() -> None:
    first, second = positive("first", 0.9, 1), positive("second", 0.5, 4)
    new = Positive(passage("new"), "relabel", score=0.7, rank=2)
    ranks = {each.doc_id: each.rank for each in rank_among([second, new], [first, second], None)}
    # `first` stands ahead of both again; `new` no longer stands ahead of `second`.
    assert ranks == {"second": 4, "new": 3}
    assert [each.rank for each in rank_among([second], [first, second], None)] == [5]
    assert [each.rank for each in rank_among([first, second, new], [first, second], None)] == [1, 3, 2]


def test_a_lost_label_takes_a_rank_only_where_it_is_searched() -> None:
    second = positive("second", 0.5, 4)
    generated = Positive(passage("first", searchable=False), "human", score=0.9, rank=1)
    elsewhere = Positive(passage("first", dataset="e"), "human", score=0.9, rank=1)
    behind = positive("first", 0.1, 9)
    for lost, datasets, rank in (
        (generated, None, 4),
        (elsewhere, ("d",), 4),
        (elsewhere, None, 5),
        (behind, None, 4),
    ):
        assert [each.rank for each in rank_among([second], [lost, second], datasets)] == [rank]
    assert searched_datasets(Mine(within="all"), "d") is None
    assert searched_datasets(Mine(), "d") == ("d",)
    assert searched_datasets(Mine(within=["a", "b"]), "d") == ["a", "b"]


def test_a_lost_label_ahead_makes_a_relabelled_positive_fail_the_round_trip() -> None:
    given = case({"own": 0, "better": 3, "other": 0}, {"better": 0.8, "other": 0.7}, {"own": "positive"})
    gates = {"round_trip": {"rank": 1, "action": "drop"}}
    found = selected(given, gates=gates, negatives=1)
    assert found.reject is not None
    assert (found.reject.reason, found.reject.detail) == (
        "failed_round_trip",
        "its best positive has rank 2, the gate is 1",
    )


def test_a_row_is_short_for_spare_if_mining_brought_less_than_the_corpus_has() -> None:
    pool = {f"d{place}": 0.8 - place / 10 for place in range(3)}
    reached = selected(case(None, pool, {"own": "positive"}), Mine(top_k=3, spare=0, ceiling="none"), negatives=4)
    exhausted = selected(case(None, pool, {"own": "positive"}), Mine(top_k=4, spare=0, ceiling="none"), negatives=4)
    assert reached.triple is not None
    assert exhausted.triple is not None
    assert (reached.triple.short, exhausted.triple.short) == ("spare", "corpus")


def test_a_row_is_short_for_spare_if_the_window_holds_less_than_the_corpus_has() -> None:
    pool = {f"d{place}": 0.8 - place / 10 for place in range(5)}
    given = case(None, pool, {"own": "positive"})
    narrow = selected(given, window=[1, 2], negatives=3)
    wide = selected(given, window=[4, 9], negatives=3)
    assert narrow.triple is not None
    assert wide.triple is not None
    assert (len(narrow.triple.negatives), narrow.triple.short) == (2, "spare")
    assert (len(wide.triple.negatives), wide.triple.short) == (2, "corpus")


def test_fewer_spare_documents_than_asked_for_show_that_the_corpus_has_no_more() -> None:
    pool = {"d0": 0.85, "d1": 0.84, "s0": 0.3}
    given = case(None, pool, {"own": "positive"}, spare=["s0"])
    settings: dict[str, object] = {"ceiling": {"score": 0.5}, "negatives": 2}
    few = selected(given, Mine.model_validate({"top_k": 2, "spare": 2, "ceiling": {"score": 0.5}}), **settings)
    full = selected(given, Mine.model_validate({"top_k": 2, "spare": 1, "ceiling": {"score": 0.5}}), **settings)
    stricter = selected(given, Mine.model_validate({"top_k": 2, "spare": 2, "ceiling": {"score": 0.4}}), **settings)
    assert few.triple is not None
    assert full.triple is not None
    assert stricter.triple is not None
    assert (few.triple.short, full.triple.short, stricter.triple.short) == ("corpus", "spare", "spare")


def test_a_row_is_short_for_the_judge_only_if_the_judge_took_what_would_have_filled_it() -> None:
    pool = {f"d{place}": 0.8 - place / 10 for place in range(4)}
    unseen = selected(case({"own": 3, "d0": 0}, pool, {"own": "positive"}), negatives=3)
    short_anyway = selected(case({"own": 3, "d0": 0}, pool, {"own": "positive"}), negatives=9)
    assert unseen.triple is not None
    assert short_anyway.triple is not None
    assert (negatives_of(unseen), unseen.triple.short) == (["d0"], "judged")
    assert (negatives_of(short_anyway), short_anyway.triple.short) == (["d0"], "corpus")
