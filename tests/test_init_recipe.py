"""`oreline init`: the recipes it writes can be read, and say what was found."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from oreline.cli import main
from oreline.recipe.loading import load_recipe
from oreline.recipe.settings import Recipe
from oreline.recipe.sketch import DEMO, yaml_text
from oreline.sources.discovery import dataset_name, source_files

import house


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)


def init(*arguments: str) -> tuple[str, Recipe]:
    """Returns the text and the recipe that `oreline init` wrote."""
    assert main(["init", *arguments]) == 0
    return Path("recipe.yaml").read_text(encoding="utf-8"), load_recipe("recipe.yaml").recipe


def test_a_folder_of_markdown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    docs = tmp_path / "docs"
    (docs / "deep").mkdir(parents=True)
    (docs / "a.md").write_text("# A", encoding="utf-8")
    (docs / "deep" / "b.md").write_text("# B", encoding="utf-8")
    (docs / "c.jsonl").write_text("{}", encoding="utf-8")
    text, recipe = init("docs/")
    assert (recipe.sources[0].path, recipe.sources[0].format) == ("docs/", "markdown")
    assert recipe.output == "out/docs"
    assert recipe.llm is None
    assert "# 2 files" in text
    assert "left out: 1 jsonl file" in text
    assert "# llm: {provider: gemini" in text
    assert capsys.readouterr().out.splitlines() == [
        "wrote recipe.yaml",
        "next:",
        "  oreline plan recipe.yaml",
        "  oreline run recipe.yaml",
    ]


def test_markdown_and_text_are_read_together(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    for name in ("a.md", "b.txt", "c.txt"):
        (tmp_path / "docs" / name).write_text("words", encoding="utf-8")
    text, recipe = init("docs")
    assert recipe.sources[0].format is None
    assert "# 3 files" in text
    assert len(source_files(recipe.sources[0])) == 3


def test_a_readme_beside_tables_is_no_corpus_and_a_package_of_code_is_one(tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "README.md").write_text("# T", encoding="utf-8")
    (tmp_path / "tables" / "a.csv").write_text("id,text\n1,a\n", encoding="utf-8")
    _, recipe = init("tables")
    assert recipe.sources[0].format == "csv"
    (tmp_path / "code").mkdir()
    for name in ("README.md", "a.py", "b.py"):
        (tmp_path / "code" / name).write_text("", encoding="utf-8")
    _, recipe = init("code", "--force")
    assert recipe.sources[0].format == "python-docs"


@pytest.mark.parametrize("name", ["docs", "a.b", "x.jsonl.gz", "my corpus", "-x-", "v1.0", "notes.md", "...", "ü"])
def test_the_output_is_named_as_ingest_names_the_dataset(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "a.md").write_text("# A", encoding="utf-8")
    _, recipe = init(f"./{name}")
    assert recipe.output == f"out/{dataset_name(recipe.sources[0])}"


@pytest.mark.parametrize("name", ["GEMINI_API_KEY", "GOOGLE_API_KEY"])
def test_with_a_key_the_model_is_switched_on_and_the_key_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "s3cret")
    (tmp_path / "a.md").write_text("# A", encoding="utf-8")
    text, recipe = init("a.md")
    assert recipe.llm is not None
    assert name in text
    assert "s3cret" not in text


def test_a_jsonl_file_with_pairs_names_its_columns(tmp_path: Path) -> None:
    row = {"query": "q", "positive": "p", "where": "w"}
    (tmp_path / "train.jsonl").write_text(json.dumps(row) + "\nbroken\n", encoding="utf-8")
    text, recipe = init("train.jsonl")
    assert recipe.sources[0].format == "jsonl"
    assert "# columns found: query, positive, where" in text
    assert "# pairs found: columns query and positive" in text
    assert recipe.output == "out/train"


def test_a_parquet_file_without_a_text_column_asks_which_it_is(tmp_path: Path) -> None:
    pq.write_table(pa.table({"abstract": ["a"], "year": [1]}), tmp_path / "papers.parquet")
    text, recipe = init("papers.parquet")
    assert recipe.sources[0].columns.text == "abstract"
    assert "Check this" in text


@pytest.mark.parametrize(("name", "row"), [("t.csv", "title,text"), ("t.tsv", "title\ttext")])
def test_a_table_with_a_header(tmp_path: Path, name: str, row: str) -> None:
    (tmp_path / name).write_text(f"\ufeff{row}\n", encoding="utf-8")
    text, recipe = init(name)
    assert recipe.sources[0].format == name[2:]
    assert "# columns found: title, text" in text


def test_a_beir_folder_and_a_folder_of_them(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / "sets" / name / "qrels").mkdir(parents=True)
        (tmp_path / "sets" / name / "corpus.jsonl").write_text("{}\n", encoding="utf-8")
        (tmp_path / "sets" / name / "qrels" / "test.tsv").write_text("h\na\nb\n", encoding="utf-8")
    text, recipe = init("sets/one")
    assert recipe.sources[0].format == "beir"
    assert "2 judgements in qrels (test)" in text
    _, recipe = init("sets", "--force")
    assert [source.path for source in recipe.sources] == ["sets/one", "sets/two"]


@pytest.mark.parametrize("name", ["my corpus: 1", "012", "no", "a'b\"c", "naïve ü", "#x", "- y", "\u2028z"])
def test_any_name_makes_a_recipe_that_can_be_read(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "a.md").write_text("# A", encoding="utf-8")
    _, recipe = init(f"./{name}")
    assert recipe.sources[0].path == f"./{name}"
    _, recipe = init("--force", "--", name)
    assert recipe.sources[0].path == name


@pytest.mark.parametrize(
    "text", ["on", "no", "012", "1e-3", "null", "~", "true", "a: b", "a #b", "", "2026-01-01", "'"]
)
def test_a_scalar_means_its_text(text: str) -> None:
    from oreline.recipe.document import parse_value

    assert parse_value(yaml_text(text), "x") == text


def test_the_demo_is_a_recipe_and_the_example_is_the_same_text() -> None:
    text, recipe = init("--demo")
    assert text == DEMO
    assert recipe.sources[0].format == "python-docs"
    assert recipe.output == "out/demo"
    example = Path(__file__).parents[1] / "examples" / "demo.yaml"
    assert example.read_text(encoding="utf-8") == DEMO


def test_a_recipe_that_is_there_is_kept_unless_forced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "recipe.yaml").write_text("mine", encoding="utf-8")
    assert main(["init", "--demo"]) == 2
    assert (tmp_path / "recipe.yaml").read_text(encoding="utf-8") == "mine"
    assert "recipe.yaml is there already; add --force to overwrite it" in capsys.readouterr().err
    assert main(["init", "--demo", "--recipe", "new/demo.yaml"]) == 0
    assert (tmp_path / "new" / "demo.yaml").is_file()
    assert main(["init", "--demo", "--force"]) == 0
    assert (tmp_path / "recipe.yaml").read_text(encoding="utf-8") == DEMO


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere: there is no such file or folder"),
        (["empty"], "empty: no file that oreline reads is in it; it reads .csv, .jsonl, .markdown"),
        (["picture.png"], "picture.png: no format that oreline reads"),
        (["broken.parquet"], "broken.parquet: no parquet file"),
        (["gs://bucket/x"], "gs://bucket/x: init looks at local files only"),
        (["empty", "--demo"], "--demo has a corpus of its own"),
    ],
)
def test_what_cannot_be_looked_at_is_told_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "picture.png").write_bytes(b"x")
    (tmp_path / "broken.parquet").write_bytes(b"x")
    assert main(["init", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "recipe.yaml").exists()


def test_prompts_are_copied_for_editing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "--prompts", "mine"]) == 0
    assert (tmp_path / "mine" / "retrieval" / "fret.md").read_text(encoding="utf-8").startswith("---")
    assert "put into your recipe: prompts: mine" in capsys.readouterr().out
    assert not (tmp_path / "recipe.yaml").exists()
    assert main(["init", "--prompts", "mine"]) == 2


@pytest.mark.parametrize("name", ["medquad-sample", "nl2bash", "banking77", "xquad-r-sample"])
def test_real_corpora_are_recognised(name: str) -> None:
    folder = house.data_folder(name)
    _, recipe = init(str(folder))
    assert recipe.sources[0].format == ("jsonl" if name == "banking77" else "beir")
