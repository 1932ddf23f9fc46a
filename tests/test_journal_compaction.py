"""Compaction: fewer files, the same answers and the same money, whenever it is cut off and whoever else is at work."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journal_house import OBJECTS, OWNERS, Killer, answer, answers_in, local_killer, money_in, store_killer
from oreline import files
from oreline.llm import journal
from oreline.llm.journal.compaction import FEWEST, compact, settle
from oreline.llm.journal.reading import read_segment
from oreline.llm.journal.segments import PLAN, Label, Plan, list_lane


@dataclass
class Place:
    """Somewhere to keep a journal, and to be killed while at it."""

    cache: str
    killed: Callable[[int | None], AbstractContextManager[Killer]]

    @property
    def lane(self) -> str:
        return journal.lane_folder(self.cache, 0)

    def fill(self) -> None:
        """Writes two groups that are due, of two owners, one that is not, and a torn segment among them."""
        files.delete(self.cache)
        for number in range(FEWEST):
            journal.append(self.cache, [answer(number)], OWNERS[0])
            journal.append(self.cache, [answer(100 + 2 * number), answer(101 + 2 * number)], OWNERS[1])
        journal.append(self.cache, [answer(300, stage="judge")], OWNERS[0])
        torn = files.read_bytes(list_lane(self.lane).segments[0].path)[:-20]
        name = Label(OWNERS[0], "judge", 1, 1, 1).file_name("f" * 32)
        files.write_atomically(files.join(self.lane, name), torn)


@pytest.fixture(params=["local", "objects"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "local":
        yield Place(str(tmp_path), lambda at: local_killer(str(tmp_path), at))
    else:
        OBJECTS.clear()
        yield Place("objects://bucket/cache", store_killer)


def test_many_small_segments_become_one_per_owner_and_stage(place: Place) -> None:
    place.fill()
    answers, money = answers_in(place.cache), money_in(place.cache)
    assert len(answers) == 3 * FEWEST + 1
    assert compact(place.lane) == 2 * FEWEST
    listed = list_lane(place.lane)
    assert sorted(each.label.rows for each in listed.segments if each.label) == [1, 1, FEWEST, 2 * FEWEST]
    assert not listed.plans + listed.temporary + listed.replaced
    assert (answers_in(place.cache), money_in(place.cache)) == (answers, money)
    assert compact(place.lane) == 0


def test_killed_before_any_step_a_compaction_loses_nothing_and_counts_nothing_twice(place: Place) -> None:
    place.fill()
    answers, money = answers_in(place.cache), money_in(place.cache)
    with place.killed(None) as whole:
        compact(place.lane)
    assert whole.steps > 2 * FEWEST
    for at in range(whole.steps):
        place.fill()
        with place.killed(at):
            compact(place.lane)
        assert (answers_in(place.cache), money_in(place.cache)) == (answers, money), at
        settle(place.cache)
        assert (answers_in(place.cache), money_in(place.cache)) == (answers, money), at
        compact(place.lane)
        listed = list_lane(place.lane)
        assert len(listed.segments) == 4, at
        assert not listed.plans + listed.temporary + listed.replaced, at
        assert (answers_in(place.cache), money_in(place.cache)) == (answers, money), at


def test_killed_while_it_settles_a_killed_compaction_it_still_loses_nothing(place: Place) -> None:
    place.fill()
    answers, money = answers_in(place.cache), money_in(place.cache)
    for at in (5, 12):
        for again in range(0, 24, 3):
            place.fill()
            with place.killed(at):
                compact(place.lane)
            with place.killed(again):
                settle(place.cache)
            assert (answers_in(place.cache), money_in(place.cache)) == (answers, money), (at, again)
            settle(place.cache)
            assert (answers_in(place.cache), money_in(place.cache)) == (answers, money), (at, again)


def test_a_merged_segment_that_is_torn_does_not_hide_what_it_was_to_replace(place: Place) -> None:
    place.fill()
    answers, money = answers_in(place.cache), money_in(place.cache)
    for at in range(20):
        place.fill()
        with place.killed(at):
            compact(place.lane)
        if list_lane(place.lane).replaced:
            break
    listed = list_lane(place.lane)
    [plan] = listed.plans
    target = files.join(place.lane, plan.target)
    assert len(listed.replaced) == FEWEST
    files.write_atomically(target, files.read_bytes(target)[:-50])
    assert (answers_in(place.cache), money_in(place.cache)) == (answers, money)
    settle(place.cache)
    assert not files.exists(target)
    assert (answers_in(place.cache), money_in(place.cache)) == (answers, money)


def test_a_rival_in_the_same_lane_at_any_moment_undoes_nothing(tmp_path: Path) -> None:
    place = Place(str(tmp_path), lambda at: local_killer(str(tmp_path), at))

    def killed_rival() -> None:
        with local_killer(place.lane, 6):
            compact(place.lane)

    place.fill()
    answers, money = answers_in(place.cache), money_in(place.cache)
    for rival in (lambda: compact(place.lane), killed_rival):
        for at in range(0, 24, 3):
            place.fill()
            with local_killer(place.lane, at, rival):
                compact(place.lane)
            assert (answers_in(place.cache), money_in(place.cache)) == (answers, money), at
            settle(place.cache)
            compact(place.lane)
            assert (answers_in(place.cache), money_in(place.cache)) == (answers, money), at


def test_who_finds_anothers_plan_beside_his_own_gives_way(tmp_path: Path) -> None:
    place = Place(str(tmp_path), lambda at: local_killer(str(tmp_path), at))
    place.fill()
    before = list_lane(place.lane).segments
    other = Plan(files.join(place.lane, "0" * 32 + PLAN), "unwritten.parquet", frozenset({before[0].name}))
    with local_killer(place.lane, 1, lambda: files.write_atomically(other.path, other.encode())):
        assert compact(place.lane) == 0
    listed = list_lane(place.lane)
    assert (listed.segments, [each.path for each in listed.plans]) == (before, [other.path])


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=60),
    owners=st.lists(st.integers(0, 1), min_size=60, max_size=60),
    at=st.integers(0, 60),
)
def test_appending_and_merging_keep_every_answer_and_all_money(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], owners: list[int], at: int
) -> None:
    cache = str(tmp_path_factory.mktemp("cache"))
    number = 0
    for size, owner in zip(sizes, owners, strict=False):
        journal.append(cache, [answer(number + each) for each in range(size)], OWNERS[owner])
        number += size
    answers, money = answers_in(cache), money_in(cache)
    assert len(answers) == number
    with local_killer(cache, at):
        compact(journal.lane_folder(cache, 0))
    assert (answers_in(cache), money_in(cache)) == (answers, money)
    settle(cache)
    compact(journal.lane_folder(cache, 0))
    assert (answers_in(cache), money_in(cache)) == (answers, money)


def test_of_several_who_compact_one_lane_at_once_none_undoes_the_work_of_another(tmp_path: Path) -> None:
    cache = str(tmp_path)
    lane = journal.lane_folder(cache, 0)
    for number in range(5 * FEWEST):
        journal.append(cache, [answer(number)], OWNERS[0])
    expected, money = answers_in(cache), money_in(cache)
    wrong: list[int] = []
    start = threading.Barrier(5)

    def work() -> None:
        start.wait()
        for _ in range(3):
            compact(lane)

    def read() -> None:
        start.wait()
        wrong.extend(len(found) for found in (answers_in(cache) for _ in range(4)) if found != expected)

    threads = [threading.Thread(target=work) for _ in range(4)] + [threading.Thread(target=read)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    settle(cache)
    compact(lane)
    assert not wrong
    assert (answers_in(cache), money_in(cache)) == (expected, money)
    assert len(list_lane(lane).segments) < 2 * FEWEST


def test_a_journal_merges_as_it_is_written_and_when_a_lane_is_opened(place: Place) -> None:
    cache = place.cache
    kept = journal.Journal(cache, OWNERS[0])
    kept.begin()
    for number in range(10 * FEWEST):
        kept.append([answer(number)])
    lane = journal.lane_folder(cache, 0)
    assert len(list_lane(lane).segments) == 10
    for number in range(300, 300 + FEWEST):
        journal.append(cache, [answer(number)], OWNERS[1])
    assert len(kept.open_lane(0, [answer(3).request_key, answer(300).request_key]).answers) == 2
    assert len(list_lane(lane).segments) == 11


def test_segments_of_the_first_release_are_merged_and_their_money_is_read(tmp_path: Path) -> None:
    cache = str(tmp_path)
    lane = journal.lane_folder(cache, 0)
    for number in range(FEWEST):
        [path] = journal.append(cache, [answer(number)])
        Path(path).rename(Path(path).with_name(f"{number:032x}.parquet"))
    answers = answers_in(cache)
    assert money_in(cache) == {}
    assert compact(lane) == FEWEST
    assert answers_in(cache) == answers
    [(owner, label)] = money_in(cache).items()
    assert owner == (journal.NOBODY, "unknown")
    assert label == (FEWEST, sum((1 << number) + 2 for number in range(FEWEST)), sum(range(FEWEST)) * 1000)


def test_merged_segments_hold_every_column_as_it_was(tmp_path: Path) -> None:
    cache = str(tmp_path)
    written = [replace(answer(number), logprobs=None, reason="STOP", latency=0.25) for number in range(FEWEST)]
    for each in written:
        journal.append(cache, [each], OWNERS[0])
    compact(journal.lane_folder(cache, 0))
    [merged] = list_lane(journal.lane_folder(cache, 0)).segments
    assert read_segment(merged.path).num_rows == FEWEST
    found = journal.read_lane(cache, 0)
    assert sorted((attempt for each in found.values() for attempt in each.values()), key=repr) == sorted(
        written, key=repr
    )
