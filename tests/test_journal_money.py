"""What an output has spent stands in the names of its journal's segments: of all its stages, and of nobody else's."""

from dataclasses import replace
from pathlib import Path

import pytest

from asking_house import Asking
from journal_house import answer
from oreline.errors import BrokenTable
from oreline.llm import journal
from oreline.llm.journal.segments import Label, journal_folder, list_lanes
from oreline.llm.ownership import output_id
from oreline.llm.requests import Answer
from oreline.llm.spending import spent

from gemini_server import GeminiServer

BLOCKS = ["\n".join(f"Document {block}-{line} tells of rivers." for line in range(10)) for block in range(3)]
LINES = 30
SMALL: dict[str, object] = {"budget_tokens": 900, "max_output_tokens": 100}
LARGE: dict[str, object] = {"budget_tokens": 100_000, "max_output_tokens": 100}


@pytest.fixture
def asking(tmp_path: Path, gemini_server: GeminiServer) -> Asking:
    return Asking(tmp_path, gemini_server.url, BLOCKS, SMALL)


def rows_of_journal(cache: str) -> list[Answer]:
    lanes = (journal.read_lane(cache, listed.lane) for listed in list_lanes(journal_folder(cache)))
    return [each for lane in lanes for attempts in lane.values() for each in attempts.values()]


def test_a_name_says_what_is_in_the_segment() -> None:
    label = Label.of("a" * 12, "judge", [answer(5), answer(7)])
    assert label == Label("a" * 12, "judge", 2, (1 << 5) + (1 << 7) + 4, 12_000)
    assert Label.parse(label.file_name("0" * 32)) == label
    for name in ("0" * 32 + ".parquet", "notes.txt", label.file_name("xyz")):
        assert Label.parse(name) is None


def test_an_outputs_id_is_made_once_and_moves_with_it(tmp_path: Path) -> None:
    first = output_id(str(tmp_path / "out"))
    assert output_id(str(tmp_path / "out")) == first != output_id(str(tmp_path / "other"))
    (tmp_path / "out").rename(tmp_path / "moved")
    assert output_id(str(tmp_path / "moved")) == first
    (tmp_path / "moved" / "_id").write_text("../../etc")
    with pytest.raises(BrokenTable, match=r"found '../../etc', expected 12 hexadecimal digits; delete the file"):
        output_id(str(tmp_path / "moved"))


def test_outputs_that_share_a_cache_pay_each_for_its_own_answers(tmp_path: Path) -> None:
    cache, one, other = (str(tmp_path / name) for name in ("cache", "one", "other"))
    journal.append(cache, [answer(3), answer(4)], output_id(one))
    journal.append(cache, [replace(answer(5), stage="judge")], output_id(one))
    journal.append(cache, [answer(6)], output_id(other))
    journal.append(cache, [answer(9)])  # whoever paid for this is not known
    found = spent(one, cache)
    assert {name: label.rows for name, label in found.stages.items()} == {"synthesize": 2, "judge": 1}
    assert found.tokens == 8 + 16 + 32 + 6
    assert found.dollars == pytest.approx(12e-6)
    told = "0.0000 dollars, 62 tokens (judge: 0.0000 dollars, 34 tokens; synthesize: 0.0000 dollars, 28 tokens)"
    assert str(found) == told
    assert spent(other, cache).tokens == 66
    assert spent(str(tmp_path / "third"), cache).tokens == 0


def test_answers_of_unknown_payers_in_an_outputs_own_cache_are_its_own(tmp_path: Path) -> None:
    cache = str(tmp_path / "out" / "_cache")
    [path] = journal.append(cache, [answer(3)])
    assert spent(str(tmp_path / "out"), cache).tokens == 10
    Path(path).rename(Path(path).with_name("0" * 32 + ".parquet"))  # as the first release called it
    assert spent(str(tmp_path / "out"), cache).tokens == 10
    assert spent(str(tmp_path / "other"), cache).tokens == 0


def test_names_and_rows_agree_on_what_a_run_cost(asking: Asking, gemini_server: GeminiServer) -> None:
    gemini_server.fault("malformed", share=0.3)
    dear = Asking(asking.folder, asking.url, BLOCKS, {"budget_usd": 1.0})
    report = dear.run()
    found, rows = spent(dear.recipe.output, dear.recipe.cache_folder), rows_of_journal(dear.recipe.cache_folder)
    assert sum(label.rows for label in found.stages.values()) == len(rows) == report.counts["paid_requests"]
    assert found.tokens == report.counts["prompt_tokens"] + report.counts["output_tokens"]
    assert found.dollars == pytest.approx(sum(each.dollars or 0.0 for each in rows))
    assert round(found.dollars * 1e6) == report.counts["microdollars"]


def test_a_stage_that_stopped_at_its_budget_counts_what_it_spent_before(
    asking: Asking, gemini_server: GeminiServer
) -> None:
    first = asking.run()
    paid = len(gemini_server.bodies)
    assert first.stopped == "budget"
    assert 0 < paid < LINES
    again = asking.run()
    assert again.stopped == "budget"
    assert len(gemini_server.bodies) == paid  # the same budget is not granted twice
    assert again.message is not None
    assert f"{spent(asking.recipe.output, asking.recipe.cache_folder)} are spent on this output" in again.message
    assert Asking(asking.folder, asking.url, BLOCKS, LARGE).run().counts["answers"] == LINES


def test_what_other_stages_of_the_output_spent_counts_too(asking: Asking, gemini_server: GeminiServer) -> None:
    cache = asking.recipe.cache_folder
    others = [Answer(answer(1).request_key, 0, "ok", "", stage="filter", prompt_tokens=850)]
    journal.append(cache, others, output_id(asking.recipe.output))
    stopped = asking.run()
    assert stopped.stopped == "budget"
    assert not gemini_server.bodies
    assert stopped.message is not None
    assert "850 tokens (filter: 850 tokens; synthesize: 0 tokens) are spent" in stopped.message


def test_answers_from_the_journal_cost_nothing_whoever_paid(asking: Asking, gemini_server: GeminiServer) -> None:
    assert Asking(asking.folder, asking.url, BLOCKS, LARGE).run().counts["answers"] == LINES
    Path(asking.recipe.output, "_id").write_text("b" * 12 + "\n")
    assert asking.run().counts["journal_hits"] == LINES
    assert len(gemini_server.bodies) == LINES
    assert spent(asking.recipe.output, asking.recipe.cache_folder).tokens == 0


def test_torn_and_repeated_segments_are_counted_in_the_stages_books(asking: Asking) -> None:
    whole = Asking(asking.folder, asking.url, BLOCKS, LARGE)
    whole.run()
    cache = whole.recipe.cache_folder
    first = rows_of_journal(cache)[0]
    lane = Path(journal.lane_folder(cache, journal.lane_of(first.request_key)))
    (lane / "torn.parquet").write_bytes(b"PAR1")
    journal.append(cache, [replace(first, time="2999-01-01T00:00:00+00:00")])
    report = whole.run()
    assert report.counts["journal_broken_files"] == 1
    assert report.counts["journal_repeated_answers"] == 1
    assert report.counts["journal_hits"] == LINES
