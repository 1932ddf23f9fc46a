"""`show --clusters`: keepers first, differences marked, the similarity stated, and memory that does not grow."""

import io
import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from export_world import document
from oreline.job import Job, StageWriter
from oreline.recipe.settings import Recipe
from oreline.records import Reject
from oreline.reports.differences import Difference, difference
from oreline.reports.duplicates import MOST_MEMBERS, clusters_of
from oreline.reports.finished import manifests_of
from oreline.reports.plain import print_report
from oreline.reports.show import show
from oreline.tables.manifest import Manifest, write_manifest
from query_world import pair, query, run_filter

from house import finish, recipe_for

TEXT = st.text(st.sampled_from("ab .\u4e2d\u6587\n\ud800"), max_size=60)


def plain(pieces: Difference) -> str:
    file = io.StringIO()
    Console(file=file, width=2_000).print(pieces)
    return file.getvalue().rstrip("\n")


def commit_rejects(
    recipe: Recipe, stage: str, rejects: list[Reject], merged: list[tuple[str, str]] | None = None
) -> None:
    writer = StageWriter(Job(recipe.output, stage, recipe, {}))
    for reject in rejects:
        writer.dropped(reject.row_id, reject)
    for unit, into in merged or []:
        writer.merged(unit, into)
    report = writer.close()
    tables = {name: tuple(part for part in report.parts if part.table == name) for name in ("rejects", "fates")}
    drops: dict[str, int] = {}
    for reject in rejects:
        drops[reject.reason] = drops.get(reject.reason, 0) + 1
    made = Manifest(stage, 1, "test", {}, tables, report.books, drops, {}, "2026-01-01T00:00:00Z")
    write_manifest(recipe.output, made)


def near(row_id: str, keeper: str, payload: str = "text", similarity: str = "0.912") -> Reject:
    detail = f"Jaccard similarity {similarity} of word 5-grams with {keeper}"
    return Reject(f"world/{row_id}", "documents", "near_duplicate", detail, f"world/{keeper}", payload)


def test_differences_are_marked_word_by_word_without_colour() -> None:
    found = difference("symptoms of acute gout in men", "symptoms of chronic gout in young men")
    assert plain(found) == "symptoms of [-acute-] {+chronic+} gout in {+young+} men"


def test_differences_are_coloured_where_the_console_has_colours() -> None:
    file = io.StringIO()
    Console(file=file, force_terminal=True, color_system="standard").print(difference("one two", "one three"))
    assert "\x1b[32mthree" in file.getvalue()
    assert "{+" not in file.getvalue()


def test_scripts_without_spaces_differ_by_character() -> None:
    assert plain(difference("東京タワーの高さ", "東京タワーの広さ")) == "東京タワーの[-高-]{+広+}さ"


def test_equal_runs_are_shortened_to_their_ends() -> None:
    same = " ".join(str(number) for number in range(100))
    shown = plain(difference(f"{same} old {same}", f"{same} new {same}"))
    assert shown == "… 92 93 94 95 96 97 98 99 [-old-] {+new+} 0 1 2 3 4 5 6 7 …"


def test_texts_that_were_cut_do_not_differ_by_where_they_were_cut() -> None:
    body = "word " * 4_000
    found = difference(f"first {body}", f"second longer {body}")
    assert [piece.text for piece in found.pieces if piece.kind == "added"] == ["second longer"]


@given(TEXT, TEXT)
def test_any_two_texts_can_be_compared_and_equal_ones_do_not_differ(one: str, other: str) -> None:
    kinds = {piece.kind for piece in difference(one, other).pieces}
    same = one.split() == other.split()
    assert not same or kinds <= {"same", "left_out"}
    plain(difference(one, other)).encode()


def test_comparing_huge_texts_takes_bounded_work() -> None:
    started = time.process_time()
    difference("x y " * 5_000_000, "y x " * 5_000_000)
    assert time.process_time() - started < 2


