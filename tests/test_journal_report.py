"""`oreline show` on a journal: what it cost, by stage, prompt and model; what is broken; one request's answers."""

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from journal_house import OWNERS, answer
from oreline.errors import CallError
from oreline.llm import journal
from oreline.llm.journal.compaction import FEWEST
from oreline.reports.plain import print_report
from oreline.reports.show import show


@pytest.fixture
def cache(tmp_path: Path) -> str:
    """Returns a cache whose journal holds 100 answers of two stages, paid for by two outputs."""
    folder = str(tmp_path / "cache")
    written = [
        replace(answer(number, lane=number % 3), prompt_id="retrieval/fret", prompt_version=2) for number in range(90)
    ]
    written[7] = replace(written[7], status="refused", text="")
    again = [replace(written[number], attempt=1, cached_tokens=1, thinking_tokens=5) for number in (3, 4)]
    rated = [replace(answer(200 + number), stage="filter", model="n") for number in range(8)]
    journal.append(folder, [*written, *again], OWNERS[0])
    journal.append(folder, rated, OWNERS[1])
    return folder


def text_of(path: str) -> str:
    file = io.StringIO()
    print_report(show(path), Console(file=file, width=220))
    return file.getvalue()


def json_of(path: str) -> list[dict[str, object]]:
    file = io.StringIO()
    print_report(show(path, as_json=True), Console(file=file, width=20))
    return [json.loads(line) for line in file.getvalue().splitlines()]


def test_a_journal_is_summed_by_stage_prompt_model_and_status(cache: str) -> None:
    *entries, whole = json_of(f"{cache}/journal")
    assert [(each["stage"], each["model"], each["status"], each["answers"]) for each in entries] == [
        ("filter", "n", "ok", 8), ("synthesize", "m", "ok", 91), ("synthesize", "m", "refused", 1),
    ]  # fmt: skip
    [_, written, refused] = entries
    assert (written["prompt_id"], written["prompt_version"], written["asked_again"]) == ("retrieval/fret", "2", 2)
    assert (written["cached_tokens"], written["thinking_tokens"], written["output_tokens"]) == (2, 10, 182)
    assert refused["prompt_tokens"] == 1 << 7
    spent = sum(range(90)) + 3 + 4 + sum(range(200, 208))
    assert whole["dollars"] == pytest.approx(spent * 1e-6)
    assert whole["dollars_by_output"] == {
        OWNERS[0]: pytest.approx((sum(range(90)) + 7) * 1e-6),
        OWNERS[1]: pytest.approx(sum(range(200, 208)) * 1e-6),
    }
    assert (whole["answers"], whole["segments"], whole["broken"]) == (100, 4, [])
    assert (whole["first"], whole["last"]) == (answer(0).time, answer(59).time)


def test_a_terminal_sees_shares_payers_and_the_table(cache: str) -> None:
    text = text_of(f"{cache}/journal")
    assert "4 segments, 100 answers, " in text
    shares = "1.1% refused, 2.2% asked again after an answer that was of no use"
    assert f"synthesize: 92 answers, 0.0040 dollars, {shares}" in text
    assert f"output {OWNERS[1]} paid 0.0016 dollars" in text
    assert "retrieval/fret" in text


def test_a_lane_is_shown_by_itself(cache: str) -> None:
    *_, whole = json_of(f"{cache}/journal/v1/01")
    assert whole["answers"] == 31


def test_broken_and_foreign_files_are_named_and_the_rest_is_counted(cache: str) -> None:
    lane = Path(journal.lane_folder(cache, 0))
    (lane / "torn.parquet").write_bytes(b"PAR1")
    (lane / "notes.txt").write_text("hello")
    (lane.parent / "stray").write_text("?")
    text = text_of(f"{cache}/journal")
    for name in ("torn.parquet", "notes.txt", "stray"):
        assert f"{name}\n" in text
    *_, whole = json_of(f"{cache}/journal")
    assert len(whole["broken"]) == 3  # type: ignore[arg-type]  # a list
    assert whole["answers"] == 100


def test_a_journal_that_is_being_merged_is_counted_once(cache: str) -> None:
    for number in range(300, 300 + FEWEST):
        journal.append(cache, [answer(number)], OWNERS[0])
    *_, before = json_of(f"{cache}/journal")
    kept = journal.Journal(cache, OWNERS[0])
    kept.begin()
    kept.open_lane(0, [])
    *_, after = json_of(f"{cache}/journal")
    assert (before["answers"], before["dollars"]) == (after["answers"], after["dollars"])
    assert after["segments"] == before["segments"] - FEWEST + 1  # type: ignore[operator]  # numbers


def test_the_answers_to_one_request_are_shown_by_its_key(cache: str) -> None:
    key = answer(3, lane=0).request_key
    first, second = json_of(f"{cache}/journal/{key}")
    assert (first["attempt"], second["attempt"], second["thinking_tokens"]) == (0, 1, 5)
    assert "text 3" in text_of(f"{cache}/journal/v1/{key}")
    with pytest.raises(CallError, match="the journal has no answer to this request"):
        show(f"{cache}/journal/{'0' * 64}")
