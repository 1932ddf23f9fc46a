"""The store of vectors counted: per encoder, whose they are, how many, and how large."""

from collections.abc import Mapping
from typing import cast

from rich.box import SIMPLE_HEAD
from rich.table import Table

from oreline import files
from oreline.embeddings.statistics import STORES, StoreStatistics, statistics
from oreline.ids import Json
from oreline.reports.plain import Report, visible, words
from oreline.reports.rows import value_line
from oreline.tables.manifest import Manifest

FACTS = frozenset({STORES})
"""The facts of embed's manifest that are told here."""


def stores_report(manifest: Manifest) -> Report:
    """Returns how large the store of each encoder was when embed was done; nothing for other stages."""
    stores = cast("Mapping[str, Mapping[str, int]]", manifest.facts.get(STORES, {}))
    return [
        words(visible(f"store of {name}: {of['rows']:,} vectors, {of['bytes']:,} bytes, {of['files']:,} files"), "dim")
        for name, of in stores.items()
    ]


def vectors_report(path: str, *, as_json: bool) -> Report:
    """Returns rows, bytes and files by encoder; `path` is `<cache>/vectors`, or the folder of one encoder in it."""
    folders = [path] if is_store(path) else stores_of(path)
    found = [statistics(folder) for folder in folders]
    if as_json:
        return [value_line(_json(each)) for each in found]
    sums = (sum(each.rows for each in found), sum(each.bytes for each in found), sum(each.files for each in found))
    report: Report = [words(f"{len(found)} encoders, {sums[0]:,} vectors, {sums[1]:,} bytes, {sums[2]:,} files")]
    report += [
        words(f"{each.damaged:,} files of {each.encoder[:12]} cannot be read; their texts are encoded again", "yellow")
        for each in found
        if each.damaged
    ]
    return [*report, _table(found)] if found else report


def is_store(path: str) -> bool:
    """Says whether a path is the folder of one encoder: its name is a digest."""
    name = path.rstrip("/").rsplit("/", 1)[-1]
    return len(name) == 64 and set(name) <= set("0123456789abcdef")


def stores_of(path: str) -> list[str]:
    """Returns the folders of encoders in a folder of vectors, sorted."""
    prefix = len(path.rstrip("/")) + 1
    names = {found.path[prefix:].split("/", 1)[0] for found in files.walk(path)}
    return [files.join(path, name) for name in sorted(names) if is_store(name)]


def _json(found: StoreStatistics) -> Json:
    return {"encoder": found.encoder, **dict(found.about), **found.sizes(), "damaged": found.damaged}


def _table(found: list[StoreStatistics]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in ("encoder", "model", "how"):
        table.add_column(name, overflow="fold", no_wrap=name == "encoder")
    for name in ("dimension", "vectors", "MB", "files"):
        table.add_column(name, justify="right", no_wrap=True)
    for each in found:
        about = each.about
        how = about.get("precision") or about.get("provider") or "not said"
        cells = (each.encoder[:12], about.get("model", "not said"), how, about.get("dimension", "?"))
        numbers = (f"{each.rows:,}", f"{each.bytes / 2**20:,.1f}", f"{each.files:,}")
        table.add_row(*(words(visible(str(cell))) for cell in cells), *numbers)
    return table