def test_a_cluster_shows_keeper_similarity_and_differences(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path)
    finish(recipe, "ingest", {"documents": [document("k", "symptoms of acute gout", "Gout")]})
    equal = near("n", "k", "Gout symptoms of  acute gout")
    commit_rejects(recipe, "dedup", [near("m", "k", "Gout\nsymptoms of chronic gout"), equal])
    file = io.StringIO()
    print_report(show(str(tmp_path / "dedup"), clusters=True), Console(file=file, width=150))
    text = file.getvalue()
    assert text.index("world/k  kept, 2 for it") < text.index("- 0.912  world/m") < text.index("[-acute-] {+chronic+}")
    assert text.index("world/n") < text.index("no word differs")
    (line,) = (json.loads(str(each)) for each in show(str(tmp_path), clusters=True, as_json=True))
    member, other = line["members"]
    assert other["differences"] == [["left_out", "…"]]
    assert member["similarity"] == 0.912
    assert ["removed", "acute"] in member["differences"]
    assert ["added", "chronic"] in member["differences"]


def test_texts_that_are_equal_as_far_as_they_are_compared_say_how_far(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path)
    long = "word " * 4_000
    finish(recipe, "ingest", {"documents": [document("k", f"{long} one")]})
    commit_rejects(recipe, "dedup", [near("m", "k", f"{long} two")])
    file = io.StringIO()
    print_report(show(str(tmp_path / "dedup"), clusters=True), Console(file=file, width=150))
    assert "no word differs in the first 10,000 characters" in file.getvalue()


def test_equal_queries_are_shown_with_their_texts_though_no_reject_holds_them(tmp_path: Path) -> None:
    run_filter(recipe_for(tmp_path), [query("a", "Why do sharks swim"), query("b", "why do SHARKS swim")])
    (line,) = (json.loads(str(each)) for each in show(str(tmp_path / "filter"), clusters=True, as_json=True))
    (member,) = line["members"]
    assert (line["keeper"], member["id"], member["payload"]) == ("d/a", "d/b", "why do SHARKS swim")
    assert (member["reason"], member["similarity"]) == ("merged", 1.0)
    assert ["added", "SHARKS"] in member["differences"]


def test_a_withdrawn_pair_is_shown_with_the_query_that_it_went_for(tmp_path: Path) -> None:
    queries = [query("a", "why do sharks swim"), query("b", "why sharks do swim")]
    pairs = [pair("a", "one"), pair("b", "one"), pair("b", "two")]
    run_filter(recipe_for(tmp_path, filter={"near_pairs": {}}), queries, pairs)
    (line,) = (json.loads(str(each)) for each in show(str(tmp_path / "filter"), clusters=True, as_json=True))
    (member,) = line["members"]
    assert (line["keeper"], line["dropped"], member["id"]) == ("d/a", None, "d/b")
    assert (member["reason"], member["similarity"]) == ("duplicate_pair", 1.0)


def test_a_keeper_that_was_dropped_later_says_so(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path)
    low = Reject("d/k", "queries", "low_rate", "graded 0", "key", "the keeper")
    commit_rejects(recipe, "filter", [low], [("d/m", "d/k")])
    (line,) = (json.loads(str(each)) for each in show(str(tmp_path), clusters=True, as_json=True))
    assert (line["dropped"], line["text"]) == ("low_rate", "the keeper")


def test_only_the_first_members_of_a_large_cluster_are_read(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path)
    commit_rejects(recipe, "dedup", [near(f"{number:04}", "k") for number in range(999, -1, -1)])
    (cluster,) = clusters_of(str(tmp_path), manifests_of(str(tmp_path)), "dedup", 5).largest
    assert cluster.size == 1_000
    assert [each.row_id for each in cluster.members] == [f"world/{number:04}" for number in range(MOST_MEMBERS)]
    file = io.StringIO()
    print_report(show(str(tmp_path), clusters=True), Console(file=file, width=150))
    assert "and 992 more" in file.getvalue()


@pytest.mark.parametrize("at_once", [1, 7, 50, 10_000])
def test_the_largest_clusters_do_not_depend_on_how_many_are_counted_at_once(tmp_path: Path, at_once: int) -> None:
    rejects = [near(f"m{number}-{k}", f"k{k}") for k in range(20) for number in range(1 + k * 7 % 5)]
    commit_rejects(recipe_for(tmp_path), "dedup", rejects)
    found = clusters_of(str(tmp_path), manifests_of(str(tmp_path)), "dedup", 6, at_once=at_once)
    expected = sorted((-(1 + k * 7 % 5), f"world/k{k}") for k in range(20))[:6]
    assert (found.clusters, found.rows) == (20, len(rejects))
    assert [(-each.size, each.keeper) for each in found.largest] == expected
