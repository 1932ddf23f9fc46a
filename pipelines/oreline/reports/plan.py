"""What a run would do: which stages run, which are there, and what the models would cost. Spends nothing."""

from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table

from oreline.forecast.asked import StageForecast
from oreline.forecast.budgets import Outlook
from oreline.forecast.money import ModelForecast
from oreline.forecast.ranges import Range, total
from oreline.forecast.whole import Forecast
from oreline.ids import Json
from oreline.planning import Planned
from oreline.progress import duration
from oreline.reports.plain import Report, words

_SHOWN = {
    "skipped": "skipped",
    "finished": "is there",
    "adopt": "is adopted",
    "run": "runs",
    "depends": "runs, unless its inputs turn out equal",
    "left_out": "left out",
}
_COLUMNS = ("calls", "tokens in", "tokens out", "dollars", "time")


def plan_report(plan: Sequence[Planned], forecast: Forecast) -> Report:
    """Returns the plan for a terminal: stages, then what models would be asked, and what the numbers rest on."""
    report: Report = [plan_table(plan)]
    if not forecast.stages:
        # The notes tell of models that are no LLM: those that make vectors, or measure.
        called = "No LLM would be called." if forecast.notes else "No model would be called."
        return [*report, words(called), *map(words, forecast.notes)]
    report.append(cost_table(forecast))
    report.extend(words(line) for line in _told(forecast))
    report.extend(words(f"Warning: {line}", "yellow") for line in forecast.warnings)
    return report


def plan_table(plan: Sequence[Planned]) -> Table:
    """Returns the stages of a plan as a table."""
    table = Table(title="What a run would do", title_justify="left")
    for heading in ("stage", "what", "units", "why"):
        table.add_column(heading, justify="right" if heading == "units" else "left")
    for each in plan:
        units = "" if each.units is None else f"{each.units:,}"
        table.add_row(each.stage.name, _SHOWN[each.status], units, each.cause)
    return table


def cost_table(forecast: Forecast) -> Table:
    """Returns calls, tokens, dollars and time by stage, what is expected above its range; a row per model of several.

    It fits into 80 columns.
    """
    table = Table(
        title="What it would ask of models: expected, and from low to high",
        title_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
        padding=(0, 0, 0, 1),
    )
    table.add_column("stage, model", overflow="fold")
    for heading in _COLUMNS:
        table.add_column(heading, justify="right", no_wrap=True)
    for stage in forecast.stages:
        numbers = (stage.calls, stage.prompt_tokens, stage.output_tokens)
        table.add_row(stage.label, *_cells(numbers, stage.dollars, stage.seconds))
        for model in stage.models if len(stage.models) > 1 else ():
            own = model.drawn_calls
            price = model.price_of(own)
            table.add_row(
                model.model, *_cells((own, own * model.prompt_tokens, own * model.output_tokens), price, None)
            )
    if len(forecast.stages) > 1:
        sums = [(each.calls, each.prompt_tokens, each.output_tokens) for each in forecast.stages]
        numbers = (
            total([each[0] for each in sums]),
            total([each[1] for each in sums]),
            total([each[2] for each in sums]),
        )
        table.add_row("all", *_cells(numbers, forecast.dollars, forecast.seconds))
    return table


def plan_json(plan: Sequence[Planned], forecast: Forecast) -> Json:
    """Returns the plan as data; ranges are [low, expected, high], what is not known is null."""
    stages: list[Json] = [
        {"stage": each.stage.name, "status": each.status, "cause": each.cause, "units": each.units} for each in plan
    ]
    return {
        "stages": stages,
        "calls": [_stage_json(each) for each in forecast.stages],
        "all": {
            "calls": _bounds(forecast.calls),
            "tokens": _bounds(forecast.tokens),
            "dollars": _bounds(forecast.dollars),
            "batch_dollars": _bounds(forecast.batch_dollars),
            "seconds": _bounds(forecast.seconds),
        },
        "budgets": [_outlook_json(each) for each in forecast.outlooks],
        "warnings": [*forecast.warnings],
        "notes": [*forecast.notes],
    }


def _cells(numbers: Sequence[Range], dollars: Range | None, seconds: Range | None) -> Iterator[str]:
    for cell in (*map(_numbers, numbers), _money(dollars), _time(seconds)):
        yield "\n".join(dict.fromkeys(cell))


