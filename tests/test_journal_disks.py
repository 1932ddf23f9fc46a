"""The journal and its disk: what is written stays, a folder that changes is listed again, and errors say what to do."""

import os
from pathlib import Path

import pytest

import journal_house
from journal_house import OWNERS, answer, answers_in, money_in
from oreline.llm import journal
from oreline.llm.journal.compaction import FEWEST, compact
from oreline.llm.journal.segments import TEMPORARY, journal_folder, list_lane, list_lanes
from oreline.llm.spending import spent


def fill(cache: str) -> str:
    """Writes segments of one lane that are worth merging; returns the lane's folder."""
    for number in range(FEWEST):
        journal.append(cache, [answer(number)], OWNERS[0])
    return journal.lane_folder(cache, 0)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="tells files by /proc")
def test_an_appended_segment_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: waited.append(os.readlink(f"/proc/self/fd/{descriptor}")))
    written = journal.append(str(tmp_path), [answer(number, lane=number) for number in range(3)], OWNERS[0])
    folders = [os.path.dirname(path) for path in written]
    above = [journal_folder(str(tmp_path))] * 3
    assert sorted(waited) == sorted([*(f"{path}{TEMPORARY}" for path in written), *folders, *above])
    assert len(answers_in(str(tmp_path))) == 3


@pytest.mark.parametrize("look", ["lane", "journal"])
def test_a_lane_that_is_merged_while_it_is_listed_is_listed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, look: str
) -> None:
    cache = str(tmp_path)
    lane = fill(cache)
    answers, money = answers_in(cache), money_in(cache)
    names, merged = os.listdir, list[str]()

    def merging(folder: str) -> list[str]:
        found = names(folder)
        if folder == lane and not merged:
            merged.append(folder)
            assert compact(lane) == FEWEST
        return found

    monkeypatch.setattr(os, "listdir", merging)
    listed = list_lane(lane) if look == "lane" else next(iter(list_lanes(journal_folder(cache))))
    assert [each.label.rows for each in listed.segments if each.label] == [FEWEST]
    assert merged
    monkeypatch.undo()
    assert (answers_in(cache), money_in(cache)) == (answers, money)
    assert spent(str(tmp_path.parent / "other"), cache).tokens == 0


def test_a_folder_in_a_lane_is_no_segment(tmp_path: Path) -> None:
    lane = fill(str(tmp_path))
    (Path(lane) / "notes.parquet").mkdir()
    (Path(lane) / "notes.parquet" / "one.txt").write_text("what is this")
    assert len(list_lane(lane).segments) == len(journal.read_lane(str(tmp_path), 0)) == FEWEST
    foreign = [path for listed in list_lanes(journal_folder(str(tmp_path))) for path in listed.foreign]
    assert foreign == [f"{lane}/notes.parquet/one.txt"]


def test_a_disk_that_gives_back_something_else_is_named_with_what_to_do_and_loses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Failing(dict[str, bytes]):
        """Keeps the last byte of what is large to itself."""

        def __setitem__(self, path: str, contents: bytes) -> None:
            super().__setitem__(path, contents[:-1] if len(contents) > largest else contents)

    largest = 2**20
    store = Failing()
    monkeypatch.setattr(journal_house, "OBJECTS", store)
    cache = "objects://bucket/cache"
    lane = fill(cache)
    answers, money = answers_in(cache), money_in(cache)
    largest = max(map(len, store.values()))
    with pytest.raises(OSError, match=r"-16-.*\.parquet: the disk gave back something else .* check that disk"):
        compact(lane)
    assert (answers_in(cache), money_in(cache)) == (answers, money)
    assert [each.label.rows for each in list_lane(lane).segments if each.label] == [1] * FEWEST
