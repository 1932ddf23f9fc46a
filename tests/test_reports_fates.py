"""The table of fates adds up, names the largest drops, and says why a stage was skipped."""

import io
import json
from pathlib import Path

from rich.console import Console

from export_world import finish_world, triple
from oreline.ids import Tally
from oreline.reports.fates import all_fates, fates_json, fates_table, largest_drops, stage_fates
from oreline.tables.manifest import Books, Manifest

from house import recipe_for, run_stage


def manifest(stage: str, *counts: int, drops: dict[str, int] | None = None) -> Manifest:
    tallies = [Tally.of(str(n) for n in range(count)) for count in counts]
    return Manifest(stage, 1, "", {}, {}, Books(*tallies), drops or {}, {}, "2026-01-01T00:00:00Z")


def printed(table: object, width: int = 80) -> str:
    file = io.StringIO()
    Console(file=file, width=width).print(table)
    return file.getvalue()


def test_in_equals_kept_merged_passed_over_and_dropped(tmp_path: Path) -> None:
    recipe = recipe_for(tmp_path, export={"short_rows": "drop"})
    finish_world(recipe, [triple("q0", ["d0"], ["d1", "d2", "d3", "d4"]), triple("q1", ["d0"], ["d1"])])
    inputs = {"triples": "select", "documents": "synthesize", "queries": "filter"}
    line = stage_fates(run_stage(recipe, "export", inputs))
    assert (line.units, line.kept, line.merged, line.passed_over, line.dropped) == (2, 1, 0, 0, 1)
    assert line.drops == (("format_cannot_hold", 1),)
    assert dict(line.rows) == {"train/sentence-transformers": 1}


def test_stages_stand_in_order_and_skipped_ones_say_why() -> None:
    manifests = {"select": manifest("select", 3, 3), "ingest": manifest("ingest", 5, 5)}
    lines = all_fates(manifests, {"judge": "no llm in the recipe"})
    assert [line.stage for line in lines] == ["ingest", "judge", "select"]
    text = printed(fates_table(manifests, {"judge": "no llm in the recipe"}))
    assert "skipped: no llm in the recipe" in text


def test_the_largest_reasons_are_named_and_the_rest_summed() -> None:
    drops = {"empty": 1, "exact_duplicate": 70, "near_duplicate": 20, "too_long": 5, "unreadable": 3, "refused": 1}
    text = printed(fates_table({"dedup": manifest("dedup", 100, 0, 0, 0, 100, drops=drops)}, {}))
    assert text.index("exact_duplicate 70") < text.index("near_duplicate 20") < text.index("unreadable 3")
    assert "2 more reasons 2" in text


def test_the_table_fits_80_columns_and_keeps_large_numbers_whole() -> None:
    text = printed(fates_table({"ingest": manifest("ingest", 1_000_000, 1_000_000)}, {}))
    assert text.count("1,000,000") == 2
    assert max(map(len, text.splitlines())) <= 80


def test_json_has_a_line_per_stage_with_every_reason() -> None:
    drops = {f"reason_{n}": n for n in range(1, 9)}
    lines = fates_json({"dedup": manifest("dedup", 40, 4, 0, 0, 36, drops=drops)}, {"embed": "select.negatives is 0"})
    assert json.loads(json.dumps(lines)) == lines
    first, second = lines
    assert isinstance(first, dict)
    assert first["drops"] == drops
    assert (first["in"], first["unit"]) == (40, "documents")
    assert second == {"stage": "embed", "skipped": "select.negatives is 0"}


def test_the_largest_drops_of_a_run_stand_first() -> None:
    manifests = {
        "dedup": manifest("dedup", drops={"exact_duplicate": 5}),
        "select": manifest("select", drops={"no_positive": 9, "low_grade": 1}),
    }
    assert largest_drops(manifests, 2) == [("select", "no_positive", 9), ("dedup", "exact_duplicate", 5)]
