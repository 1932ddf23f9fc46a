"""Each fault through `oreline run`, for each API: what it leaves in the tables, and what the next run asks for."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from faults_house import MAKERS, Api, serving
from oreline.cli import main
from oreline.records import Pair, Reject
from oreline.tables.manifest import Manifest, read_manifest
from server_faults import FaultKind

from house import rows_of

SECONDS = 1.0
CALL_ATTEMPTS = 2

LASTING: Mapping[FaultKind, str] = {
    "server": "no_answer",
    "reset": "no_answer",
    "slow": "no_answer",
    "garbage": "no_answer",
    "malformed": "unparsable",
    "recitation": "refused",
    "safety": "blocked",
    "max_tokens": "truncated",
}
"""Faults that strike a document's call each time, with the reason of its reject."""

PASSING: tuple[FaultKind, ...] = ("rate", "server", "reset", "slow", "garbage", "malformed", "max_tokens")
"""Faults that strike it once; the 429 states in Retry-After how long to wait."""

CALM = 6
UNANSWERED = {f"lasting-{kind}" for kind, reason in LASTING.items() if reason == "no_answer"}


@dataclass(frozen=True)
class Ended:
    """How a run ended: its manifest, the rejects by document, and how often each document was asked about."""

    manifest: Manifest
    rejects: dict[str, Reject]
    asked: dict[str, int]


@dataclass(frozen=True)
class Course:
    """A run that met all faults, and the next one, after they were gone."""

    api: Api
    folder: Path
    names: tuple[str, ...]
    struck: Ended
    after: Ended


@pytest.fixture(scope="module", params=MAKERS)
def course(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Course]:
    folder = tmp_path_factory.mktemp("cli")
    names = (
        *(f"lasting-{kind}" for kind in LASTING),
        *(f"passing-{kind}" for kind in PASSING),
        *(f"calm-{number}" for number in range(CALM)),
    )
    (folder / "docs").mkdir()
    for name in names:
        text = f"# Of {name}\n\nThe mill called {name} grinds corn by the river.\n"
        (folder / "docs" / f"{name}.md").write_text(text)
    with serving(request.param, folder) as api:
        for kind in LASTING:
            api.server.fault(kind, f"lasting-{kind} ")
        for kind in PASSING:
            api.server.fault(kind, f"passing-{kind} ", times=1, delay=0.05 if kind == "rate" else None)
        struck = ended(folder, api, names)
        api.server.faults.clear()
        yield Course(api, folder, names, struck, ended(folder, api, names))


def ended(folder: Path, api: Api, names: tuple[str, ...]) -> Ended:
    """Runs the recipe up to the written queries; all faults are of single requests, so that it ends well."""
    model = {"model": "gemini-3.5-flash-lite", "base_url": api.server.url, "server": "local", "timeout": SECONDS}
    llm = json.dumps({**model, "call_attempts": CALL_ATTEMPTS, **api.settings})
    (folder / "recipe.yaml").write_text(f"output: {folder / 'out'}\nsources: [{folder / 'docs'}]\nllm: {llm}\n")
    assert main(["run", str(folder / "recipe.yaml"), "--until", "synthesize"]) == 0
    manifest = read_manifest(str(folder / "out"), "synthesize")
    assert manifest is not None
    rejects = {name_of(row.row_id): row for row in rows_of(folder / "out", "synthesize", "rejects", Reject)}
    calls = api.server.calls.items()
    asked = {name: sum(number for prompt, number in calls if f"{name} grinds" in prompt) for name in names}
    return Ended(manifest, rejects, asked)


def name_of(doc_id: str) -> str:
    return Path(doc_id).name.partition(".md")[0]


def test_every_document_has_queries_or_a_reject_with_its_reason(course: Course) -> None:
    reasons = {name: row.reason for name, row in course.struck.rejects.items()}
    assert reasons == {f"lasting-{kind}": reason for kind, reason in LASTING.items()}
    assert all(row.detail and "\n" not in row.detail for row in course.struck.rejects.values())
    written = course.after.manifest.books.kept.count + course.after.manifest.books.dropped.count
    assert written == len(course.names)


def test_requests_are_answers_and_rejects_and_the_units_add_up(course: Course) -> None:
    for each in (course.struck, course.after):
        counts, books = each.manifest.counts, each.manifest.books
        assert counts["requests"] == counts["answers"] + counts.get("answer_rejects", 0) == len(course.names)
        assert books.balanced
        assert books.dropped.count == sum(each.manifest.drops.values()) == len(each.rejects)


def test_a_fault_that_passes_costs_one_more_call_and_no_document(course: Course) -> None:
    assert {course.struck.asked[f"passing-{kind}"] for kind in PASSING} == {2}
    assert {course.struck.asked[f"calm-{number}"] for number in range(CALM)} == {1}
    paired = {name_of(row.doc_id) for row in rows_of(course.folder / "out", "synthesize", "pairs", Pair)}
    assert {name for name in course.names if not name.startswith("lasting-")} <= paired


def test_the_next_run_asks_for_what_got_no_answer_and_for_nothing_else(course: Course) -> None:
    more = {name for name, number in course.after.asked.items() if number > course.struck.asked[name]}
    assert more == UNANSWERED
    assert course.after.manifest.counts["paid_requests"] == len(UNANSWERED)
    assert set(course.after.rejects) == set(course.struck.rejects) - UNANSWERED
