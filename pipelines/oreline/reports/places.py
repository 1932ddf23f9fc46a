"""What a path is: an output, a stage, a table, a trainer's file, a journal, a recipe; or nothing that can be shown."""

import re
from dataclasses import dataclass
from typing import Literal

from oreline import files
from oreline.errors import CallError
from oreline.records import ROW_TYPES
from oreline.stages.catalog import BY_NAME, STAGES

_REQUEST_KEY = re.compile("[0-9a-f]{64}")
_VECTORS = re.compile("(^|/)vectors(/[0-9a-f]{64})?$")
_JOURNAL = re.compile("(^|/)journal(/v1(/[0-9a-f]{2})?)?$")

Kind = Literal[
    "output", "stage", "table", "train", "journal", "answers", "vectors", "manifest", "recipe", "parquet", "jsonl"
]

READABLE = (
    "an output folder, <output>/<stage>, <output>/<stage>/<table>, <output>/<table>, <output>/train or a file "
    "below it, a manifest.json, a journal folder, <journal>/<request key>, a folder of vectors (<cache>/vectors), "
    "a recipe.yaml, a .parquet or a .jsonl file"
)


@dataclass(frozen=True)
class Place:
    """A path with what it is; `output`, `stage` and `table` are set where the kind has them."""

    kind: Kind
    path: str
    output: str = ""
    stage: str = ""
    table: str = ""


def place_of(path: str) -> Place:
    """Returns what a path is; raises CallError, which names what was found and what can be shown."""
    path = path.rstrip("/") or "/"
    if not files.exists(path):
        return _unwritten_table(path)
    found = _file(path) if _is_file(path) else _folder(path)
    if found is not None:
        return found
    what = "a file that is none of these" if _is_file(path) else f"a folder holding {_contents(path)}"
    raise CallError(f"{path}: {what}; `oreline show` reads {READABLE}")


def _unwritten_table(path: str) -> Place:
    """`<output>/<table>` stands for the last stage that wrote the table; an empty table has no folder of its own."""
    parent, _, name = path.rpartition("/")
    parent = parent or "."
    if name in ROW_TYPES and _finished(parent):
        return Place("table", path, parent, "", name)
    output, _, stage = parent.rpartition("/")
    if name in ROW_TYPES and stage in BY_NAME and files.exists(files.join(parent, "manifest.json")):
        return Place("table", path, output or ".", stage, name)
    if _REQUEST_KEY.fullmatch(name) and parent.rpartition("/")[2] in ("journal", "v1") and files.exists(parent):
        return Place("answers", path)
    if name in BY_NAME and files.exists(parent):
        done = _finished(parent)
        raise CallError(f"{path}: stage {name} has not run; finished in {parent}: {', '.join(done) or 'nothing'}")
    raise CallError(f"{path}: there is nothing of that name; `oreline show` reads {READABLE}")


def _file(path: str) -> Place | None:
    parent, _, name = path.rpartition("/")
    if name == "manifest.json":
        output, _, stage = parent.rpartition("/")
        return Place("manifest", path, output or ".", stage)
    if name.endswith((".yaml", ".yml")):
        return Place("recipe", path)
    if name.endswith(".parquet"):
        return Place("parquet", path)
    if name.endswith(".jsonl"):
        return Place("jsonl", path)
    return None


def _folder(path: str) -> Place | None:
    parent, _, name = path.rpartition("/")
    if name in BY_NAME and files.exists(files.join(path, "manifest.json")):
        return Place("stage", path, parent or ".", name)
    output, _, stage = parent.rpartition("/")
    if name in ROW_TYPES and stage in BY_NAME and files.exists(files.join(parent, "manifest.json")):
        return Place("table", path, output or ".", stage, name)
    if _VECTORS.search(path) or _JOURNAL.search(path) or files.exists(files.join(path, "v1")):
        return Place("vectors" if _VECTORS.search(path) else "journal", path)
    if _finished(path) or files.exists(files.join(path, "recipe.yaml")):
        return Place("output", path, path)
    steps = path.split("/")
    if "train" in steps:
        place = len(steps) - 1 - steps[::-1].index("train")
        return Place("train", path, "/".join(steps[:place]) or ".")
    return None


def _finished(output: str) -> list[str]:
    return [each.name for each in STAGES if files.exists(files.join(output, each.name, "manifest.json"))]


def _is_file(path: str) -> bool:
    if files.is_local(path):
        import os

        return os.path.isfile(path)
    return path.endswith((".json", ".jsonl", ".parquet", ".yaml", ".yml"))


def _contents(path: str) -> str:
    names = [found.path[len(path) :].lstrip("/") for _, found in zip(range(4), files.walk(path), strict=False)]
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "") if names else "nothing"