def _numbers(number: Range) -> tuple[str, str]:
    whole = number.rounded()
    return _short(whole.expected), f"{_short(whole.low)}-{_short(whole.high)}" if not whole.exact else _short(whole.low)


def _short(number: float) -> str:
    for size, sign in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if number >= size:
            unit = 1e3 if sign == "k" else size
            value = number / unit
            return f"{value:.1f}{sign}" if value < 100 else f"{value:,.0f}{sign}"
    return f"{number:,.0f}"


def _money(dollars: Range | None) -> tuple[str, str]:
    if dollars is None:
        return "?", "?"
    return _dollars(dollars.expected), f"{_dollars(dollars.low)}-{_dollars(dollars.high)}"


def _dollars(number: float) -> str:
    return f"{number:,.2f}" if number >= 1 or number == 0 else f"{number:.2g}"


def _time(seconds: Range | None) -> tuple[str, str]:
    if seconds is None:
        return "", ""
    return duration(seconds.expected), f"{_clock(seconds.low)}-{_clock(seconds.high)}"


def _clock(seconds: float) -> str:
    """Returns a time span in few signs: 45s, 12min, 3.5h."""
    if seconds < 60:
        return f"{seconds:.0f}s"
    return f"{seconds / 60:.0f}min" if seconds < 3600 else f"{seconds / 3600:.1f}h"


def _told(forecast: Forecast) -> Iterator[str]:
    batch = forecast.batch_dollars
    if batch is not None:
        expected, bounds = _money(batch)
        yield f"In batch mode the same calls would cost {expected} dollars ({bounds}); oreline calls online."
    yield "The time is that of the calls alone. Nothing was spent."
    for model in dict.fromkeys(
        (each.provider, each.model, str(each.price) if each.price else "price not known")
        for stage in forecast.stages
        for each in stage.models
    ):
        yield f"{model[0]} {model[1]}: {model[2]}"
    for stage in forecast.stages:
        yield "; ".join([f"{stage.label}: {_requests_told(stage)}", *stage.basis])
    yield from forecast.notes
    for outlook in forecast.outlooks:
        yield f"{outlook.told}."


def _requests_told(stage: StageForecast) -> str:
    whole = stage.requests.rounded()
    if stage.journaled is None:
        return f"{whole.low:,.0f} requests" if whole.exact else f"{whole.low:,.0f} to {whole.high:,.0f} requests"
    number = f"{whole.expected:,.0f} requests" if stage.exact else f"about {whole.expected:,.0f} requests"
    return f"{number}, {stage.journaled:,} of them answered in the journal"


def _stage_json(stage: StageForecast) -> Json:
    return {
        "stage": stage.stage,
        "scorer": stage.scorer,
        "exact": stage.exact,
        "requests": _bounds(stage.requests),
        "journaled": stage.journaled,
        "calls": _bounds(stage.calls),
        "tokens": _bounds(stage.tokens),
        "dollars": _bounds(stage.dollars),
        "batch_dollars": _bounds(stage.batch_dollars),
        "seconds": _bounds(stage.seconds),
        "models": [_model_json(each) for each in stage.models],
        "basis": [*stage.basis],
    }


def _model_json(model: ModelForecast) -> Json:
    return {
        "provider": model.provider,
        "model": model.model,
        "price": None if model.price is None else str(model.price),
        "calls": _bounds(model.drawn_calls),
        "prompt_tokens_per_call": _bounds(model.prompt_tokens),
        "output_tokens_per_call": _bounds(model.output_tokens),
        "dollars": _bounds(model.price_of(model.drawn_calls)),
    }


def _outlook_json(outlook: Outlook) -> Json:
    return {
        "stages": [*outlook.stages],
        "budget_dollars": outlook.budget.dollars,
        "budget_tokens": outlook.budget.tokens,
        "spent_dollars": outlook.spent_dollars,
        "spent_tokens": outlook.spent_tokens,
        "stops_in": outlook.stops_in,
        "may_stop_in": outlook.may_stop_in,
    }


def _bounds(number: Range | None) -> Json:
    return None if number is None else [number.low, number.expected, number.high]
