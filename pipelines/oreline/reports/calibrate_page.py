"""The page of `oreline calibrate --html`: curves, score bands and the suggestion in one file that loads nothing."""

from collections.abc import Sequence
from html import escape

from oreline.calibration.calibration import Calibration
from oreline.calibration.yields import Yield
from oreline.recipe.settings import Ceiling, MarginCeiling, PercentCeiling, ScoreCeiling
from oreline.reports.charts import Chart, Line

_STYLE = """
:root { --ink: #1c2430; --soft: #5b6675; --paper: #fff; --rule: #d9dee5; --one: #1f5fbf; --two: #b45f06;
  --three: #6b7a8c }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ee; --soft: #a3adba; --paper: #14181e; --rule: #333c48; --one: #7fb0ff; --two: #f0a95b;
    --three: #93a1b3 }
}
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 1360px;
  margin: 2rem auto; padding: 0 1.2rem }
h1 { font-size: 1.3rem } h2 { font-size: 1.05rem; margin-top: 2rem } p { max-width: 75ch }
.figures { display: flex; flex-wrap: wrap; gap: 1.2rem } figure { margin: 0; width: 420px; max-width: 100% }
figcaption { font-weight: 600 } svg { width: 100%; height: auto } svg text { font-size: 11px; fill: var(--soft) }
.grid { stroke: var(--rule) } .mark { stroke: var(--ink); stroke-dasharray: 2 3 }
.key { margin-right: 1em; font-size: 13px } .key i { display: inline-block; width: .8em; height: .8em;
  margin-right: .4em }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; display: block; overflow-x: auto }
th, td { text-align: right; padding: .2rem .8rem; border-bottom: 1px solid var(--rule) }
th:first-child, td:first-child { text-align: left } .own { font-weight: 600 } code { font-size: 14px }
.box { border-left: 4px solid var(--one); padding: .2rem 1rem }
"""
_KINDS = {"percent": "ceiling, % of the positive", "margin": "margin below the positive", "score": "highest score"}


def page(found: Calibration) -> str:
    """Returns the page of a calibration."""
    suggestion = found.suggestion
    facts = (
        f"{found.queries:,} queries, {found.candidates:,} stored candidates, {found.negatives} negatives per row. "
        + (f"{found.without_row:,} queries are left out, as select drops them anyway. " if found.without_row else "")
        + _SOURCES[found.source]
    )
    parts = [
        f"<h1>Calibration of {escape(found.output)}</h1><p>{facts}</p>",
        f'<div class="box"><p><b>Suggested:</b> <code>{escape(suggestion.settings)}</code></p>',
        f"<p>{escape(suggestion.reason[0].upper() + suggestion.reason[1:])}.</p></div>",
        "<h2>Rows that each ceiling fills</h2>",
        f'<div class="figures">{"".join(_curve(found, kind) for kind in found.curves)}</div>',
        "<h2>How hard the negatives are</h2>",
        f'<div class="figures">{"".join(_hardness(found, kind) for kind in found.curves)}</div>',
        _relevant(found),
        "<h2>Scores</h2>",
        f'<div class="figures">{_histogram(found)}{_bands_chart(found)}</div>',
        "<h2>Rules</h2>",
        _rules(found),
        "<h2>Candidates by score</h2>",
        _bands(found),
        _shortages(found),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width"><title>Calibration of {escape(found.output)}</title><style>{_STYLE}</style>'
        f"</head><body>{''.join(parts)}</body></html>\n"
    )


_SOURCES = {
    "verdicts": "Which candidates are relevant is what the judge found.",
    "labels": "Which candidates are relevant is what the labels say, for queries with relevant documents that the run "
    "was not shown; they may miss some.",
    None: "Nobody says which candidates are relevant: give --labels, or run judge.",
}


def _value(ceiling: Ceiling) -> float | None:
    match ceiling:
        case PercentCeiling(percent_of_positive=share):
            return 100 * share
        case MarginCeiling(margin=margin):
            return margin
        case ScoreCeiling(score=score):
            return score
    return None


def _points(curve: Sequence[Yield]) -> list[tuple[float, Yield]]:
    return [(value, each) for each in curve if (value := _value(each.rule.ceiling)) is not None]


