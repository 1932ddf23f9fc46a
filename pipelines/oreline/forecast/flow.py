"""What is known of the rows between two stages: counted where their tables are there, else predicted."""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pyarrow.compute as pc

from oreline.forecast.corpus import SAMPLE, Dataset
from oreline.forecast.ranges import ZERO, Range, total
from oreline.job import Job
from oreline.recipe.settings import Recipe
from oreline.records import Document
from oreline.tables.schema import from_arrow
from oreline.writing.catalog import writer_of

DEDUP_KEEPS = Range(0.6, 0.97, 1.0)
"""Share of documents that are no duplicates of others."""

ANSWERS_GIVE = Range(0.6, 0.97, 1.0)
"""Share of the queries asked for that a model writes, in answers that can be used."""

EXTRACTION_GIVES = Range(0.3, 0.9, 1.0)
"""Share of documents from which a writer without a model makes a query."""

RULES_KEEP = Range(0.4, 0.85, 1.0)
"""Share of written queries that pass the rules and are no duplicates."""

RATER_KEEPS = Range(0.2, 0.75, 1.0)
"""Share of rated queries that stay."""

PEOPLE_KEEP = Range(0.9, 1.0, 1.0)
"""Share of people's queries that are no duplicates of each other."""

_SIGMAS = 4.0


@dataclass(frozen=True)
class Flow:
    """Datasets by name, and the queries that writers made. `human` is None where people's queries are the datasets'."""

    datasets: Mapping[str, Dataset] = field(default_factory=dict)
    written: Range = ZERO
    human: Range | None = None

    @property
    def documents(self) -> Range:
        """All documents."""
        return total([each.documents for each in self.datasets.values()])

    @property
    def people(self) -> Range:
        """People's queries."""
        return total([each.queries for each in self.datasets.values()]) if self.human is None else self.human

    @property
    def sample(self) -> list[Document]:
        """Some documents of all datasets."""
        return [document for each in self.datasets.values() for document in each.sample]


def counted(job: Job, flow: Flow) -> Flow:
    """Returns what the input tables of a job hold; a table that is not among them stays as it was."""
    if "documents" in job.inputs:
        flow = replace(flow, datasets=_datasets(job, flow))
    if "queries" in job.inputs:
        origins = Counter[str]()
        for block in job.iterate("queries", ["origin"]):
            origins.update(block.column("origin").to_pylist())
        human = origins.pop("human", 0)
        flow = replace(flow, written=Range.exactly(sum(origins.values())), human=Range.exactly(human))
    return flow


def _datasets(job: Job, flow: Flow) -> dict[str, Dataset]:
    numbers = Counter[str]()
    samples: defaultdict[str, list[Document]] = defaultdict(list)
    groups = job.row_groups("documents")
    for group in groups:
        block = job.read(group, ["dataset", "origin"])
        source = block.filter(pc.equal(block.column("origin"), "source"))
        numbers.update(source.column("dataset").to_pylist())
    for group in groups[:: max(1, len(groups) // 4)]:
        for document in _some(job.read(group)):
            samples[document.dataset].append(document)
    with_pairs = _datasets_with_pairs(job)
    return {
        name: Dataset(
            Range.exactly(number),
            flow.datasets[name].queries if name in flow.datasets else ZERO,
            name in with_pairs if with_pairs is not None else name in flow.datasets and flow.datasets[name].pairs,
            tuple(samples[name]),
        )
        for name, number in numbers.items()
    }


def _some(rows: pa.Table) -> list[Document]:
    step = max(1, rows.num_rows // SAMPLE)
    return from_arrow(Document, rows.take(list(range(0, rows.num_rows, step))))


def _datasets_with_pairs(job: Job) -> set[str] | None:
    if "pairs" not in job.inputs:
        return None
    found: set[str] = set()
    for block in job.iterate("pairs", ["query_id"]):
        found.update(each.split("/", 1)[0] for each in block.column("query_id").to_pylist())
    return found


def after_dedup(flow: Flow) -> Flow:
    """Returns what dedup is expected to leave."""
    kept = {name: replace(each, documents=each.documents * DEDUP_KEEPS) for name, each in flow.datasets.items()}
    return replace(flow, datasets=kept)


def written_for(recipe: Recipe, flow: Flow) -> Range:
    """Returns how many documents are written for, by the rule of `writing.plan`."""
    settings = recipe.synthesize
    if settings.datasets is not None:
        chosen = [flow.datasets[name] for name in settings.datasets if name in flow.datasets]
    else:
        chosen = [each for each in flow.datasets.values() if settings.writers is not None or not each.pairs]
    eligible = total([each.documents for each in chosen])
    if settings.sample is None:
        return eligible
    share = min(1.0, settings.sample / max(1.0, eligible.high))
    deviation = _SIGMAS * math.sqrt(settings.sample * (1 - share))
    return Range.about(settings.sample, deviation).at_most(eligible)


def after_synthesize(recipe: Recipe, flow: Flow, documents: Range) -> Flow:
    """Returns what synthesize is expected to add for so many documents."""
    writers = [writer_of(name) for name in dict.fromkeys(recipe.writers())]
    asked = sum(each.needs_llm for each in writers) * recipe.synthesize.per_document
    extracted = sum(not each.needs_llm for each in writers)
    written = documents * asked * ANSWERS_GIVE + documents * extracted * EXTRACTION_GIVES
    return replace(flow, written=flow.written + written, human=flow.people)


def rated_of(recipe: Recipe, flow: Flow) -> Range:
    """Returns how many queries the rater is expected to see."""
    rater = recipe.filter.rater
    people = flow.people * PEOPLE_KEEP if rater is not None and rater.human else ZERO
    return flow.written * RULES_KEEP + people


def after_filter(recipe: Recipe, flow: Flow, rated: Range | None) -> Flow:
    """Returns what the filter is expected to leave; `rated` is how many queries its rater sees, None without one."""
    rater = recipe.filter.rater
    if rated is None:
        return replace(flow, written=flow.written * RULES_KEEP, human=flow.people * PEOPLE_KEEP)
    if rater is not None and rater.human:
        return replace(flow, written=rated * RATER_KEEPS, human=ZERO)
    return replace(flow, written=rated * RATER_KEEPS, human=flow.people * PEOPLE_KEEP)


def graded_per_query(recipe: Recipe, flow: Flow) -> Range:
    """Returns how many documents are graded for a query: positives, the first of the pool, those that may be taken."""
    top, taken = recipe.judge.top_k, 2 * recipe.select.negatives
    most = max(1.0, flow.documents.expected)
    return Range(min(top, most), min(top + 1 + taken / 2, most), min(top + taken + 4, most))
