"""What a source consists of: its name, its format, its files, its splits."""

import os
import re
import sysconfig
from collections.abc import Sequence
from typing import cast

from oreline import files
from oreline.errors import CallError, RecipeError
from oreline.files import FileInfo
from oreline.recipe.settings import Chunking, Source, SourceFormat
from oreline.sources import formats
from oreline.sources.formats import ENDINGS, TABLES
from oreline.sources.listed import SourceFile
from oreline.sources.references import id_pattern

_GLOB = re.compile(r"[*?\[]")
_SKIPPED_FOLDERS = frozenset(
    {"test", "tests", "idlelib", "idle_test", "lib2to3", "site-packages", "dist-packages", "turtledemo", "__pycache__"}
)
_SKIPPED_CODE = frozenset(
    {"node_modules", "bower_components", "vendor", "third_party", "dist", "build", "target", "site-packages",
     "dist-packages", "venv", "__pycache__"}
)  # fmt: skip
_SKIPPED: dict[SourceFormat, frozenset[str]] = {"python-docs": _SKIPPED_FOLDERS, "code": _SKIPPED_CODE}
_QRELS = re.compile(r"^qrels/([^/]+)\.tsv(?:\.gz|\.zst)?$")
_BEIR_TABLE = re.compile(r"^(corpus|queries)\.jsonl(?:\.gz|\.zst)?$")


def dataset_name(source: Source) -> str:
    """Returns the dataset's name: as set, else the path's last name without known endings, other signs as `-`.

    Raises RecipeError if nothing is left of the path's last name.
    """
    if source.dataset is not None:
        return source.dataset
    parts = [part for part in source.path.replace("\\", "/").split("/") if part]
    if _is_glob(source.path):
        fixed = next(place for place, part in enumerate(parts) if _GLOB.search(part))
        head = _GLOB.split(parts[fixed])[0].rstrip(".-_")
        parts = [*parts[:fixed], *([head] if head else [])]
    elif parts and parts[-1] in (".", ".."):
        parts = os.path.abspath(source.path).split("/")
    name = re.sub(r"[^A-Za-z0-9._-]", "-", formats.without_endings(parts[-1]) if parts else "").strip("-")
    if not name.strip("."):
        raise RecipeError(f"source {source.path!r}: no dataset name follows from this path; set sources[].dataset")
    return name


def guess_format(source: Source) -> SourceFormat:
    """Returns the source's format: as set, else by the path, or by what the folder holds.

    Raises CallError for a path that is not there, RecipeError for one whose format cannot be told.
    """
    if source.format is not None:
        return source.format
    if source.path == "stdlib":
        return "python-docs"
    listed = _listing(source)
    if not _is_folder(source.path, listed):
        found = {formats.format_of_name(each.relative) for each in listed} - {None}
        possible: Sequence[SourceFormat] = sorted(form for form in found if form is not None)
    else:
        if any(_BEIR_TABLE.match(each.relative) and each.relative.startswith("corpus") for each in listed):
            return "beir"
        possible = formats.formats_among(each.relative for each in listed)
    if len(possible) == 1 and possible[0] != "code":  # what is cut as code is so by the recipe's word alone
        return possible[0]
    seen = f"it holds {' and '.join(possible)} files" if possible else "no file in it has a known ending"
    raise RecipeError(
        f"source {source.path}: the format cannot be told from the path ({seen}); "
        f"set sources[].format to one of {', '.join(ENDINGS)}"
    )


def chunking_of(source: Source, form: SourceFormat) -> Chunking | None:
    """Returns how the source's documents are cut, default filled in, or None if they are not."""
    chunking = source.chunking
    if chunking is None and form in ("markdown", "text", "python-docs", "code"):
        chunking = Chunking()
    return chunking if chunking is not None and chunking.enabled else None


def find_files(source: Source) -> list[SourceFile]:
    """Returns the files that will be read, sorted by their place in the source.

    Raises CallError if the path is missing or nothing in it can be read, or for a split that is not there.
    """
    form = guess_format(source)
    listed = _listing(source)
    if not _is_folder(source.path, listed):
        if form == "beir":
            raise CallError(f"source {source.path}: the format beir needs a folder with corpus.jsonl")
        return listed
    if form == "beir":
        return _beir_files(source, listed)
    wanted: tuple[SourceFormat, ...] = (form,)
    if source.format is None and form in ("markdown", "text"):
        wanted = ("markdown", "text")
    chosen = [each for each in listed if any(formats.has_ending(each.relative, one) for one in wanted)]
    if form in _SKIPPED:
        chosen = [each for each in chosen if not _SKIPPED[form] & set(each.relative.split("/")[:-1])]
    if not chosen:
        endings = ", ".join(f"*{ending}" for one in wanted for ending in ENDINGS[one])
        raise CallError(f"source {source.path}: looked for {endings} in this folder and found none")
    return chosen


def source_files(source: Source) -> list[FileInfo]:
    """Returns the files that will be read, with size and time; raises as `find_files`."""
    return [each.info for each in find_files(source)]


