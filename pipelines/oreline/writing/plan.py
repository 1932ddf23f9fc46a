"""Which documents are written for, and of them a sample by hash.

A dataset that brings pairs gets no writer unless the recipe names writers, or the dataset itself.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from oreline.ids import seeded_fraction
from oreline.job import Job


@dataclass(frozen=True)
class Plan:
    """The rule by which documents are chosen; anyone can recompute it from the recipe and the input's tables.

    A document is chosen if it is no generated one, its dataset is among `datasets`, and its draw, in [0, 1), is below
    `share`.
    """

    datasets: frozenset[str]
    share: float
    seed: int

    def chooses(self, dataset: str, origin: str, doc_id: str) -> bool:
        """Says whether a document is written for."""
        if origin != "source" or dataset not in self.datasets:
            return False
        return self.share >= 1.0 or seeded_fraction(self.seed, "synthesize", doc_id) < self.share


def plan_of(job: Job) -> Plan:
    """Returns the plan of a synthesize job: reads two columns of documents, one of pairs."""
    settings = job.recipe.synthesize
    available = _available(job)
    if settings.datasets is not None:
        chosen = frozenset(settings.datasets)
    elif settings.writers is not None:
        chosen = frozenset(available)
    else:
        chosen = frozenset(available) - _datasets_with_pairs(job.iterate("pairs", ["query_id"]))
    eligible = sum(number for dataset, number in available.items() if dataset in chosen)
    share = 1.0 if settings.sample is None or settings.sample >= eligible else settings.sample / eligible
    return Plan(chosen, share, job.recipe.seed)


def plan_problem(job: Job) -> str | None:
    """Returns a sentence if `synthesize.datasets` names a dataset that has no documents, else None."""
    available = _available(job) if job.recipe.synthesize.datasets else {}
    for name in job.recipe.synthesize.datasets or ():
        if name not in available:
            found = ", ".join(sorted(available)) or "none"
            return f"synthesize.datasets: there are no documents of {name!r}; the datasets with documents: {found}"
    return None


def _available(job: Job) -> dict[str, int]:
    """Returns the number of documents, generated ones left out, by dataset."""
    available = Counter[str]()
    for block in job.iterate("documents", ["dataset", "origin"]):
        written = block.filter(pc.equal(block.column("origin"), "source"))
        available.update(_counts(written.column("dataset")))
    return dict(available)


def _datasets_with_pairs(pairs: Iterable[pa.Table]) -> frozenset[str]:
    """Returns the datasets whose queries have pairs: an id begins with its dataset's name, which holds no slash."""
    found: set[str] = set()
    for block in pairs:
        names = pc.replace_substring_regex(block.column("query_id"), pattern="(?s)/.*", replacement="")
        found.update(pc.unique(names).to_pylist())
    return frozenset(found)


def _counts(values: pa.ChunkedArray) -> dict[str, int]:
    return {each["values"]: each["counts"] for each in pc.value_counts(values).to_pylist()}
