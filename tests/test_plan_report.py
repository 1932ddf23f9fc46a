"""`oreline plan`: readable at 80 columns and as JSON, without a key, without a network, without a trace."""

import json
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from io import StringIO
from pathlib import Path
from threading import Event

import pytest
from rich.console import Console

from line_house import write_pages
from oreline.cli import main
from oreline.forecast.asked import StageForecast
from oreline.forecast.counters import nowhere
from oreline.forecast.ranges import ZERO, Range
from oreline.forecast.telling import Telling
from oreline.forecast.whole import Forecast, forecast
from oreline.preflight import check, models_told
from oreline.recipe.loading import recipe_from
from oreline.reports.plain import print_report
from oreline.reports.plan import plan_report

from gemini_server import GeminiServer


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_pages(tmp_path)
    monkeypatch.chdir(tmp_path)
    for name in ("GEMINI_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def server() -> Iterator[GeminiServer]:
    with GeminiServer() as running:
        yield running


def recipe_of(url: str = "http://127.0.0.1:9", more: str = "") -> dict[str, object]:
    llm: dict[str, object] = {"model": "gemini-3.5-flash-lite", "base_url": url, "server": "local"}
    section = f"{{model: gemini-3.5-flash-lite, base_url: '{url}', server: local{more}}}"
    Path("recipe.yaml").write_text(f"output: out\nsources: [docs/]\nllm: {section}\n")
    return {"output": "out", "sources": ["docs/"], "llm": llm}


def files_of(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def plan(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["plan", "recipe.yaml", *arguments]) == 0
    return capsys.readouterr().out


def test_a_plan_needs_no_key_and_says_what_could_not_be_counted(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe_of()
    before = files_of(folder)
    told = " ".join(plan(capsys).split())
    assert "prompts estimated from their characters: no key for Gemini" in told
    assert "Nothing was spent" in told
    assert files_of(folder) == before


def test_with_a_key_the_provider_counts_some_prompts_and_answers_none(
    folder: Path, server: GeminiServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe_of(server.url)
    monkeypatch.setenv("GEMINI_API_KEY", server.key)
    before = files_of(folder)
    assert "prompts as the provider counts" in " ".join(plan(capsys).split())
    assert server.counted > 0
    assert server.bodies == []
    assert files_of(folder) == before


def test_offline_reaches_no_network(
    folder: Path, server: GeminiServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert folder.is_dir()
    recipe_of(server.url)
    monkeypatch.setenv("GEMINI_API_KEY", server.key)
    assert "--offline" in plan(capsys, "--offline")
    assert server.counted == 0


@pytest.mark.usefixtures("folder")
def test_a_server_out_of_reach_is_no_error(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    recipe_of(more=", timeout: 2.0")
    monkeypatch.setenv("GEMINI_API_KEY", "marked-key-90210")
    told = plan(capsys)
    assert "the provider did not count" in " ".join(told.split())
    assert "ssl:" not in told
    assert "marked-key-90210" not in told


@pytest.mark.usefixtures("folder")
def test_a_plan_as_json_holds_ranges(capsys: pytest.CaptureFixture[str]) -> None:
    recipe_of()
    found = json.loads(plan(capsys, "--json", "--offline"))
    assert [each["stage"] for each in found["calls"]] == ["synthesize", "filter", "judge"]
    for each in found["calls"]:
        for name in ("calls", "tokens", "dollars", "batch_dollars", "seconds"):
            low, expected, high = each[name]
            assert 0 <= low <= expected <= high
        assert each["batch_dollars"][1] == pytest.approx(each["dollars"][1] / 2)
        assert each["models"][0]["price"].startswith("0.3/2.5 dollars per million tokens in/out, price of 20")
    assert found["all"]["dollars"][2] == pytest.approx(sum(each["dollars"][2] for each in found["calls"]))
    assert found["budgets"][0]["budget_dollars"] == 5.0


@pytest.mark.usefixtures("folder")
def test_the_report_is_readable_at_eighty_columns() -> None:
    recipe = recipe_of()
    further = [{"model": "gemini-4-hydrogen"}, {"model": "gemini-3.8-flash"}]
    loaded = recipe_from({**recipe, "llm": {**dict(recipe["llm"]), "further_models": further}})  # type: ignore[call-overload]
    planned = check(loaded, access=False)
    costs = forecast(loaded.recipe, planned, adopt_from=None, counter=nowhere, progress=lambda _: None)
    out = StringIO()
    print_report(plan_report(planned, costs), Console(file=out, width=80))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert not any("…" in line for line in lines)
    for word in ("gemini-4-hydrogen", "synthesize", "all", "dollars"):
        assert any(word in line for line in lines), word


@pytest.mark.usefixtures("folder")
def test_a_price_that_is_not_known_stops_plan_and_run_alike(capsys: pytest.CaptureFixture[str]) -> None:
    recipe_of()
    for command in ("plan", "run"):
        assert main([command, "recipe.yaml", "--set", "llm.model=gemini-unheard-of"]) == 2
        assert "the price of gemini gemini-unheard-of is not known; set llm.budget_tokens" in capsys.readouterr().err
    assert main(["plan", "recipe.yaml", "--set", "llm.model=gemini-unheard-of", "--set", "llm.budget_tokens=99"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "gemini gemini-unheard-of: price not known" in told
    assert "It is not enough: a run would stop in synthesize; set llm.budget_tokens to" in told


@pytest.mark.usefixtures("folder")
def test_a_retired_model_is_warned_about_by_plan_and_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("recipe.yaml").write_text("output: out\nsources: [docs/]\nllm: {model: gemini-2.5-pro}\n")
    told = " ".join(plan(capsys, "--offline").split())
    assert "Warning: gemini-2.5-pro" in told
    assert "gemini-3.8-flash answers in its place" in told
    monkeypatch.setenv("GEMINI_API_KEY", "any")
    loaded = recipe_from({"output": "out", "sources": ["docs/"], "llm": {"model": "gemini-2.5-pro"}})
    first, warning = models_told(loaded.recipe, check(loaded))
    assert first.startswith("gemini gemini-2.5-pro for synthesize, filter, judge: key from GEMINI_API_KEY, 1.25/10 ")
    assert first.endswith("budget 5 dollars (the default; set llm.budget_usd)")
    assert warning.startswith("warning: gemini-2.5-pro ")


@pytest.mark.usefixtures("folder")
def test_without_a_model_nobody_is_called(capsys: pytest.CaptureFixture[str]) -> None:
    Path("recipe.yaml").write_text("output: out\nsources: [docs/]\nselect: {negatives: 0}\n")
    assert "No model would be called." in plan(capsys)
    assert json.loads(plan(capsys, "--json"))["calls"] == []


@pytest.mark.usefixtures("folder")
def test_vectors_that_cost_money_are_told_without_an_llm(capsys: pytest.CaptureFixture[str]) -> None:
    Path("recipe.yaml").write_text(
        "output: out\nsources: [docs/]\nencoder: {provider: gemini, model: gemini-embedding-001}\n"
    )
    told = " ".join(plan(capsys).split())
    assert "No model would be called" not in told
    assert "No LLM would be called. embed: gemini gemini-embedding-001 would get " in told
    assert " dollars (0.15 dollars per million tokens, price of 2026" in told


@pytest.mark.usefixtures("folder")
def test_what_an_earlier_output_has_is_counted_there(capsys: pytest.CaptureFixture[str]) -> None:
    recipe_of()
    assert main(["run", "recipe.yaml", "--until", "dedup", "--set", "output=old", "--examples", "0"]) == 0
    capsys.readouterr()
    found = json.loads(plan(capsys, "--json", "--offline", "--from", "old", "--set", "output=new"))
    written = found["calls"][0]
    assert (written["stage"], written["exact"], written["requests"], written["journaled"]) == (
        "synthesize", True, [9.0, 9.0, 9.0], 0,
    )  # fmt: skip
    assert not Path("new").exists()


@pytest.mark.usefixtures("folder")
def test_a_plan_can_be_made_over_a_table_that_a_run_would_mend(capsys: pytest.CaptureFixture[str]) -> None:
    recipe_of()
    assert main(["run", "recipe.yaml", "--until", "dedup", "--examples", "0"]) == 0
    capsys.readouterr()
    for part in Path("out/dedup/documents").iterdir():
        part.unlink()
    found = json.loads(plan(capsys, "--json", "--offline"))
    assert [each["status"] for each in found["stages"][:3]] == ["finished", "run", "run"]
    assert found["calls"][0]["requests"][2] >= 9.0


@pytest.mark.usefixtures("folder")
def test_requests_are_one_number_where_they_are_known_and_nothing_follows_where_nothing_is_asked() -> None:
    recipe = recipe_from(recipe_of()).recipe
    assert recipe.llm is not None
    asked = StageForecast(
        "judge",
        recipe.llm,
        exact=False,
        requests=Range.exactly(224.0),
        journaled=None,
        models=(),
        seconds=ZERO,
        basis=(),
    )
    settled = replace(asked, stage="filter", exact=True, journaled=224)
    out = StringIO()
    print_report(plan_report([], Forecast([asked, settled])), Console(file=out, width=80))
    assert out.getvalue().splitlines()[-2:] == [
        "judge: 224 requests",
        "filter: 224 requests, 224 of them answered in the journal",
    ]


class _Heard(StringIO):
    """A stream that says when something was written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = Event()

    def flush(self) -> None:
        super().flush()
        self.heard.set()


def test_a_step_that_takes_long_is_told_while_it_is_done_and_a_quick_one_is_not() -> None:
    out = _Heard()
    with Telling(out, time.monotonic, patience=60.0).during("being quick"):
        pass
    with Telling(out, time.monotonic, patience=0.0).during("reading the journal"):
        assert out.heard.wait(10.0)
    assert out.getvalue() == "plan: reading the journal\n"


@pytest.mark.usefixtures("folder")
def test_every_step_of_a_plan_that_may_take_long_has_a_name() -> None:
    steps: list[str] = []

    def during(step: str) -> AbstractContextManager[None]:
        steps.append(step)
        return nullcontext()

    loaded = recipe_from(recipe_of())

    def planned() -> None:
        plan = check(loaded, access=False)
        forecast(loaded.recipe, plan, adopt_from=None, counter=nowhere, progress=lambda _: None, during=during)

    planned()
    assert steps[:2] == ["reading the journal", "reading source docs/, for 10 seconds or somewhat longer"]
    assert [step.partition(" tokens of ")[0] for step in steps[2:]] == ["having gemini count the"]
    assert main(["run", "recipe.yaml", "--until", "dedup", "--examples", "0"]) == 0
    steps.clear()
    planned()
    counted = [f"counting what {stage} has written" for stage in ("ingest", "dedup")]
    asked = [step for step in steps if step.startswith("having gemini count the tokens of ")]
    assert len(asked) == 1
    assert steps == ["reading the journal", *counted, "rendering the requests of synthesize", *asked]


def test_a_long_count_tells_how_far_it_is() -> None:
    seconds = iter([0.0, 1.0, 4.0, 5.0, 8.0])
    out = StringIO()
    telling = Telling(out, lambda: next(seconds))
    for rendered in (1_000, 2_000, 3_000, 4_000):
        telling(rendered)
    assert out.getvalue() == "plan: 2,000 requests rendered\nplan: 4,000 requests rendered\n"
