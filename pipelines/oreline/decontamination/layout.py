"""What a benchmark consists of: its name, its format, its files, the qrels that are tested with."""

import os
import re
from collections.abc import Sequence

from oreline import files
from oreline.errors import CallError, RecipeError
from oreline.files import FileInfo
from oreline.recipe.settings import Benchmark, BenchmarkFormat, Decontaminate
from oreline.sources.formats import has_ending, plain_name, without_endings
from oreline.sources.listed import SourceFile

TRAIN = "train"
"""The split that is not tested with, unless a benchmark names it."""

# A hub has a folder of Parquet shards per table, as qrels/test-00000-of-00001.parquet; MTEB's qrels are `default`.
_SHARD = r"(?:-\d{5}-of-\d{5})?\.parquet"
_QRELS = re.compile(rf"^(?:qrels/([^/]+?)\.(?:tsv|jsonl|ndjson)(?:\.gz|\.zst)?|(?:qrels|default)/([^/]+?){_SHARD})$")
_TABLE = re.compile(r"^(corpus|queries)(?:\.jsonl(?:\.gz|\.zst)?|\.parquet|/[^/]+\.parquet)$")
_ENDINGS = {"mteb": "*.jsonl or *.parquet", "text": "*.txt"}


def benchmark_name(benchmark: Benchmark) -> str:
    """Returns the name in reports: as set, else the path's last name without known endings, other signs as `-`.

    Raises RecipeError if nothing is left of the path's last name.
    """
    if benchmark.name is not None:
        return benchmark.name
    last = [part for part in benchmark.path.replace("\\", "/").split("/") if part][-1:]
    name = re.sub(r"[^A-Za-z0-9._-]", "-", without_endings(last[0]) if last else "").strip("-")
    if not name.strip("."):
        raise RecipeError(f"benchmark {benchmark.path!r}: no name follows from this path; give it a name")
    return name


def benchmark_format(benchmark: Benchmark) -> BenchmarkFormat:
    """Returns the format: as set, else by the files; raises CallError if the path is not there or tells none."""
    listed = _listing(benchmark)
    if benchmark.format is not None:
        return benchmark.format
    if _is_folder(benchmark, listed) and any(_TABLE.match(each.relative) for each in listed):
        return "beir"
    tables = any(_is_table(each.relative) for each in listed)
    texts = any(_is_text(each.relative) for each in listed)
    if tables != texts:
        return "mteb" if tables else "text"
    seen = "it holds rows and text" if tables else "it holds no JSON lines, no Parquet and no text"
    raise CallError(f"benchmark {benchmark.path}: {seen}; set its format to beir, mteb or text")


def benchmark_files(benchmark: Benchmark) -> list[SourceFile]:
    """Returns the files that are read, sorted; raises CallError if there are none, or for a split that is not there."""
    form = benchmark_format(benchmark)
    listed = _listing(benchmark)
    if not _is_folder(benchmark, listed):
        if form == "beir":
            raise CallError(f"benchmark {benchmark.path}: the format beir needs a folder with queries")
        return listed
    if form == "beir":
        return _beir_files(benchmark, listed)
    fits = _is_table if form == "mteb" else _is_text
    chosen = [each for each in listed if fits(each.relative)]
    if not chosen:
        raise CallError(f"benchmark {benchmark.path}: looked for {_ENDINGS[form]} in this folder and found none")
    return chosen


def is_per_file(benchmark: Benchmark) -> bool:
    """Says whether a whole file of plain text is one text, or each of its lines."""
    if benchmark.unit is not None:
        return benchmark.unit == "file"
    return _is_folder(benchmark, _listing(benchmark))


def split_of(relative: str) -> str | None:
    """Returns the split whose judgements a file of a BEIR folder holds, or None if it holds none."""
    match = _QRELS.match(relative)
    return match.group(1) or match.group(2) if match else None


def table_of(relative: str) -> str | None:
    """Returns `corpus` or `queries` for a file of a BEIR folder that holds rows of one, else None."""
    match = _TABLE.match(relative)
    return match.group(1) if match else None


def problems(settings: Decontaminate) -> list[str]:
    """Returns a sentence for each benchmark that cannot be read, remedy included; looks at names, not into files."""
    found = []
    for benchmark in settings.against:
        try:
            benchmark_files(benchmark)
        except (CallError, RecipeError) as error:
            found.append(str(error))
    return found


def listing(settings: Decontaminate) -> list[FileInfo]:
    """Returns all files of all benchmarks with size and time, for the fingerprint; raises as `benchmark_files`."""
    return [each.info for benchmark in settings.against for each in benchmark_files(benchmark)]


def _beir_files(benchmark: Benchmark, listed: Sequence[SourceFile]) -> list[SourceFile]:
    tables = [each for each in listed if _TABLE.match(each.relative)]
    if not tables:
        raise CallError(
            f"benchmark {benchmark.path}: looked for queries and corpus, as .jsonl or .parquet, here and found neither"
        )
    splits = {each: split for each in listed if (split := split_of(each.relative)) is not None}
    there = sorted(set(splits.values()))
    asked = [benchmark.split] if isinstance(benchmark.split, str) else benchmark.split
    wanted = asked if asked is not None else [split for split in there if split != TRAIN]
    shown = f"qrels/ holds {', '.join(there)}" if there else "there are no qrels"
    if missing := [split for split in wanted if split not in there]:
        raise CallError(f"benchmark {benchmark.path}: no split {', '.join(map(repr, missing))}; {shown}")
    if there and not wanted:
        raise CallError(f"benchmark {benchmark.path}: {shown} alone, which is not tested with; name the split")
    return [*tables, *(each for each, split in splits.items() if split in wanted)]


def _is_table(relative: str) -> bool:
    return has_ending(relative, "jsonl") or has_ending(relative, "parquet")


def _is_text(relative: str) -> bool:
    return plain_name(relative)[0].lower().endswith((".txt", ".text"))


def _is_folder(benchmark: Benchmark, listed: Sequence[SourceFile]) -> bool:
    return not (len(listed) == 1 and listed[0].info.path == benchmark.path)


def _listing(benchmark: Benchmark) -> list[SourceFile]:
    path = benchmark.path
    if files.is_local(path) and not os.path.isdir(path):
        if not os.path.exists(path):
            raise CallError(f"benchmark {path}: there is no such file or folder; set its path")
        return [SourceFile(files.info(path), path.rpartition("/")[2])]
    found = [SourceFile(info, info.path[len(path) :].replace(os.sep, "/").lstrip("/")) for info in files.walk(path)]
    if not found and not files.is_local(path) and files.exists(path):
        return [SourceFile(files.info(path), path.rpartition("/")[2])]
    shown = [each for each in found if not any(part.startswith(".") for part in each.relative.split("/"))]
    if not shown:
        what = "this folder is empty" if files.is_local(path) else "there is no such file or folder"
        raise CallError(f"benchmark {path}: {what}; set its path")
    return sorted(shown, key=lambda each: each.relative)
