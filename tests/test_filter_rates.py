"""Drop rates: every query is counted once in each dimension, with its fate, and a table shows it."""

from io import StringIO
from pathlib import Path
from typing import cast

from rich.console import Console

from oreline.filters.rates import dimensions
from oreline.ids import Json
from oreline.reports.plain import Report, print_report
from oreline.reports.rates import MOST_VALUES, rates_report
from oreline.reports.show import show
from oreline.tables.manifest import Books, Manifest
from query_world import pair, query, run_filter

from house import recipe_for

Rates = dict[str, dict[str, dict[str, int]]]

QUERIES = [
    query("a", "why do sharks keep moving", lang="en-GB"),
    query("b", "Why do  sharks keep moving"),
    query("c", "sharks", dataset="e", task_type="fact_checking"),
    query("h", "warum bleiben Segler so lange in der Luft", "human"),
]


def printed(report: Report) -> str:
    file = StringIO()
    print_report(report, Console(file=file, width=160))
    return file.getvalue()


def with_facts(facts: dict[str, Json]) -> Manifest:
    return Manifest("filter", 1, "", {}, {}, Books(), {}, {}, "", facts)


def rates(manifest: Manifest) -> Rates:
    return cast("Rates", manifest.facts["rates"])


def test_every_query_is_counted_once_in_each_dimension(tmp_path: Path) -> None:
    found = rates(run_filter(recipe_for(tmp_path), QUERIES, [pair("a", "one"), pair("b", "one")]))
    assert found == {
        "dataset": {"d": {"kept": 2, "merged": 1}, "e": {"too_few_words": 1}},
        "language": {"de": {"kept": 1}, "en": {"kept": 1, "merged": 1}, "-": {"too_few_words": 1}},
        "task": {"retrieval": {"kept": 2, "merged": 1}, "fact_checking": {"too_few_words": 1}},
        "writer": {"w": {"kept": 1, "merged": 1, "too_few_words": 1}, "human": {"kept": 1}},
    }


def test_the_counts_are_the_books(tmp_path: Path) -> None:
    manifest = run_filter(recipe_for(tmp_path), QUERIES, [pair("a", "one"), pair("b", "one")])
    for values in rates(manifest).values():
        assert sum(sum(fates.values()) for fates in values.values()) == manifest.books.units.count
        assert sum(fates.get("kept", 0) for fates in values.values()) == manifest.books.kept.count
        assert sum(fates.get("merged", 0) for fates in values.values()) == manifest.books.merged.count


def test_a_language_that_is_no_code_is_unknown() -> None:
    assert dimensions(query("q", "why", lang="English (British)"))["language"] == "-"
    assert dimensions(query("q", "why", lang="pt_BR"))["language"] == "pt"


def test_show_tells_the_rates_of_a_finished_filter(tmp_path: Path) -> None:
    run_filter(recipe_for(tmp_path), QUERIES, [pair("a", "one"), pair("b", "one")])
    text = printed(show(str(tmp_path / "filter"), limit=0))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "writer w 3 1 1 1 33.3% too_few_words 1" in lines
    assert "human 1 1 0 0 0.0%" in lines
    assert '"rates"' not in text
    assert "queries of filter: 2 of 2 rows" in printed(show(str(tmp_path / "filter"), limit=2)), "and not the pairs"
    assert "rates:" not in text


def test_the_table_shows_the_largest_values_and_sums_up_the_rest() -> None:
    values: dict[str, Json] = {
        f"d{number:02d}": {"kept": 100 - number, "low_rate": 1} for number in range(MOST_VALUES + 2)
    }
    text = printed(rates_report(with_facts({"rates": {"dataset": values}})))
    assert "2 more" in text
    assert "d11" in text
    assert "d12" not in text


def test_histograms_are_told_by_source() -> None:
    text = printed(
        rates_report(with_facts({"ratings": {"d": {"w": {"3": 5, "1": 2}}}, "rating_cuts": [["d", "w", 2.0]]}))
    )
    assert "ratings of d w: 1: 2, 3: 5" in text
    assert "rating_cuts of d w: 2.0" in text
