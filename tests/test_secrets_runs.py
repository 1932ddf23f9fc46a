"""Keys and tokens stand in no file, log, error, graph or process argument, whatever the server says and the run meets.

The servers here are careless: each error repeats the credentials in its message and headers, plain and encoded.
"""

import base64
import json
import logging
import os
import pickle
import tempfile
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from faults_house import MAKERS, Api, faulty, serving
from line_house import begin, wait_until, write_pages
from oreline.cli import main
from oreline.llm.keys import SecretKey, hide
from oreline.llm.opening import open_provider
from oreline.llm.retrying import Retry
from oreline.stages.asking import Ask, FillLanes
from secrets_house import forms, holding, leaks
from server_faults import FaultKind

from gemini_server import GeminiServer
from house import unrun_pipeline

MARKED = "AIza+marked/7f3a=c0de&9e1f"
LINES = [f"Document {number} tells of rivers." for number in range(12)]


def secrets_of(api: Api, account: Path) -> list[str]:
    """Returns all that must not be found: the key, or the tokens that were given and each line of the private key."""
    if not isinstance(api.server, GeminiServer) or api.name != "Vertex AI":
        return [MARKED]
    private = json.loads(account.read_text())["private_key"].splitlines()[1:-1]
    return [*api.server.accounts.tokens, *(line for line in private if len(line) > 32)]


@pytest.fixture(params=MAKERS)
def careless(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Api, Path]]:
    """A server that repeats what it is asked with, and the folder of its credentials, away from what is searched."""
    folder = tmp_path / "credentials"
    folder.mkdir()
    with serving(request.param, folder, key=MARKED) as api:
        api.server.leaking = True
        yield api, folder / "service-account.json"


def recipe_text(api: Api) -> str:
    settings = {"model": "gemini-3.5-flash-lite", "base_url": api.server.url, "server": "local", **api.settings}
    return f"output: out\nsources: [docs/]\nllm: {json.dumps({**settings, 'call_attempts': 2})}\n"


@dataclass
class Arguments:
    """What the processes of a session were started with."""

    session: int
    seen: set[bytes] = field(default_factory=set)

    def look(self) -> None:
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                try:
                    if os.getsid(int(folder.name)) == self.session:
                        self.seen.add((folder / "cmdline").read_bytes())
                except OSError:  # it has ended
                    continue


def write_run(folder: Path, api: Api, more: str = "") -> None:
    """Writes pages and a recipe, and lets the server fail in many ways."""
    write_pages(folder)
    (folder / "recipe.yaml").write_text(recipe_text(api) + more)
    for name in ("home", "temporary"):
        (folder / name).mkdir()
    kinds: dict[FaultKind, str] = {
        "server": "derailleur", "bad_request": "glacier", "garbage": "violin", "reset": "moon",
    }  # fmt: skip
    for kind, word in kinds.items():
        api.server.fault(kind, word)


def test_a_whole_run_with_faults_and_a_refused_key_leaves_no_secret_anywhere(
    careless: tuple[Api, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    api, account = careless
    folder = tmp_path / "run"
    write_run(folder, api)
    api.server.fault("forbidden", after=5)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(folder / "home"))
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "temporary"))
    assert main(["run", "recipe.yaml", "--until", "synthesize", "--verbose"]) == 2
    captured = capfd.readouterr()
    assert "403" in captured.err
    secrets = secrets_of(api, account)
    assert holding((captured.out + captured.err).encode(), secrets) == []
    assert leaks(folder, secrets) == []
    assert len(list(folder.rglob("*.parquet"))) > 5
    assert "403" in (folder / "out" / "run.log").read_text()


