"""Bundles that fail beside others, and engines that are made again in mid-run: nothing is paid twice or beyond."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import apache_beam as beam
import pytest

from asking_house import QUICK, Asking, total
from oreline.ids import sha256_json
from oreline.job import Report
from oreline.llm import journal
from oreline.llm.accounts import Account
from oreline.llm.budget import effective_budget
from oreline.llm.engine import Engine
from oreline.llm.filling import Filling
from oreline.llm.opening import open_provider
from oreline.llm.requests import Answer
from oreline.llm.rows import REQUESTS, render
from oreline.llm.spending import Spending
from oreline.shuffle import Scatter
from oreline.stages.asking import FillLanes

from gemini_server import GeminiServer

LINES = 60
BLOCKS = ["\n".join(f"Document {block}-{line} tells of rivers." for line in range(12)) for block in range(5)]
BROKEN = "Document 2-3"
MODEL = "gemini-3.5-flash-lite"


@contextmanager
def beside(asking: Asking) -> Iterator[FillLanes]:
    """Holds the engine as another bundle of the same process would."""
    other = FillLanes(asking.job, asking.llm, asking.task, QUICK)
    other.setup()
    try:
        yield other
    finally:
        other.teardown()


def fill(asking: Asking, lanes: list[tuple[int, list[bytes]]]) -> Report:
    """Fills some lanes through an engine that is made for it and closed again, unless somebody holds it."""
    with beside(asking) as bundle:
        bundle.start_bundle()
        for lane in lanes:
            list(bundle.process(lane))
        return report_of(bundle)


def report_of(bundle: FillLanes) -> Report:
    """Returns the books of a bundle that ends."""
    *_, last = bundle.finish_bundle()
    assert isinstance(last, beam.pvalue.TaggedOutput)
    return total([last.value.value])


def lanes_of(asking: Asking) -> dict[int, list[bytes]]:
    """Returns references to the requests of all blocks by lane, as the grouping hands them on."""
    scatter = Scatter(asking.job, REQUESTS)
    lanes: dict[int, list[bytes]] = {}
    for block in asking.blocks:
        for lane, reference in render(asking.job, asking.task, block.encode(), scatter):
            lanes.setdefault(lane, []).append(reference)
    for lane, reference in scatter.close():
        lanes.setdefault(lane, []).append(reference)
    return lanes


def test_a_bundle_that_breaks_beside_others_leaves_nothing_that_its_repeat_asks_again(
    tmp_path: Path, gemini_server: GeminiServer
) -> None:
    gemini_server.latency = 0.2
    settings: dict[str, object] = {"concurrency": 8}
    broken = Asking(tmp_path, gemini_server.url, BLOCKS, settings, fails_at=BROKEN)
    with beside(broken):
        with pytest.raises(RuntimeError, match="the task broke"):
            broken.run()
        asked = dict(gemini_server.calls)
        gemini_server.latency = 0.0
        report = Asking(tmp_path, gemini_server.url, BLOCKS, settings).run()
    assert 0 < len(asked) < LINES
    assert report.counts["answers"] == LINES
    assert report.counts["journal_hits"] == len(asked)
    assert max(gemini_server.calls.values()) == 1


def test_a_lane_that_another_bundle_still_asks_about_is_read_when_its_answers_are_there(
    tmp_path: Path, gemini_server: GeminiServer
) -> None:
    gemini_server.latency = 0.5
    asking = Asking(tmp_path, gemini_server.url, BLOCKS)
    lanes = lanes_of(asking)
    with beside(asking) as first, beside(asking) as second:
        for each in (first, second):
            each.start_bundle()
        for each in (first, second):
            for lane in lanes.items():
                list(each.process(lane))
        found = [sum(1 for _ in each.finish_bundle()) for each in (first, second)]
    assert min(found) > 1
    assert len(gemini_server.calls) == LINES
    assert max(gemini_server.calls.values()) == 1


def test_what_an_abandoned_bundle_has_not_sent_yet_is_not_sent(tmp_path: Path, gemini_server: GeminiServer) -> None:
    gemini_server.latency = 0.3
    asking = Asking(tmp_path, gemini_server.url, BLOCKS, {"concurrency": 8})
    lanes = lanes_of(asking)
    with beside(asking):
        broken = FillLanes(asking.job, asking.llm, asking.task, QUICK)
        broken.setup()
        broken.start_bundle()
        for lane in list(lanes.items())[:12]:
            list(broken.process(lane))
        while not gemini_server.calls:
            threading.Event().wait(0.01)
        broken.teardown()
        asked = len(gemini_server.calls)
        assert 0 < asked <= 8
        kept = sum(len(journal.read_lane(asking.recipe.cache_folder, lane)) for lane in range(256))
        assert kept == asked
    assert len(gemini_server.calls) == asked


def test_an_abandoned_bundle_neither_waits_for_a_limit_per_minute_nor_uses_it_up(
    tmp_path: Path, gemini_server: GeminiServer
) -> None:
    asking = Asking(tmp_path, gemini_server.url, BLOCKS, {"requests_per_minute": 4})
    lanes = lanes_of(asking)
    broken = FillLanes(asking.job, asking.llm, asking.task, QUICK)
    broken.setup()
    broken.start_bundle()
    for lane in list(lanes.items())[:12]:
        list(broken.process(lane))
    while len(gemini_server.calls) < 4:
        threading.Event().wait(0.01)
    ends_in_time(broken.teardown)
    assert len(gemini_server.calls) == 4


def test_a_bundle_whose_own_thread_fails_between_two_answers_can_still_be_abandoned(
    tmp_path: Path, gemini_server: GeminiServer
) -> None:
    asking = Asking(tmp_path, gemini_server.url, BLOCKS[:1])
    budget = effective_budget(asking.llm)
    cache = asking.recipe.cache_folder
    engine = Engine(
        cache, "synthesize", asking.llm, open_provider=open_provider, account=Account.opened(budget, Spending())
    )
    clock = Clock()
    filling = Filling(asking.job, asking.llm, asking.task, engine, clock)
    for lane in lanes_of(asking).items():
        list(filling.lane(*lane))
    clock.broken = True
    with pytest.raises(OSError, match="the clock broke"):
        list(filling.finish())
    clock.broken = False
    ends_in_time(filling.abandon)
    engine.close()
    assert sum(len(journal.read_lane(cache, lane)) for lane in range(256)) == len(gemini_server.calls) > 0


class Clock:
    """A clock that may break, as the look at whether the user wants to stop may."""

    def __init__(self) -> None:
        self.broken = False

    def __call__(self) -> float:
        if self.broken:
            raise OSError("the clock broke")
        return 0.0


def ends_in_time(work: Callable[[], None]) -> None:
    """Does something that would else go on for minutes, or for ever."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()


