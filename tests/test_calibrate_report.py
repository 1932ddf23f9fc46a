"""`oreline calibrate`: its tables, its page, what it suggests, and what it says where it cannot."""

import json
import re
from pathlib import Path

import pytest

from calibration_world import candidate, mined
from oreline.cli import main
from oreline.reports.calibrate import calibration_of


def output_of(folder: Path, queries: int = 6) -> Path:
    """Writes candidates that score 90, 88, ... % of their positive, the first of them relevant."""
    rows = [
        candidate(f"q{place}", {f"p{place}": 1.0}, {f"n{place}x{rank}": 0.9 - 0.02 * rank for rank in range(8)})
        for place in range(queries)
    ]
    mined(folder, rows, select={"negatives": 2, "window": [1, 4], "pick": "hardest", "siblings": "exclude"})
    return folder


def test_without_truth_the_published_rule_is_suggested_and_said_to_know_nothing(tmp_path: Path) -> None:
    found = calibration_of(str(output_of(tmp_path)))
    assert found.suggestion.settings == "select.ceiling={percent_of_positive: 0.95}"
    assert "100.0 % of the rows (as it is now)" in found.suggestion.reason
    assert "give --labels" in found.suggestion.reason


def test_with_labels_the_hardest_ceiling_that_leaves_few_of_them_in_is_suggested(tmp_path: Path) -> None:
    output = output_of(tmp_path)
    lines = [f"q{place} 0 n{place}x0 1" for place in range(6)]
    (tmp_path / "labels.tsv").write_text("\n".join(lines))
    found = calibration_of(str(output), str(tmp_path / "labels.tsv"))
    assert found.suggestion.yields.relevant == 0.0
    assert found.suggestion.settings in {
        "select.ceiling={percent_of_positive: 0.9}",
        "select.ceiling={percent_of_positive: 0.89}",
        "select.ceiling={margin: 0.1}",
        "select.ceiling={margin: 0.11}",
    }
    assert [found.rules[0].relevant, found.rules[0].of_positive] == pytest.approx([0.5, 0.89])


def test_a_starving_pool_raises_the_ceiling_and_a_hopeless_one_says_what_to_change(tmp_path: Path) -> None:
    close = [
        candidate(f"q{place}", {f"p{place}": 1.0}, {f"n{place}x{k}": 0.97 for k in range(4)}) for place in range(3)
    ]
    mined(tmp_path / "close", close, select={"negatives": 2})
    assert calibration_of(str(tmp_path / "close")).suggestion.settings == "select.ceiling={percent_of_positive: 0.98}"
    mined(tmp_path / "few", [candidate("q", {"p": 1.0}, {"n": 0.5})], select={"negatives": 4})
    assert "raise mine.top_k and mine.spare" in calibration_of(str(tmp_path / "few")).suggestion.reason


def test_the_terminal_tells_rules_bands_scores_and_a_setting(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = output_of(tmp_path)
    assert main(["calibrate", str(output)]) == 0
    told = capsys.readouterr().out
    for piece in (
        "6 queries",
        "this recipe: 95 % of the positive",
        "shifted by 10 ranks",
        "75-80 %",
        "Suggested: select",
    ):
        assert piece in told
    assert main(["calibrate", str(output), "--json"]) == 0
    body = json.loads(capsys.readouterr().out)
    assert (body["queries"], body["candidates"], body["source"]) == (6, 48, None)
    assert len(body["curves"]["percent"]) == 21


def test_the_page_loads_nothing_and_shows_what_it_is_about(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = output_of(tmp_path / "a<b>")
    (tmp_path / "labels.tsv").write_text("q0 0 n0x0 1\n")
    page = tmp_path / "page.html"
    assert main(["calibrate", str(output), "--html", str(page), "--labels", str(tmp_path / "labels.tsv")]) == 0
    assert f"wrote {page}" in capsys.readouterr().out
    text = page.read_text()
    assert not re.search(r"<script|<link|<img|https?:|url\(|@import|<b>/", text)
    assert "a&lt;b&gt;" in text
    assert text.count("<svg") == text.count("</svg>") >= 8
    assert "nan" not in text
    assert "select.ceiling=" in text


def test_outputs_that_are_not_there_or_not_mined_say_what_to_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["calibrate", str(tmp_path / "gone")]) == 2
    assert "there is no recipe.yaml in it" in capsys.readouterr().err
    output = output_of(tmp_path / "out")
    (output / "mine" / "manifest.json").unlink()
    assert main(["calibrate", str(output)]) == 2
    told = capsys.readouterr().err
    assert "there are no stored candidates; finished: ingest, embed" in told
    assert "--until mine" in told


def test_folders_in_place_of_files_and_rows_without_negatives_are_told_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = output_of(tmp_path / "out")
    for option in ("--html", "--labels"):
        assert main(["calibrate", str(output), option, str(tmp_path)]) == 2
        assert "is a directory" in capsys.readouterr().err
    mined(tmp_path / "pairs", [candidate("q", {"p": 1.0}, {"n": 0.5})], select={"negatives": 0})
    assert main(["calibrate", str(tmp_path / "pairs")]) == 2
    assert "select.negatives: 0" in capsys.readouterr().err
