"""What a path is taken for: name, format, files, splits; and what is said when it cannot be."""

import json
from pathlib import Path

import pytest

from oreline.errors import CallError, OrelineError, RecipeError
from oreline.recipe.settings import Chunking, Source
from oreline.sources.discovery import (
    available_splits,
    brings_pairs,
    check_source,
    dataset_name,
    guess_format,
    source_files,
)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("data/medquad", "medquad"),
        ("docs/", "docs"),
        ("a/corpus.v2.jsonl.gz", "corpus.v2"),
        ("my docs.parquet", "my-docs"),
        ("gs://bucket/part.jsonl.zst", "part"),
        ("stdlib", "stdlib"),
        ("data/train-*.parquet", "train"),
        ("data/**/*.md", "data"),
    ],
)
def test_a_dataset_is_named_by_the_last_part_of_its_path(path: str, name: str) -> None:
    assert dataset_name(Source(path=path)) == name


def test_a_set_name_wins_and_a_path_without_one_is_an_error() -> None:
    assert dataset_name(Source(path="x", dataset="y")) == "y"
    with pytest.raises(RecipeError, match="set sources"):
        dataset_name(Source(path="語料"))


def make(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("{}\n")
    return root


@pytest.mark.parametrize(
    ("names", "form"),
    [
        (["corpus.jsonl", "qrels/test.tsv", "queries.jsonl"], "beir"),
        (["corpus.jsonl.gz"], "beir"),
        (["a.md", "b.txt", "c/d.rst"], "markdown"),
        (["a.txt"], "text"),
        (["README.md", "LICENSE", "META.json", "train.jsonl", "test.jsonl"], "jsonl"),
        (["data/0.parquet", "README.md"], "parquet"),
        (["a.py", "b/c.py"], "python-docs"),
        (["x.csv"], "csv"),
    ],
)
def test_a_folder_is_taken_for_what_it_holds(tmp_path: Path, names: list[str], form: str) -> None:
    assert guess_format(Source(path=str(make(tmp_path, *names)))) == form


def test_a_format_that_cannot_be_told_names_path_and_formats(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"it holds jsonl and csv files.*one of jsonl, parquet, csv"):
        guess_format(Source(path=str(make(tmp_path, "a.csv", "b.jsonl"))))
    with pytest.raises(RecipeError, match="no file in it has a known ending"):
        guess_format(Source(path=str(make(tmp_path / "other", "a.docx"))))


def test_files_are_found_sorted_without_hidden_ones(tmp_path: Path) -> None:
    make(tmp_path, "b.md", "a/c.markdown", ".git/x.md", "d.png", "e.txt")
    found = [Path(each.path).relative_to(tmp_path).as_posix() for each in source_files(Source(path=str(tmp_path)))]
    assert found == ["a/c.markdown", "b.md", "e.txt"]
    named = [Path(each.path).name for each in source_files(Source(path=str(tmp_path), format="markdown"))]
    assert named == ["c.markdown", "b.md"]


def test_a_glob_takes_what_matches_and_says_when_nothing_does(tmp_path: Path) -> None:
    make(tmp_path, "a-1.jsonl", "a-2.jsonl", "b.jsonl")
    assert len(source_files(Source(path=str(tmp_path / "a-*.jsonl")))) == 2
    with pytest.raises(CallError, match="no file matches"):
        source_files(Source(path=str(tmp_path / "z*.jsonl")))


def test_a_path_with_brackets_is_no_pattern_if_it_is_there(tmp_path: Path) -> None:
    make(tmp_path, "x[1].jsonl")
    assert len(source_files(Source(path=str(tmp_path / "x[1].jsonl")))) == 1


@pytest.mark.parametrize(
    ("form", "expected"), [(None, "there is no such file or folder"), ("text", "there is no such file or folder")]
)
def test_a_missing_path_is_an_error_of_the_call(tmp_path: Path, form: str | None, expected: str) -> None:
    source = Source.model_validate({"path": str(tmp_path / "gone"), "format": form})
    with pytest.raises(OrelineError, match=expected) as caught:
        source_files(source)
    assert caught.value.exit_code == 2


def test_a_folder_without_the_formats_files_names_what_was_looked_for(tmp_path: Path) -> None:
    make(tmp_path, "a.md")
    with pytest.raises(CallError, match=r"looked for \*\.jsonl, \*\.ndjson"):
        source_files(Source(path=str(tmp_path), format="jsonl"))


def test_splits_are_the_names_of_qrels_files(tmp_path: Path) -> None:
    make(tmp_path, "corpus.jsonl", "queries.jsonl", "qrels/test.tsv", "qrels/dev.tsv.gz")
    source = Source(path=str(tmp_path))
    assert available_splits(source) == ["dev", "test"]
    assert len(source_files(Source(path=str(tmp_path), split="test"))) == 3
    with pytest.raises(CallError, match=r"no split 'train'; qrels/ holds dev, test"):
        source_files(Source(path=str(tmp_path), split=["test", "train"]))


def test_pairs_are_seen_in_qrels_and_in_the_first_row(tmp_path: Path) -> None:
    make(tmp_path / "b", "corpus.jsonl", "qrels/test.tsv")
    make(tmp_path / "d", "corpus.jsonl")
    (tmp_path / "p.jsonl").write_text(json.dumps({"query": "?", "positive": "!"}) + "\n")
    (tmp_path / "t.tsv").write_text("anchor\ttext\nq\td\n")
    (tmp_path / "plain.csv").write_text("id,text\n1,d\n")
    found = {
        name: brings_pairs(Source(path=str(tmp_path / name))) for name in ("b", "d", "p.jsonl", "t.tsv", "plain.csv")
    }
    assert found == {"b": True, "d": False, "p.jsonl": True, "t.tsv": True, "plain.csv": False}


def test_a_source_with_pairs_is_not_chunked(tmp_path: Path) -> None:
    make(tmp_path, "corpus.jsonl", "qrels/test.tsv")
    check_source(Source(path=str(tmp_path)))
    with pytest.raises(CallError, match="cannot be chunked"):
        check_source(Source(path=str(tmp_path), chunking=Chunking()))


@pytest.mark.parametrize(
    ("setting", "told"),
    [("page", "names a column, but its files have none"), ("(.*", "is no regular expression")],
)
def test_a_parent_that_no_page_can_have_is_refused(setting: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("# A page\n\nWith text.\n")
    with pytest.raises(CallError, match=told):
        check_source(Source(path=str(tmp_path), parent=setting))
    check_source(Source(path=str(tmp_path), parent="(.*)\\.md"))
