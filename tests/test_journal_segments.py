"""The journal on disk: what is appended is read again, whatever else lies there."""

import logging
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oreline.ids import sha256_json
from oreline.llm import journal
from oreline.llm.requests import Answer, TokenLogprob

KEYS = [sha256_json(number) for number in range(40)]


def answer(key: str, attempt: int = 0, text: str = "text", time: str = "2026-01-01T00:00:00+00:00") -> Answer:
    return Answer(key, attempt, "ok", text, prompt_tokens=3, output_tokens=2, latency=0.5, time=time)


def test_appended_answers_are_read_lane_by_lane(tmp_path: Path) -> None:
    cache = str(tmp_path)
    kept = [answer(key, attempt) for key in KEYS for attempt in (0, 1)]
    paths = journal.append(cache, kept)
    assert len(paths) == len({key[:2] for key in KEYS})
    found = [
        each
        for lane in range(256)
        for attempts in journal.read_lane(cache, lane).values()
        for each in attempts.values()
    ]
    assert sorted(found, key=repr) == sorted(kept, key=repr)


def test_every_column_survives(tmp_path: Path) -> None:
    key = KEYS[0]
    full = Answer(
        key, 1, "truncated", "é\n", "MAX_TOKENS", "gemini", "m", "m-1", "judge", "judge/listwise", 2,
        10, 1, 4, 7, 0.001, 0.25, "2026-01-01T00:00:00+00:00", [TokenLogprob("a", -0.5)],
    )  # fmt: skip
    journal.append(str(tmp_path), [full])
    assert journal.read_lane(str(tmp_path), journal.lane_of(key)) == {key: {1: full}}


def test_only_the_wanted_keys_are_read(tmp_path: Path) -> None:
    same_lane = ["00" + key[2:] for key in KEYS]
    journal.append(str(tmp_path), [answer(key) for key in same_lane])
    assert set(journal.read_lane(str(tmp_path), 0, same_lane[:2])) == set(same_lane[:2])


def test_torn_foreign_and_stray_files_are_named_and_passed_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key = "00" + KEYS[0][2:]
    [whole] = journal.append(str(tmp_path), [answer(key)])
    folder = Path(whole).parent
    torn = folder / "torn.parquet"
    torn.write_bytes(Path(whole).read_bytes()[:-20])
    (folder / "empty.parquet").write_bytes(b"")
    pq.write_table(pa.table({"other": [1]}), folder / "foreign.parquet")
    (folder / "notes.txt").write_text("hello")
    (folder / "cut.parquet.abc.tmp").write_bytes(b"PAR1")
    with caplog.at_level(logging.WARNING):
        assert set(journal.read_lane(str(tmp_path), 0)) == {key}
    for name in ("torn.parquet", "empty.parquet", "foreign.parquet", "notes.txt"):
        assert name in caplog.text
    assert ".tmp" not in caplog.text
    assert torn.exists()


def test_what_an_older_segment_lacks_is_null_and_its_answers_are_kept(tmp_path: Path) -> None:
    kept = answer("00" + KEYS[0][2:])
    [path] = journal.append(str(tmp_path), [kept])
    older = pq.read_table(path).drop_columns(["dollars", "logprobs", "latency"])
    Path(path).unlink()
    pq.write_table(older, Path(path).with_name("0" * 32 + ".parquet"))
    assert journal.read_lane(str(tmp_path), 0) == {kept.request_key: {0: replace(kept, latency=None)}}


def test_a_segment_in_the_wrong_lane_gives_no_answer(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    [path] = journal.append(str(tmp_path), [answer("00" + KEYS[0][2:])])
    moved = tmp_path / "journal" / "v1" / "01" / "moved.parquet"
    moved.parent.mkdir()
    moved.write_bytes(Path(path).read_bytes())
    with caplog.at_level(logging.WARNING):
        assert journal.read_lane(str(tmp_path), 1) == {}
    assert "moved.parquet" in caplog.text


def test_of_an_attempt_that_is_there_twice_the_earlier_answer_counts(tmp_path: Path) -> None:
    late = answer(KEYS[0], text="late", time="2026-01-02T00:00:00+00:00")
    early = answer(KEYS[0], text="early", time="2026-01-01T00:00:00+00:00")
    journal.append(str(tmp_path), [late])
    journal.append(str(tmp_path), [early])
    journal.append(str(tmp_path), [late])
    assert journal.read_lane(str(tmp_path), journal.lane_of(KEYS[0]))[KEYS[0]][0].text == "early"


@settings(max_examples=15, deadline=None)
@given(st.sets(st.integers(0, 39), max_size=12))
def test_missing_is_what_has_no_answer(tmp_path_factory: pytest.TempPathFactory, there: set[int]) -> None:
    cache = str(tmp_path_factory.mktemp("cache"))
    journal.append(cache, [answer(KEYS[number]) for number in there])
    assert journal.missing(cache, KEYS) == {key for number, key in enumerate(KEYS) if number not in there}


def test_an_empty_cache_has_no_answers(tmp_path: Path) -> None:
    assert journal.read_lane(str(tmp_path / "nowhere"), 7) == {}
    with pytest.raises(ValueError, match="outside 0 to 255"):
        journal.read_lane(str(tmp_path), 256)
