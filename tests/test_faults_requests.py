"""What a fault of the provider makes of a single request; each is made by a local server, for each API.

One run meets all of them, every fault on a line of its own, among lines that none strikes.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from faults_house import MAKERS, Api, Faulty, faulty, journaled, serving
from oreline.job import Report
from server_faults import FaultKind

CALL_ATTEMPTS = 3
SECONDS = 1.5


@dataclass(frozen=True)
class Expected:
    """What becomes of a request that a fault strikes each time it is sent: reject, calls, what its detail says."""

    reject: str
    calls: int
    said: str
    text: str = ""


ALWAYS: dict[FaultKind, Expected] = {
    "server": Expected("no_answer", CALL_ATTEMPTS, "500"),
    "unavailable": Expected("no_answer", CALL_ATTEMPTS, "503"),
    "deadline": Expected("no_answer", CALL_ATTEMPTS, "504"),
    "reset": Expected("no_answer", CALL_ATTEMPTS, ""),
    "endless": Expected("no_answer", CALL_ATTEMPTS, f"no answer within llm.timeout, {SECONDS} seconds"),
    "slow": Expected("no_answer", CALL_ATTEMPTS, f"no answer within llm.timeout, {SECONDS} seconds"),
    "flood": Expected("no_answer", CALL_ATTEMPTS, "is longer than 16,777,216 bytes"),
    "garbage": Expected("no_answer", CALL_ATTEMPTS, ""),
    "bad_request": Expected("not_taken", 1, "400"),
    "malformed": Expected("unparsable", 2, "does not follow its schema"),
    "off_schema": Expected("unparsable", 2, "does not follow its schema"),
    "says": Expected("unparsable", 2, "does not follow its schema", text='{"words": ["a"], "grade": 2} Relevant!'),
    "empty": Expected("unparsable", 2, "is empty"),
    "no_candidates": Expected("unparsable", 2, "is empty"),
    "safety": Expected("blocked", 1, "the provider blocked prompt or answer"),
    "prohibited": Expected("blocked", 1, "the provider blocked prompt or answer"),
    "blocked_prompt": Expected("blocked", 1, "the provider blocked prompt or answer"),
    "recitation": Expected("refused", 1, "the model refused to answer"),
    "max_tokens": Expected("truncated", 2, "the answer was cut off; llm.max_output_tokens is too small"),
}

UNANSWERED = ("no_answer", "not_taken")

PASSING: tuple[FaultKind, ...] = (
    "rate", "server", "unavailable", "deadline", "reset", "endless", "slow", "garbage", "malformed", "off_schema",
    "empty", "no_candidates", "max_tokens",
)  # fmt: skip
"""What strikes a line of its own once, and then no more."""

DELAYED = "Document once delayed tells of rivers."
"""What gets a 429 once, with the time that it is to wait."""

CALM = [f"Document calm {number} tells of rivers." for number in range(30)]


def always(kind: str) -> str:
    return f"Document always {kind} tells of rivers."


def once(kind: str) -> str:
    return f"Document once {kind} tells of rivers."


@dataclass(frozen=True)
class Met:
    """A run that met all faults, and one after it, when the faults were gone."""

    api: Api
    first: Report
    told: dict[str, tuple[str | None, str]]
    calls: dict[str, int]
    second: Report
    told_again: dict[str, tuple[str | None, str]]
    calls_again: dict[str, int]
    asking: Faulty


@pytest.fixture(scope="module", params=MAKERS)
def met(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Met]:
    folder = tmp_path_factory.mktemp("faults")
    with serving(request.param, folder) as api:
        for kind, expected in ALWAYS.items():
            api.server.fault(kind, always(kind), text=expected.text)
        for kind in PASSING:
            api.server.fault(kind, once(kind), times=1)
        api.server.fault("rate", DELAYED, times=1, delay=0.05)
        lines = [*CALM, DELAYED] + [always(kind) for kind in ALWAYS] + [once(kind) for kind in PASSING]
        asking = faulty(folder, api, ["\n".join(lines[:40]), "\n".join(lines[40:])], {"timeout": SECONDS})
        first, told, calls = asking.run(), asking.told(), calls_of(api, lines)
        api.server.faults.clear()
        second = asking.run()
        yield Met(api, first, told, calls, second, asking.told(), calls_of(api, lines), asking)


def calls_of(api: Api, lines: list[str]) -> dict[str, int]:
    return {line: sum(number for prompt, number in api.server.calls.items() if line in prompt) for line in lines}


def test_requests_in_are_answers_and_rejects_and_the_run_goes_on(met: Met) -> None:
    assert (met.first.stopped, met.first.failure) == (None, None)
    counts = met.first.counts
    assert counts["requests"] == counts["answers"] + counts["answer_rejects"] == len(met.told)
    assert counts["answer_rejects"] == len(ALWAYS)
    assert {line for line, (reject, _) in met.told.items() if reject} == {always(kind) for kind in ALWAYS}


@pytest.mark.parametrize("kind", ALWAYS)
def test_a_request_that_a_fault_strikes_each_time_is_a_reject_that_says_why(met: Met, kind: FaultKind) -> None:
    expected = ALWAYS[kind]
    reject, detail = met.told[always(kind)]
    assert reject == expected.reject, detail
    assert expected.said in detail
    assert len(detail) < 400
    assert "\n" not in detail
    assert met.calls[always(kind)] == expected.calls


@pytest.mark.parametrize("kind", PASSING)
def test_a_fault_that_passes_leaves_an_answer_and_one_more_call(met: Met, kind: FaultKind) -> None:
    assert met.told[once(kind)][0] is None, met.told[once(kind)]
    assert met.calls[once(kind)] == 2


def test_a_429_that_states_a_delay_is_asked_again_after_it(met: Met) -> None:
    assert met.told[DELAYED][0] is None
    assert met.calls[DELAYED] == 2


def test_lines_that_no_fault_strikes_are_asked_and_answered_once(met: Met) -> None:
    assert {met.told[line][0] for line in CALM} == {None}
    assert {met.calls[line] for line in CALM} == {1}


def test_every_answer_that_came_is_paid_once_and_journaled(met: Met) -> None:
    answers = [each for each in ALWAYS.values() if each.reject not in UNANSWERED]
    no_answers = len(ALWAYS) - len(answers)
    retried = sum(kind in ("malformed", "off_schema", "empty", "no_candidates", "max_tokens") for kind in PASSING)
    paid = len(CALM) + 1 + sum(each.calls for each in answers) + len(PASSING) + retried
    assert met.first.counts["paid_requests"] == paid
    kept = journaled(met.asking)
    assert len(kept) == paid + no_answers  # the second run got an answer to those
    assert len({(each.request_key, each.attempt) for each in kept}) == len(kept)


def test_the_next_run_asks_again_only_for_what_got_no_answer(met: Met) -> None:
    without = [kind for kind, expected in ALWAYS.items() if expected.reject in UNANSWERED]
    assert met.second.counts["paid_requests"] == len(without)
    again = {line for line, number in met.calls_again.items() if number > met.calls[line]}
    assert again == {always(kind) for kind in without}
    assert {line for line, (reject, _) in met.told_again.items() if reject} == {
        always(kind) for kind in ALWAYS if kind not in without
    }
    counts = met.second.counts
    assert counts["requests"] == counts["answers"] + counts["answer_rejects"]