def available_splits(source: Source) -> list[str]:
    """Returns the names of a BEIR source's qrels files, without `.tsv`; none for other formats."""
    if guess_format(source) != "beir":
        return []
    return sorted({split for each in _listing(source) if (split := split_of(each.relative)) is not None})


def split_of(relative: str) -> str | None:
    """Returns the split whose judgements a file of a BEIR source holds, or None if it holds none."""
    match = _QRELS.match(relative)
    return match.group(1) if match else None


def brings_pairs(source: Source) -> bool:
    """Says whether the source has queries with judged documents; tables are judged by their first row."""
    form = guess_format(source)
    if form == "beir":
        return any(split_of(each.relative) is not None for each in find_files(source))
    if form not in TABLES:
        return False
    from oreline.sources.tables import first_row_has_query

    return first_row_has_query(source, form, find_files(source))


def check_source(source: Source) -> None:
    """Raises CallError if the source cannot be read as the recipe says, before anything runs.

    That is: a missing path, an unknown format, a missing split, chunking asked for where there are pairs, an empty
    dataset name, a parent or group that no document can have.
    """
    dataset_name(source)
    find_files(source)
    for key in ("parent", "group"):
        _check_reference(source, key, cast("str | None", getattr(source, key)))
    if source.chunking is not None and source.chunking.enabled and brings_pairs(source):
        raise CallError(
            f"source {source.path}: it brings pairs, and a judgement is about a whole document, so it cannot be "
            "chunked; leave sources[].chunking out"
        )
    if source.columns.label is not None:
        _check_label(source)


def _check_label(source: Source) -> None:
    if source.group is not None:
        raise CallError(
            f"source {source.path}: columns.label and group both say which documents belong together; leave one out"
        )
    if guess_format(source) not in TABLES:
        raise CallError(f"source {source.path}: columns.label names a column, but its files have none")
    if brings_pairs(source):
        raise CallError(
            f"source {source.path}: columns.label is for texts without queries, but its rows have a query; leave it out"
        )


def _check_reference(source: Source, key: str, setting: str | None) -> None:
    if setting is None:
        return
    try:
        pattern = id_pattern(setting)
    except re.error as error:
        raise CallError(f"source {source.path}: {key} {setting!r} is no regular expression: {error}") from error
    if pattern is None and guess_format(source) in ("markdown", "text", "python-docs", "code"):
        raise CallError(
            f"source {source.path}: {key} {setting!r} names a column, but its files have none; "
            "write a regular expression over the document's id with a group, such as '(.*)/'"
        )


def _beir_files(source: Source, listed: Sequence[SourceFile]) -> list[SourceFile]:
    tables = [each for each in listed if _BEIR_TABLE.match(each.relative)]
    if not any(each.relative.startswith("corpus") for each in tables):
        raise CallError(f"source {source.path}: looked for corpus.jsonl (or .gz, .zst) in this folder and found none")
    splits = {each: split for each in listed if (split := split_of(each.relative)) is not None}
    wanted = [source.split] if isinstance(source.split, str) else source.split
    if wanted is not None:
        found = sorted(set(splits.values()))
        missing = [name for name in wanted if name not in found]
        if missing:
            there = f"qrels/ holds {', '.join(found)}" if found else "there are no qrels"
            raise CallError(f"source {source.path}: no split {', '.join(map(repr, missing))}; {there}")
    return [*tables, *(each for each, split in splits.items() if wanted is None or split in wanted)]


def _is_glob(path: str) -> bool:
    return bool(_GLOB.search(path)) and not (files.is_local(path) and os.path.exists(path))


def _is_folder(path: str, listed: Sequence[SourceFile]) -> bool:
    return not _is_glob(path) and not (len(listed) == 1 and listed[0].info.path == path)


def _root(source: Source) -> str:
    if source.path == "stdlib" and source.format in (None, "python-docs"):
        return sysconfig.get_paths()["stdlib"]
    return source.path


def _listing(source: Source) -> list[SourceFile]:
    """Returns all files of the path, hidden ones left out, sorted; raises CallError if there are none."""
    path = _root(source)
    if _is_glob(path):
        fixed = _GLOB.split(path)[0].rpartition("/")[0]
        found = [SourceFile(info, info.path[len(fixed) :].lstrip("/")) for info in files.glob(path)]
        if not found:
            raise CallError(f"source {path}: no file matches this pattern")
        return found
    if files.is_local(path) and not os.path.isdir(path):
        if not os.path.exists(path):
            raise CallError(f"source {path}: there is no such file or folder; set sources[].path")
        return [SourceFile(files.info(path), path.rpartition("/")[2])]
    found = [SourceFile(info, _relative(info.path, path)) for info in files.walk(path)]
    if not found and not files.is_local(path) and files.exists(path):
        return [SourceFile(files.info(path), path.rpartition("/")[2])]
    shown = [each for each in found if not any(part.startswith(".") for part in each.relative.split("/"))]
    if not shown:
        what = "this folder is empty" if files.is_local(path) else "there is no such file or folder"
        raise CallError(f"source {path}: {what}; set sources[].path")
    return sorted(shown, key=lambda each: each.relative)


def _relative(path: str, root: str) -> str:
    return path[len(root) :].replace(os.sep, "/").lstrip("/")