def test_processes_and_what_they_leave_hold_no_secret(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with serving("Gemini Developer API", tmp_path, key=MARKED) as api:
        api.server.leaking = True
        write_run(folder, api, "beam: {workers: 2}\n")
        home, temporary = str(folder / "home"), str(folder / "temporary")
        variables = {"GEMINI_API_KEY": MARKED, "HOME": home, "TMPDIR": temporary}
        process = begin(folder, "run", "recipe.yaml", "--until", "synthesize", "--verbose", variables=variables)
        arguments = Arguments(process.pid)

        def asked() -> bool:
            arguments.look()
            return len(api.server.calls) >= 8

        wait_until(process, asked)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert holding((out + err).encode(), [MARKED]) == []
    assert leaks(folder, [MARKED]) == []
    assert len(arguments.seen) >= 2, "the run and its workers"
    assert holding(b"\n".join(arguments.seen), [MARKED]) == []


def test_errors_stops_and_a_crash_with_its_traceback_hold_no_secret(
    careless: tuple[Api, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    api, account = careless
    folder = tmp_path / "run"
    single: tuple[FaultKind, ...] = ("server", "unavailable", "bad_request", "garbage", "reset")
    lasting: tuple[FaultKind, ...] = ("unauthorized", "unknown_model", "quota")
    for line, kind in enumerate(single):
        api.server.fault(kind, LINES[line])
    with caplog.at_level(logging.DEBUG):
        whole = faulty(folder, api, ["\n".join(LINES)])
        assert whole.run().counts["answer_rejects"] == 5
        told = [detail for _, detail in whole.told().values()]
        api.server.faults.clear()
        for kind in lasting:
            api.server.fault(kind)
            report = faulty(folder / kind, api, ["\n".join(LINES)]).run()
            assert report.message is not None
            told.append(report.message)
            api.server.faults.clear()
        api.server.fault("server", times=1)
        broken = faulty(folder / "broken", api, ["\n".join(LINES)])
        broken.fails_at = "Document 7"
        broken.__post_init__()
        with pytest.raises(RuntimeError, match="the task broke") as crash:
            broken.run()
    told.append("".join(traceback.format_exception(crash.value)))
    captured = capfd.readouterr()
    secrets = secrets_of(api, account)
    assert holding("\n".join([*told, caplog.text, captured.out, captured.err]).encode(), secrets) == []
    assert leaks(folder, secrets) == []
    assert any("<key>" in each or "<token>" in each for each in told), "the server did repeat it"


def test_a_graph_and_what_is_pickled_into_it_hold_no_secret(careless: tuple[Api, Path], tmp_path: Path) -> None:
    api, account = careless
    asking = faulty(tmp_path / "run", api, ["\n".join(LINES)])
    asking.run()
    provider = open_provider(asking.llm)
    with unrun_pipeline() as pipeline:
        _ = pipeline | beam.Create([b""]).with_output_types(bytes) | Ask(asking.job, asking.llm, asking.task)
        graph = pipeline.to_runner_api().SerializeToString()
    assert holding(graph, ["class WordsTask", "gemini-3.5-flash-lite"]) == ["gemini"], "the search sees into it"
    pickled = pickle.dumps(FillLanes(asking.job, asking.llm, asking.task, Retry()))
    assert holding(graph + pickled, secrets_of(api, account)) == []
    assert holding(repr(provider).encode() + repr(vars(provider)).encode(), secrets_of(api, account)) == []


def test_a_key_shows_itself_in_no_way_and_hides_itself_in_every_form() -> None:
    key = SecretKey(MARKED)
    assert MARKED not in f"{key!r} {key} {[key]} { ({'a': key}) }"
    with pytest.raises(TypeError):
        pickle.dumps(key)
    told = [
        MARKED,
        quote(MARKED),
        quote(MARKED, safe=""),
        MARKED.encode().hex(),
        *(
            base64.b64encode((before + MARKED + after).encode()).decode()
            for before in ("", "a", "ab")
            for after in ("", "z")
        ),
        base64.urlsafe_b64encode(f"user:{MARKED}".encode()).decode(),
    ]
    hidden = key.hide(f"asked with {'; '.join(told)}.")
    assert holding(hidden.encode(), [MARKED]) == []
    assert hidden.startswith("asked with <key>; <key>; <key>; <key>; ")
    assert hide("nothing of it", MARKED) == "nothing of it"


def test_the_search_finds_a_secret_in_every_place_where_it_looks(tmp_path: Path) -> None:
    for number, form in enumerate(forms(MARKED)):
        (tmp_path / f"form-{number}").write_bytes(b"x" + form + b"y")
    table = pa.table({"a": ["b", f"it is {MARKED}"] * 500})
    for compression in ("zstd", "snappy", "gzip"):
        pq.write_table(table, tmp_path / f"table-{compression}.parquet", compression=compression)
    (tmp_path / MARKED.replace("/", "")).touch()
    assert len(leaks(tmp_path, [MARKED, MARKED.replace("/", "")])) == len(list(tmp_path.iterdir()))