def _chart(found: Calibration, kind: str, title: str, top: float = 1.0) -> Chart:
    xs = [value for value, _ in _points(found.curves[kind])] or [0.0, 1.0]
    marks = []
    for name, ceiling in (("recipe", found.rules[0].rule.ceiling), ("suggested", found.suggestion.ceiling)):
        value = _value(ceiling)
        if value is not None and type(ceiling) is type(found.curves[kind][0].rule.ceiling):
            marks.append((name, value))
    return Chart(title, _KINDS[kind], "", min(xs), max(xs), top, tuple(marks))


def _curve(found: Calibration, kind: str) -> str:
    points = _points(found.curves[kind])
    lines = [
        Line("all negatives", tuple((x, each.full_share) for x, each in points)),
        Line("at least one", tuple((x, each.some / max(each.queries, 1)) for x, each in points), dashed=True),
    ]
    return _chart(found, kind, f"Share of queries, by {_KINDS[kind]}").lines(lines)


def _hardness(found: Calibration, kind: str) -> str:
    points = _points(found.curves[kind])
    hard = tuple((x, each.of_positive) for x, each in points if each.of_positive is not None)
    top = max([1.0, *(y for _, y in hard)])
    chart = _chart(found, kind, f"Mean share of the positive's score, by {_KINDS[kind]}", top)
    return chart.lines([Line("negatives", hard)])


def _relevant(found: Calibration) -> str:
    if not found.source:
        return ""
    figures = []
    for kind, curve in found.curves.items():
        points = tuple((x, each.relevant) for x, each in _points(curve) if each.relevant is not None)
        top = max([0.01, *(y for _, y in points)])
        chart = _chart(found, kind, f"Relevant among the documents picked from, by {_KINDS[kind]}", top)
        figures.append(chart.lines([Line("relevant", points)]))
    return f'<h2>How many negatives would be relevant</h2><div class="figures">{"".join(figures)}</div>'


def _histogram(found: Calibration) -> str:
    edges = found.histogram.edges
    named = [
        (name, [each / max(sum(numbers), 1) for each in numbers]) for name, numbers in found.histogram.numbers.items()
    ]
    top = max((max(values) for _, values in named if values), default=1.0)
    return Chart("Reference scores, each kind by itself", "score", "", edges[0], edges[-1], top).bars(edges, named)


def _bands_chart(found: Calibration) -> str:
    known = [(place, band) for place, band in enumerate(found.bands) if band.relevant is not None]
    if not known:
        return ""
    edges = [float(place) for place, _ in known] + [float(known[-1][0] + 1)]
    values = [band.relevant or 0.0 for _, band in known]
    title = f"Relevant candidates by score: {known[0][1].told} to {known[-1][1].told} of the positive's"
    chart = Chart(title, "band, from low to high", "", edges[0], edges[-1], max([*values, 0.01]))
    return chart.bars(edges, [("relevant", values)])


def _rules(found: Calibration) -> str:
    names = ["rule", "ranks", "all negatives", "at least one", "mean score", "% of positive", "gap"]
    names += ["relevant", "partly"] if found.source else []
    rows = []
    for place, each in enumerate(found.rules):
        cells = [
            each.rule.told,
            f"{each.rule.window[0]}-{each.rule.window[1]}",
            _percent(each.full_share),
            _percent(each.some / max(each.queries, 1)),
            _number(each.score),
            _percent(each.of_positive),
            _number(each.gap),
            *([_percent(each.relevant), _percent(each.partly)] if found.source else []),
        ]
        rows.append(_row(cells, "own" if place == 0 else ""))
    return _table(names, rows)


def _bands(found: Calibration) -> str:
    rows = [
        _row([band.told, f"{band.candidates:,}", f"{band.known:,}", _percent(band.relevant), _percent(band.partly)])
        for band in found.bands
    ]
    return _table(["score, % of the positive's", "candidates", "known of", "relevant", "partly"], rows)


def _shortages(found: Calibration) -> str:
    if not found.shortages:
        return ""
    rows = [_row([cause, f"{count:,}"]) for cause, count in sorted(found.shortages.items())]
    return "<h2>Short rows of select</h2>" + _table(["cause", "rows"], rows)


def _table(names: Sequence[str], rows: Sequence[str]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    return f"<table><tr>{head}</tr>{''.join(rows)}</table>"


def _row(cells: Sequence[str], kind: str = "") -> str:
    return f'<tr class="{kind}">{"".join(f"<td>{escape(cell)}</td>" for cell in cells)}</tr>'


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
