"""The index of all benchmarks of a recipe: built once per stage into one file, which every worker maps into memory.

In the file: 4 bytes for each word of the benchmarks, 13 for each n-gram kept (all of a short text's, some 4 of 10 of a
long one's), 4 for each character of texts up to 64 words, and the first 200 characters of each text: some 11 bytes a
word, for texts of a hundred words. Twice the first three where the recipe has sources of code. Building holds about
three times that in memory; a worker reads what it needs, and workers on one machine share it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from oreline.decontamination.bare import bare_lengths
from oreline.decontamination.buckets import Buckets
from oreline.decontamination.compared import Compared, compared, joined
from oreline.decontamination.layout import benchmark_format, benchmark_name
from oreline.decontamination.near import banding, index_near
from oreline.decontamination.reading import BenchmarkRow, read_benchmark
from oreline.decontamination.runs import LONG_TEXT, index_grams, index_whole, whole_hashes
from oreline.errors import SourceError
from oreline.ids import Json
from oreline.recipe.settings import Benchmark, Decontaminate
from oreline.records import BenchmarkRole, Content

EXCERPT = 200
"""Characters of a text that reports show."""

ROLES = cast("tuple[BenchmarkRole, ...]", get_args(BenchmarkRole))

_Described = tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], pa.Array, pa.Array]

_BLOCK_ROWS = 8_192
_BLOCK_CHARACTERS = 16 * 2**20


@dataclass(frozen=True)
class Form:
    """The texts as one content type compares them, and where they are found."""

    texts: Compared
    exact: Buckets
    grams: Buckets
    near: Buckets


@dataclass(frozen=True)
class Texts:
    """What reports say of each text: benchmark and role by number, label, excerpt, and how many rows are equal."""

    benchmarks: npt.NDArray[np.int32]
    roles: npt.NDArray[np.int32]
    equal_rows: npt.NDArray[np.int64]
    labels: pa.LargeStringArray
    excerpts: pa.LargeStringArray


@dataclass(frozen=True)
class Index:
    """The index: `facts` has an object per benchmark with its name, format, task and numbers of texts by role."""

    facts: list[dict[str, Json]]
    texts: Texts
    forms: dict[Content, Form]


def build_index(
    settings: Decontaminate, contents: Sequence[Content], stop_requested: Callable[[], bool] = lambda: False
) -> Index | None:
    """Reads all benchmarks and returns their index for texts of these content types; None once `stop_requested`.

    Equal texts of one benchmark and role are one. Raises SourceError for a row that cannot be read and for
    a benchmark without a text, CallError for a path that is not there.
    """
    forms: dict[Content, list[Compared]] = {content: [] for content in contents}
    described: list[_Described] = []
    places: list[npt.NDArray[np.int64]] = []
    read = 0
    counts = [Counter[BenchmarkRole]() for _ in settings.against]
    for number, benchmark in enumerate(settings.against):
        for rows in _blocks(read_benchmark(benchmark)):
            if stop_requested():
                return None
            counts[number].update(row.role for row in rows)
            bare = _bare(rows, settings.ngram)
            places.append(read + np.append(np.arange(len(rows)), bare))
            read += len(rows)
            block = [*rows, *(replace(rows[place], title=None) for place in bare.tolist())]
            texts, titles = _strings(row.text for row in block), _strings(row.title for row in block)
            for content, parts in forms.items():
                parts.append(compared(texts, content, titles, near=settings.near is not None))
            described.append(
                (
                    np.full(len(block), number, np.int32),
                    np.array([ROLES.index(row.role) for row in block], np.int32),
                    _strings(row.label for row in block),
                    _strings(excerpt(row.title, row.text) for row in block),
                )
            )
        if not counts[number]:
            raise SourceError(f"benchmark {benchmark.path}: it holds no text; mend it, or take it out of the recipe")
    texts_read, whole = _without_repeats(
        _texts(described),
        {name: joined(parts) for name, parts in forms.items()},
        np.concatenate([np.empty(0, np.int64), *places]),
    )
    facts = [_fact(*each) for each in zip(settings.against, counts, strict=True)]
    return Index(facts, texts_read, {name: _form(form, settings) for name, form in whole.items()})


def excerpt(title: str | None, text: str) -> str:
    """Returns the beginning of a title and a text on one line, as reports show it."""
    text = f"{title}\n{text}" if title else text
    line = " ".join(text[: 2 * EXCERPT].split())
    return line if len(line) <= EXCERPT and len(text) <= 2 * EXCERPT else line[: EXCERPT - 1] + "…"


def _blocks(rows: Iterator[BenchmarkRow]) -> Iterator[list[BenchmarkRow]]:
    block: list[BenchmarkRow] = []
    held = 0
    for row in rows:
        block.append(row)
        held += len(row.text)
        if len(block) == _BLOCK_ROWS or held >= _BLOCK_CHARACTERS:
            yield block
            block, held = [], 0
    if block:
        yield block


def _texts(described: Sequence[_Described]) -> Texts:
    nothing = pa.array([], pa.large_string())
    numbers = [np.concatenate([np.empty(0, np.int32), *(each[place] for each in described)]) for place in (0, 1)]
    strings = [pa.concat_arrays([nothing, *(each[place] for each in described)]) for place in (2, 3)]
    return Texts(numbers[0], numbers[1], np.ones(len(numbers[0]), np.int64), strings[0], strings[1])


def _without_repeats(
    texts: Texts, forms: dict[Content, Compared], rows: npt.NDArray[np.int64]
) -> tuple[Texts, dict[Content, Compared]]:
    """Returns each text once; `rows` are the benchmark's rows that the texts are of: with and without title, one."""
    keys = np.stack(
        [texts.benchmarks, texts.roles, *(whole_hashes(form.words).view(np.int64) for form in forms.values())]
    )
    order = np.lexsort([rows, *keys])
    leads = np.ones(len(order), dtype=bool)
    leads[1:] = (np.diff(keys[:, order]) != 0).any(axis=0)
    new_rows = leads.copy()
    new_rows[1:] |= np.diff(rows[order]) != 0
    first = order[leads]
    counts = np.add.reduceat(new_rows.astype(np.int64), np.flatnonzero(leads)) if len(order) else first
    by_place = np.argsort(first)
    keep = first[by_place]
    kept = pa.array(keep)
    return (
        Texts(
            texts.benchmarks[keep],
            texts.roles[keep],
            counts[by_place],
            texts.labels.take(kept),
            texts.excerpts.take(kept),
        ),
        {content: form.take(keep) for content, form in forms.items()},
    )


def _strings(values: Iterable[str | None]) -> pa.Array:
    return pa.array(list(values), pa.large_string())


def _form(texts: Compared, settings: Decontaminate) -> Form:
    return Form(
        texts,
        index_whole(texts.words),
        index_grams(texts.words, settings.ngram),
        index_near(texts.characters, banding(settings.near or 1.0)),
    )


def _bare(rows: Sequence[BenchmarkRow], ngram: int) -> npt.NDArray[np.int64]:
    """Returns the short texts that are compared without their titles too: a corpus may not have them, or others."""
    places, lengths = bare_lengths(_strings(row.text for row in rows), _strings(row.title for row in rows), ngram)
    return places[lengths < LONG_TEXT * ngram]


def _fact(benchmark: Benchmark, counts: Counter[BenchmarkRole]) -> dict[str, Json]:
    return {
        "name": benchmark_name(benchmark),
        "format": benchmark_format(benchmark),
        "task": benchmark.task,
        "texts": {role: counts[role] for role in ROLES if counts[role]},
    }
