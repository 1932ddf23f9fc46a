"""Which queries a file means: by `<dataset>/<own id>`, by the own id alone, or by their texts."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from oreline import normalise
from oreline.job import Job
from oreline.recipe.settings import Recipe
from oreline.recipe.writers import made_datasets
from oreline.sources.discovery import dataset_name


@dataclass(frozen=True)
class Named:
    """The (query_id, dataset) that each name stands for, and sentences about names that stand for none or several."""

    found: Mapping[str, tuple[tuple[str, str], ...]]
    problems: Mapping[str, tuple[str, str]]


def datasets_of(recipe: Recipe) -> tuple[str, ...]:
    """Returns all datasets that a recipe may have documents of, sorted."""
    return tuple(sorted({*(dataset_name(source) for source in recipe.sources), *made_datasets(recipe)}))


def by_ids(job: Job, names: Iterable[str], dataset: str | None) -> Named:
    """Finds queries by their ids; the dataset may be left out where only one has the id, or it is `dataset`.

    A problem is (code of `reasons.REASONS`, sentence).
    """
    wanted = pa.array(sorted(set(names)), pa.string())
    whole: dict[str, tuple[str, str]] = {}
    own: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for block in job.iterate("queries", ["query_id", "dataset"]):
        ids, datasets = block.column("query_id").combine_chunks(), block.column("dataset").combine_chunks()
        for row in block.filter(pc.is_in(ids, value_set=wanted)).to_pylist():
            whole[row["query_id"]] = (row["query_id"], row["dataset"])
        for name in pc.unique(datasets).to_pylist() if dataset is None else [dataset]:
            mine = ids.filter(pc.equal(datasets, name))
            short = pc.utf8_slice_codeunits(mine, start=len(name) + 1)
            for number in pc.indices_nonzero(pc.is_in(short, value_set=wanted)).to_pylist():
                own[short[number].as_py()].append((mine[number].as_py(), name))
    return _decided(wanted.to_pylist(), whole, own)


def _decided(
    names: Iterable[str], whole: Mapping[str, tuple[str, str]], own: Mapping[str, list[tuple[str, str]]]
) -> Named:
    found: dict[str, tuple[tuple[str, str], ...]] = {}
    problems: dict[str, tuple[str, str]] = {}
    for name in names:
        meant = [whole[name]] if name in whole else own.get(name, [])
        if len(meant) == 1:
            found[name] = (meant[0],)
        elif not meant:
            problems[name] = "unknown_query", f"there is no query {name!r}; expected its id, with or without dataset"
        else:
            datasets = ", ".join(sorted(dataset for _, dataset in meant))
            sentence = f"queries of several datasets have the id {name!r} ({datasets}); write <dataset>/{name}"
            problems[name] = "ambiguous_id", sentence
    return Named(found, problems)


def by_texts(job: Job, texts: Iterable[str], dataset: str | None) -> Named:
    """Finds queries by their texts: all that are equal after normalisation, in one dataset if one is named."""
    hashes = {text: normalise.query_hash(text) for text in texts}
    rows = job.lookup("queries", "query_hash", set(hashes.values()), ["query_id", "dataset", "query_hash"])
    same: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in rows.to_pylist():
        if dataset in (None, row["dataset"]):
            same[row["query_hash"]].append((row["query_id"], row["dataset"]))
    found = {text: tuple(sorted(same[digest])) for text, digest in hashes.items() if digest in same}
    sentence = "no query has this text, after normalisation"
    return Named(found, {text: ("unknown_query", sentence) for text in hashes if text not in found})
