"""Which documents are written for, and of them a sample by hash, perhaps of each stratum the same number.

A dataset that brings pairs gets no writer unless the recipe names writers, or the dataset itself.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from oreline.ids import Json, seeded_fraction
from oreline.job import Job
from oreline.languages import primary
from oreline.recipe.settings import Synthesize

_UNKNOWN = "unknown"
_COLUMNS = ("dataset", "lang", "origin")


@dataclass(frozen=True)
class Plan:
    """The rule by which documents are chosen; anyone can recompute it from the recipe and the input's tables.

    A document is chosen if it is no generated one, its dataset is among `datasets`, and its draw, in [0, 1), is below
    the share of its stratum, which is 1 where `shares` (by stratum) does not tell. Strata are `by` dataset, language
    ("unknown" where there is none) or none.
    """

    datasets: frozenset[str]
    seed: int
    by: str = "none"
    shares: Mapping[str, float] = field(default_factory=dict)

    def chooses(self, dataset: str, origin: str, doc_id: str, lang: str | None) -> bool:
        """Says whether a document is written for."""
        if origin != "source" or dataset not in self.datasets:
            return False
        share = self.shares.get(stratum(self.by, dataset, lang), 1.0)
        return share >= 1.0 or seeded_fraction(self.seed, "synthesize", doc_id) < share

    def to_json(self) -> Json:
        """Returns what the manifest states of a sample."""
        return {"stratify": self.by, "shares": {**self.shares}}


def stratum(by: str, dataset: str, lang: str | None) -> str:
    """Returns the name of a document's stratum."""
    if by == "dataset":
        return dataset
    return "all" if by == "none" else _UNKNOWN if lang is None else primary(lang)


def plan_of(job: Job) -> Plan:
    """Returns the plan of a synthesize job: reads three columns of documents, one of pairs."""
    settings = job.recipe.synthesize
    available = _available(job)
    if settings.datasets is not None:
        chosen = frozenset(settings.datasets)
    elif settings.writers is not None:
        chosen = frozenset(dataset for dataset, _ in available)
    else:
        found = frozenset(dataset for dataset, _ in available)
        chosen = found - _datasets_with_pairs(job.iterate("pairs", ["query_id"]))
    eligible = {place: number for place, number in available.items() if place[0] in chosen}
    return Plan(chosen, job.recipe.seed, settings.stratify, _shares(settings, eligible))


def even_shares(counts: Mapping[str, int], sample: float) -> dict[str, float]:
    """Returns the share, 0 to 1, of each stratum that gives a sample of so many of each, as far as there are so many.

    What a stratum lacks the others give; SWIM-IR (arXiv 2311.05800, section 3) keeps a passage if a uniform draw is at
    most what its language should give over what it has.
    """
    shares: dict[str, float] = {}
    left = sample
    for place, name in enumerate(sorted(counts, key=lambda name: (counts[name], name))):
        given = min(float(counts[name]), left / (len(counts) - place))
        shares[name] = given / counts[name]
        left -= given
    return shares


def _shares(settings: Synthesize, eligible: Mapping[tuple[str, str | None], int]) -> dict[str, float]:
    if settings.sample is None or settings.sample >= sum(eligible.values()):
        return {}
    counts = Counter[str]()
    for (dataset, lang), number in eligible.items():
        counts[stratum(settings.stratify, dataset, lang)] += number
    return even_shares(counts, settings.sample)


def plan_problem(job: Job) -> str | None:
    """Returns a sentence if `synthesize.datasets` names a dataset that has no documents, else None."""
    if not job.recipe.synthesize.datasets:
        return None
    available = {dataset for dataset, _ in _available(job)}
    for name in job.recipe.synthesize.datasets:
        if name not in available:
            found = ", ".join(sorted(available)) or "none"
            return f"synthesize.datasets: there are no documents of {name!r}; the datasets with documents: {found}"
    return None


def _available(job: Job) -> dict[tuple[str, str | None], int]:
    """Returns the number of documents, generated ones left out, by dataset and language."""
    available = Counter[tuple[str, str | None]]()
    for block in job.iterate("documents", [*_COLUMNS]):
        written = block.filter(pc.equal(block.column("origin"), "source"))
        counted = written.group_by(["dataset", "lang"]).aggregate([([], "count_all")])
        for row in counted.to_pylist():
            available[row["dataset"], row["lang"]] += row["count_all"]
    return dict(available)


def _datasets_with_pairs(pairs: Iterable[pa.Table]) -> frozenset[str]:
    """Returns the datasets whose queries have pairs: an id begins with its dataset's name, which holds no slash."""
    found: set[str] = set()
    for block in pairs:
        names = pc.replace_substring_regex(block.column("query_id"), pattern="(?s)/.*", replacement="")
        found.update(pc.unique(names).to_pylist())
    return frozenset(found)