def test_a_worker_keeps_to_its_share_of_the_budget_though_its_engine_is_made_again(
    tmp_path: Path, gemini_server: GeminiServer
) -> None:
    settings: dict[str, object] = {"workers": 2, "budget_tokens": 4000, "max_output_tokens": 100, "concurrency": 2}
    asking = Asking(tmp_path, gemini_server.url, BLOCKS, settings)
    lanes = list(lanes_of(asking).items())
    reports = [fill(asking, lanes[start : start + 8]) for start in range(0, len(lanes), 8)]
    spent = [each.counts.get("prompt_tokens", 0) + each.counts.get("output_tokens", 0) for each in reports]
    assert reports[0].stopped is None
    assert reports[-1].stopped == "budget"
    assert sum(bool(each) for each in spent) > 1
    assert 1600 < sum(spent) <= 2000
    assert f"{sum(spent):,} tokens are spent" in str(reports[-1].message)


def test_the_share_is_that_of_the_stages_own_workers_whatever_a_model_states(
    tmp_path: Path, gemini_server: GeminiServer
) -> None:
    settings: dict[str, object] = {"budget_tokens": 4000, "max_output_tokens": 100, "concurrency": 2}
    asking = Asking(tmp_path, gemini_server.url, BLOCKS, settings)
    beam_settings = asking.recipe.beam.model_validate({"stages": {"synthesize": {"workers": 2}}})
    recipe = asking.recipe.model_copy(update={"beam": beam_settings})
    asking.job = replace(asking.job, recipe=recipe)
    report = fill(asking, list(lanes_of(asking).items()))
    assert report.stopped == "budget"
    assert 1600 < report.counts["prompt_tokens"] + report.counts["output_tokens"] <= 2000
    assert "the share of one of 2 workers" in str(report.message)


def test_what_another_stage_spent_meanwhile_counts_for_a_lone_worker(
    tmp_path: Path, gemini_server: GeminiServer
) -> None:
    settings: dict[str, object] = {"budget_tokens": 4000, "max_output_tokens": 100, "concurrency": 2}
    asking = Asking(tmp_path, gemini_server.url, BLOCKS, settings)
    lanes = list(lanes_of(asking).items())
    assert fill(asking, lanes[:8]).stopped is None
    journal.append(asking.recipe.cache_folder, [answer(1, stage="filter", tokens=3500)])
    assert fill(asking, lanes[8:16]).stopped == "budget"


def test_a_limit_per_minute_holds_from_one_engine_to_the_next(tmp_path: Path, gemini_server: GeminiServer) -> None:
    settings: dict[str, object] = {"requests_per_minute": 8}
    asking = Asking(tmp_path, gemini_server.url, BLOCKS, settings)
    lanes = list(lanes_of(asking).items())
    sent = datetime.now(UTC) - timedelta(seconds=10)
    journal.append(asking.recipe.cache_folder, [answer(number, at=sent) for number in range(8)])
    stop = Path(asking.job.output) / "_progress" / "stop"
    with beside(asking) as bundle:
        bundle.start_bundle()
        for lane in lanes[:4]:
            list(bundle.process(lane))
        stop.parent.mkdir(parents=True, exist_ok=True)
        stop.touch()
        assert report_of(bundle).stopped == "interrupted"
    assert not gemini_server.calls


def test_calls_of_more_than_a_minute_ago_or_to_another_model_hold_nobody_back(
    tmp_path: Path, gemini_server: GeminiServer
) -> None:
    asking = Asking(tmp_path, gemini_server.url, BLOCKS, {"requests_per_minute": 8})
    now = datetime.now(UTC)
    old = [answer(number, at=now - timedelta(seconds=61)) for number in range(8)]
    others = [answer(number, at=now, model="another") for number in range(8, 16)]
    journal.append(asking.recipe.cache_folder, [*old, *others])
    assert fill(asking, list(lanes_of(asking).items())[:4]).counts["paid_requests"] >= 4


def answer(
    number: int, *, stage: str = "judge", tokens: int = 10, at: datetime | None = None, model: str = MODEL
) -> Answer:
    """Returns an answer to somebody else's request."""
    came = (at or datetime.now(UTC)).isoformat()
    return Answer(
        sha256_json(number), 0, "ok", "{}", None, "gemini:local", model, None, stage,
        prompt_tokens=tokens, output_tokens=0, latency=0.5, time=came,
    )  # fmt: skip
