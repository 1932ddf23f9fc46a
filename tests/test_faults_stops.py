"""Faults that stop a run: key, quota, model, a provider out of reach. Nothing is lost, and the next run goes on.

Per API one output is stopped by each of them in turn, always after a few more answers, and then left to finish.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from faults_house import MAKERS, Api, Faulty, faulty, journaled, serving
from oreline.job import Report
from server_faults import FaultKind

IN_FLIGHT = 3
ANSWERS = 4
"""Answers that each run gets before its fault begins."""
LINES = [f"Document {number} tells of rivers." for number in range(60)]
CALL_ATTEMPTS = 3
AGAIN = "everything answered is in the journal; run again to go on"


@dataclass(frozen=True)
class Ends:
    """How a run ends, what its message says, and how many further calls the server sees at most."""

    how: str
    said: tuple[str, ...]
    calls: int


AT_ONCE = IN_FLIGHT + 1
IN_A_ROW = 10 * CALL_ATTEMPTS + IN_FLIGHT * CALL_ATTEMPTS
STOPS: dict[FaultKind, Ends] = {
    "quota": Ends(
        "quota", ("the provider's quota is used up", "429", "You exceeded your current quota", AGAIN), AT_ONCE
    ),
    "unauthorized": Ends("key", ("the provider does not accept the key", "401", AGAIN), AT_ONCE),
    "forbidden": Ends("key", ("the provider does not accept the key", "403", AGAIN), AT_ONCE),
    "unknown_model": Ends("model", ("llm.model", "404", "name a model that is there"), AT_ONCE),
    "rate": Ends("quota", ("the provider's quota is used up", "429", AGAIN), IN_A_ROW),
    "unavailable": Ends("provider", ("in a row got no answer", "503", AGAIN), IN_A_ROW),
    "reset": Ends("provider", ("in a row got no answer", AGAIN), IN_A_ROW),
}


@dataclass(frozen=True)
class Stopped:
    """A run that a fault stopped: its report, the calls that the fault struck, and what was journaled by then."""

    report: Report
    struck: int
    answered: int
    journaled: int


@dataclass(frozen=True)
class Course:
    """An output that was stopped many times, by its server's end too, and then finished."""

    api: Api
    stops: dict[FaultKind, Stopped]
    gone: Stopped
    last: Report
    asking: Faulty


@pytest.fixture(scope="module", params=MAKERS)
def course(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Course]:
    folder = tmp_path_factory.mktemp("stops")
    with serving(request.param, folder) as api:
        asking = faulty(folder, api, ["\n".join(LINES[:30]), "\n".join(LINES[30:])], {"concurrency": IN_FLIGHT})
        stops: dict[FaultKind, Stopped] = {}
        for kind in STOPS:
            delay = 0.01 if kind == "rate" else None
            api.server.fault(kind, after=len(api.server.answered_prompts) + ANSWERS, delay=delay)
            stops[kind] = stopped(asking, api, kind)
            api.server.faults.clear()
        api.server.__exit__(None, None, None)
        gone = stopped(asking, api, "")
        api.server.__enter__()
        yield Course(api, stops, gone, asking.run(), asking)


def stopped(asking: Faulty, api: Api, kind: str) -> Stopped:
    before = api.server.met[""]
    report = asking.run()
    return Stopped(report, api.server.met[kind], api.server.met[""] - before, len(journaled(asking)))


@pytest.mark.parametrize("kind", STOPS)
def test_a_fault_that_concerns_all_requests_stops_the_run_with_one_message(course: Course, kind: FaultKind) -> None:
    found, expected = course.stops[kind].report, STOPS[kind]
    assert (found.stopped or found.failure) == expected.how, found
    assert found.message is not None
    assert all(each in found.message for each in expected.said), found.message
    assert found.message.isprintable()
    assert len(found.message) < 600


@pytest.mark.parametrize("kind", STOPS)
def test_a_stopped_run_asks_no_further(course: Course, kind: FaultKind) -> None:
    assert 1 <= course.stops[kind].struck <= STOPS[kind].calls


def test_a_server_that_refuses_connections_is_named_with_its_address(course: Course) -> None:
    report = course.gone.report
    assert report.failure == "provider"
    assert report.message is not None
    assert report.message.startswith("10 requests in a row got no answer (the last: ")
    assert "127.0.0.1" in report.message
    assert str(course.api.server.port) in report.message
    assert AGAIN in report.message
    assert course.gone.answered == 0


def test_what_was_answered_before_a_stop_is_journaled_and_paid_once(course: Course) -> None:
    held = 0
    for each in [*course.stops.values(), course.gone]:
        held += each.answered
        assert each.report.counts.get("paid_requests", 0) == each.answered
        assert each.journaled == held
        assert each is course.gone or each.answered >= ANSWERS
    assert held < len(LINES), "there is something left for the last run"


def test_the_last_run_pays_only_what_is_missing(course: Course) -> None:
    last = course.last
    assert (last.stopped, last.failure, last.message) == (None, None, None)
    assert last.counts["requests"] == last.counts["answers"] == len(LINES)
    assert last.counts["journal_hits"] == course.gone.journaled
    assert last.counts["paid_requests"] == len(LINES) - course.gone.journaled
    assert len(journaled(course.asking)) == course.api.server.met[""] == len(LINES)
    assert {reject for reject, _ in course.asking.told().values()} == {None}


@pytest.mark.parametrize("name", MAKERS)
def test_calls_wait_ready_made_for_their_turn_and_no_more_are_in_flight_than_may_be(name: str, tmp_path: Path) -> None:
    with serving(name, tmp_path) as api:
        api.server.latency = 0.02
        report = faulty(tmp_path, api, ["\n".join(LINES)], {"concurrency": IN_FLIGHT}).run()
        assert report.counts["answers"] == len(LINES)
        assert api.server.most_in_flight == IN_FLIGHT


def test_a_key_that_is_refused_is_told_once_however_many_requests_there_are(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lines = [f"Document {number} tells of rivers." for number in range(2_000)]
    with serving("Gemini Developer API", tmp_path) as api, caplog.at_level(logging.INFO):
        api.server.fault("unauthorized")
        report = faulty(tmp_path, api, ["\n".join(lines[:1_000]), "\n".join(lines[1_000:])], {"concurrency": 32}).run()
        assert report.stopped == "key"
        assert report.counts["requests"] == 2_000
        assert sum(api.server.calls.values()) <= 32 + 1
    assert sum("401" in record.getMessage() for record in caplog.records) <= 1
