"""Decontamination as a user meets it: recipes, preflight, whole runs, reports, real corpora."""

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from decontamination_world import PARAGRAPH, beir, lines, text_file
from line_house import oreline, write_pages
from oreline.errors import CallError, PreflightError
from oreline.preflight import check, dedup_told
from oreline.recipe.checks import check_recipe
from oreline.recipe.loading import load_recipe, recipe_from
from oreline.records import Contamination, Document, Pair, Query, Reject
from oreline.reports.plain import Report, print_report
from oreline.reports.show import show
from oreline.tables.manifest import read_manifest

from house import data_folder, finish, recipe_for, rows_of

FEEDING = "Feed the starter with equal weights of flour and water every day and keep it near twenty four degrees."
RECIPE = """
output: out
sources: [{path: docs, mteb_task: BreadRetrieval}]
select: {negatives: 0}
decontaminate:
  against: [{path: bench, task: BreadRetrieval}, questions.txt]
"""


def printed(report: Report) -> str:
    console = Console(file=StringIO(), width=200)
    print_report(report, console)
    file = console.file
    assert isinstance(file, StringIO)
    return file.getvalue()


def test_a_bare_path_is_a_benchmark(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    recipe = load_recipe(str(tmp_path / "recipe.yaml")).recipe
    assert [each.path for each in recipe.decontaminate.against] == ["bench", "questions.txt"]
    assert recipe.decontaminate.against[0].task == "BreadRetrieval"


def test_contradictions_are_told_with_their_place() -> None:
    loaded = recipe_from(
        {
            "output": "out",
            "sources": ["docs"],
            "dedup": {"enabled": False},
            "filter": {"enabled": False},
            "decontaminate": {"against": ["a/bench", "b/bench"]},
        }
    )
    told = check_recipe(loaded)
    assert any('the name "bench" is also that of decontaminate.against.0' in line for line in told)
    assert any("documents are compared with benchmarks by dedup, but dedup.enabled is false" in line for line in told)
    assert any("queries are compared with benchmarks by filter, but filter.enabled is false" in line for line in told)


def test_a_benchmark_that_is_not_there_stops_the_run_before_it_begins(tmp_path: Path) -> None:
    section = {"against": [str(tmp_path / "missing")]}
    sources = [str(write_pages(tmp_path))]
    loaded = recipe_from({"output": str(tmp_path / "out"), "sources": sources, "decontaminate": section})
    with pytest.raises(PreflightError, match="missing: there is no such file or folder"):
        check(loaded)


@pytest.mark.parametrize(
    ("splits", "section", "warned"),
    [
        (["test"], {}, 1),
        (["dev", "test"], {}, 1),
        (["test", "train"], {}, 0),
        (["test"], {"queries": "report"}, 0),
        ([], {}, 0),
    ],
)
def test_a_plan_warns_where_no_query_of_the_sources_can_be_dropped(
    splits: list[str], section: dict[str, object], warned: int, tmp_path: Path
) -> None:
    source = beir(tmp_path / "source", {"q": "why"}, {"d": PARAGRAPH}, {each: [("q", "d", 1.0)] for each in splits})
    bench = text_file(tmp_path / "bench.txt", ["Tuning a violin"])
    recipe = {"output": str(tmp_path / "out"), "sources": [str(source)]}
    loaded = recipe_from({**recipe, "decontaminate": {"against": [str(bench)], **section}})
    told = [each for each in dedup_told(loaded.recipe, check(loaded)) if "can be dropped for a benchmark" in each]
    assert len(told) == warned
    assert all(f"they are of split {', '.join(splits)}, and only those of split train" in each for each in told)


def test_a_whole_run_drops_what_the_benchmark_holds_and_shows_it(tmp_path: Path) -> None:
    write_pages(tmp_path)
    beir(
        tmp_path / "bench",
        {"q1": "how do bees survive the winter", "q2": "how is a violin tuned"},
        {"d1": ("A starter", FEEDING), "d2": PARAGRAPH},
        {"test": [("q1", "d2", 1.0), ("q2", "d1", 1.0)]},
    )
    text_file(tmp_path / "questions.txt", ["Tuning a violin", "How glaciers flow"])
    (tmp_path / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    ended = oreline(tmp_path, "run", "recipe.yaml")
    assert ended.returncode == 0, ended.stderr
    assert "relevant documents 1 of 2" in ended.stdout
    output = str(tmp_path / "out")
    dropped = {each.row_id: each for each in rows_of(output, "dedup", "contamination", Contamination)}
    assert [(each.test_row, each.dropped, each.task) for each in dropped.values()] == [
        ("corpus/d1", True, "BreadRetrieval")
    ]
    documents = rows_of(output, "dedup", "documents", Document)
    assert not any("equal weights of flour" in each.text for each in documents)
    queries = {each.query for each in rows_of(output, "filter", "queries", Query)}
    assert queries
    assert not {"Tuning a violin", "How glaciers flow"} & queries
    text_file(tmp_path / "questions.txt", ["Fresnel lenses of lighthouses"])
    planned = oreline(tmp_path, "plan", "recipe.yaml")
    assert "benchmarks" in planned.stdout, "a changed benchmark is why dedup and filter run again"
    shown = oreline(tmp_path, "show", "out", "--contamination")
    assert "BreadRetrieval (declared)" in shown.stdout
    assert "declared as training data of MTEB tasks: BreadRetrieval" in shown.stdout
    assert "relevant: Feed the starter" in shown.stdout
    counted = [json.loads(line) for line in printed(show(output, contamination=True, as_json=True)).splitlines()]
    assert counted[0]["found"] == {"query": 0, "relevant": 1}
    assert counted[0]["documents"] == {"dropped": 1, "reported": 0}
    assert counted[1]["queries"]["dropped"] >= 2
    assert {each["benchmark"] for each in counted if "benchmark" in each} == {"bench", "questions"}
    assert {"declared_mteb_tasks": ["BreadRetrieval"]} in counted
    assert [each["stage"] for each in counted if "test_row" in each] == ["filter", "filter", "dedup"]
    assert "relevant documents 1 of 2" in printed(show(output))
    assert "corpus/d1" in printed(show(f"{output}/dedup/contamination"))


def test_a_table_that_was_not_compared_yet_is_not_said_to_be_clean(tmp_path: Path) -> None:
    write_pages(tmp_path)
    text_file(tmp_path / "questions.txt", ["Tuning a violin"])
    recipe = "output: out\nsources: [docs]\ndecontaminate: {against: [questions.txt]}\n"
    (tmp_path / "recipe.yaml").write_text(recipe, encoding="utf-8")
    ended = oreline(tmp_path, "run", "recipe.yaml", "--until", "dedup")
    assert ended.returncode == 0, ended.stderr
    table = printed(show(str(tmp_path / "out"), contamination=True))
    assert "not yet" in table
    assert "MTEB task" not in table, "no benchmark names one"
    counted = json.loads(printed(show(str(tmp_path / "out"), contamination=True, as_json=True)).splitlines()[0])
    assert (counted["queries"], counted["documents"]) == (None, {"dropped": 0, "reported": 0})


def test_showing_contamination_where_nothing_was_compared_says_so(tmp_path: Path) -> None:
    finish(recipe_for(tmp_path / "out"), "dedup", {"documents": [], "pairs": []})
    with pytest.raises(CallError, match=r"set decontaminate\.against"):
        show(str(tmp_path / "out"), contamination=True)


def test_half_of_medquad_as_a_test_set_leaves_nothing_of_it_in_the_training_rows(tmp_path: Path) -> None:
    """Every other query is a test query: its text and its answers are gone, all else stays or is near one of them."""
    folder = data_folder("medquad-sample")
    judged = [line.split("\t") for line in (folder / "qrels" / "test.tsv").read_text().splitlines()[1:]]
    wanted = sorted({query for query, _, _ in judged})[::2]
    texts = {row["_id"]: row["text"] for row in map(json.loads, (folder / "queries.jsonl").read_bytes().splitlines())}
    bench = tmp_path / "half"
    (bench / "qrels").mkdir(parents=True)
    lines(bench / "queries.jsonl", [{"_id": query, "text": texts[query]} for query in wanted])
    (bench / "corpus.jsonl").write_bytes((folder / "corpus.jsonl").read_bytes())
    tested = set(wanted)
    relevant = {document for query, document, _ in judged if query in tested}
    rows = "".join(f"{query}\t{document}\t{grade}\n" for query, document, grade in judged if query in tested)
    (bench / "qrels" / "test.tsv").write_text(rows, encoding="utf-8")
    section = {"against": [str(bench)]}
    recipe = {
        "output": str(tmp_path / "out"),
        "sources": [{"path": str(folder), "dataset": "m"}],
        "decontaminate": section,
        "dedup": {"threshold": 1.0},
        "synthesize": {"enabled": False},
        "filter": {"duplicates": "keep"},
    }
    (tmp_path / "recipe.yaml").write_text(json.dumps(recipe), encoding="utf-8")
    ended = oreline(tmp_path, "run", "recipe.yaml", "--until", "filter")
    assert ended.returncode == 0, ended.stderr
    output = str(tmp_path / "out")
    left = {each.doc_id.removeprefix("m/") for each in rows_of(output, "dedup", "documents", Document)}
    assert not left & relevant
    assert len(left) > len(texts) // 4
    pairs = {each.doc_id.removeprefix("m/") for each in rows_of(output, "filter", "pairs", Pair)}
    assert pairs <= left
    for stage in ("dedup", "filter"):
        manifest = read_manifest(output, stage)
        assert manifest is not None
        assert manifest.books.balanced
    matches = rows_of(output, "dedup", "contamination", Contamination)
    duplicates = {each.row_id for each in rows_of(output, "dedup", "rejects", Reject) if each.reason != "contaminated"}
    gone = {each.row_id for each in matches if each.dropped} | duplicates
    assert {f"m/{each}" for each in relevant} <= gone
