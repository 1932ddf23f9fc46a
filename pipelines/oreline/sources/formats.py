"""File names: which format an ending stands for, and which files a format reads."""

from collections.abc import Iterable

from oreline.code.languages import LANGUAGES
from oreline.recipe.settings import SourceFormat

COMPRESSIONS: dict[str, str] = {".gz": "gzip", ".zst": "zstd"}
"""Endings of compressed files, and the codec's name in Arrow."""

ENDINGS: dict[SourceFormat, tuple[str, ...]] = {
    "jsonl": (".jsonl", ".ndjson"),
    "parquet": (".parquet",),
    "csv": (".csv",),
    "tsv": (".tsv",),
    "beir": (".jsonl", ".tsv"),
    "markdown": (".md", ".markdown", ".mdx"),
    "text": (".txt", ".rst"),
    "python-docs": (".py",),
    "code": tuple(LANGUAGES),
}
"""Endings of each format's files, before one for compression."""

COMPRESSIBLE: frozenset[SourceFormat] = frozenset({"jsonl", "csv", "tsv", "beir"})
TABLES: frozenset[SourceFormat] = frozenset({"jsonl", "parquet", "csv", "tsv"})
_ASIDE = ("readme", "license", "licence", "copying", "notice", "changelog")


def plain_name(name: str) -> tuple[str, str | None]:
    """Returns a file's name without an ending for compression, and the codec (None if it has none)."""
    for ending, codec in COMPRESSIONS.items():
        if name.lower().endswith(ending):
            return name[: -len(ending)], codec
    return name, None


def has_ending(name: str, form: SourceFormat) -> bool:
    """Says whether a file's name ends as those of a format do."""
    plain, codec = plain_name(name)
    return (codec is None or form in COMPRESSIBLE) and plain.lower().endswith(ENDINGS[form])


def without_endings(name: str) -> str:
    """Returns a name without the endings that this module knows."""
    plain, _ = plain_name(name)
    for endings in ENDINGS.values():
        for ending in endings:
            if plain.lower().endswith(ending):
                return plain[: -len(ending)]
    return plain


def format_of_name(name: str) -> SourceFormat | None:
    """Returns the format that a file's ending stands for, or None."""
    for form in ENDINGS:
        if form != "beir" and has_ending(name, form):
            return form
    return None


def formats_among(names: Iterable[str]) -> list[SourceFormat]:
    """Returns the formats that a folder may be read as, by its files' names (paths relative to it).

    Tables count alone: a README beside them is no corpus. Markdown and text count as markdown, which reads both.
    """
    listed = list(names)
    found = {form for name in listed if (form := format_of_name(name)) is not None}
    tables = [form for form in ENDINGS if form in found and form in TABLES]
    pages = [name for name in listed if format_of_name(name) in ("markdown", "text") and not _stands_aside(name)]
    if tables and not pages:
        return tables
    if found & {"markdown", "text"}:
        return [*tables, "markdown" if "markdown" in found else "text"]
    if found == {"python-docs"}:
        return ["python-docs"]
    return ["code"] if found and found <= {"python-docs", "code"} else []


def _stands_aside(name: str) -> bool:
    return name.rpartition("/")[2].lower().startswith(_ASIDE)
