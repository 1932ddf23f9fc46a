"""What is known of the rows between two stages: counted where their tables are there, else predicted."""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pyarrow.compute as pc

from oreline.forecast.corpus import SAMPLE, Dataset
from oreline.forecast.later import calls_of_round
from oreline.forecast.ranges import ZERO, Range, total
from oreline.job import Job
from oreline.llm.sharing import portion
from oreline.recipe.settings import Recipe
from oreline.records import Document
from oreline.tables.schema import from_arrow
from oreline.writing.catalog import writer_of
from oreline.writing.chain import DrawingChain

DEDUP_KEEPS = Range(0.6, 0.97, 1.0)
"""Share of documents that are no duplicates of others."""

ANSWERS_GIVE = Range(0.6, 0.97, 1.0)
"""Share of the queries asked for that a model writes, in answers that can be used."""

DRAWS_GIVE = Range(0.3, 1.5, 10.0)
"""Queries that come of a call of the last round of a writer that writes documents from nothing."""

EXTRACTION_GIVES = Range(0.3, 0.9, 1.0)
"""Share of documents from which a writer without a model makes a query."""

RULES_KEEP = Range(0.4, 0.85, 1.0)
"""Share of written queries that pass the rules and are no duplicates."""

RATER_KEEPS = Range(0.2, 0.75, 1.0)
"""Share of rated queries that stay."""

UNIFORM_KEEPS = Range(0.05, 0.6, 1.0)
"""Share of written queries that stay where kinds of tasks are made equally frequent."""

PEOPLE_KEEP = Range(0.9, 1.0, 1.0)
"""Share of people's queries that are no duplicates of each other."""

CHECKED_PAIRS = Range(0.0, 1.3, 10.0)
"""Pairs of a query of people that are checked; none of those that stand in an evaluation split."""

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
    shares, per_document = recipe.synthesize.shares, recipe.synthesize.per_document
    found = []
    for writer in (writer_of(name) for name in dict.fromkeys(recipe.writers())):
        own = documents * portion(shares, writer.name)
        if writer.make is None:
            found.append(own * EXTRACTION_GIVES)
        elif not writer.draws:
            found.append(own * per_document * ANSWERS_GIVE)
        else:
            chain = writer.make(recipe)
            draws = chain.draws if isinstance(chain, DrawingChain) else 0
            found.append(calls_of_round(chain, len(chain.calls) - 1) * draws * DRAWS_GIVE)
    return replace(flow, written=flow.written + total(found), human=flow.people)


def rated_of(recipe: Recipe, flow: Flow) -> Range:
    """Returns how many queries the rater is expected to see."""
    rater = recipe.filter.rater
    people = flow.people * PEOPLE_KEEP if rater is not None and rater.human else ZERO
    return flow.written * RULES_KEEP + people


def asked_in_filter(recipe: Recipe, flow: Flow) -> dict[str, Range]:
    """Returns how many requests each question of the filter is expected to have, in the order of its prompts."""
    settings, found = recipe.filter, dict[str, Range]()
    if settings.rater is not None:
        found["rater"] = rated_of(recipe, flow)
    people = flow.people * PEOPLE_KEEP
    if settings.safety is not None:
        found["safety"] = flow.written * RULES_KEEP + (people if settings.safety.human else ZERO)
    if settings.quality is not None:
        found["quality"] = people * CHECKED_PAIRS
    return found


def rated_share(recipe: Recipe, flow: Flow) -> float:
    """Returns the share of the filter's requests that are expected to be the rater's."""
    asked = asked_in_filter(recipe, flow)
    rated = asked["rater"].expected if "rater" in asked else 0.0
    return rated / max(1e-9, total(list(asked.values())).expected)


def after_filter(recipe: Recipe, flow: Flow, rated: Range | None) -> Flow:
    """Returns what the filter is expected to leave; `rated` is how many queries its rater sees, None without one."""
    rater = recipe.filter.rater
    sampled = Range.exactly(1.0) if recipe.filter.uniform_tasks is None else UNIFORM_KEEPS
    if rated is None:
        return replace(flow, written=flow.written * RULES_KEEP * sampled, human=flow.people * PEOPLE_KEEP)
    if rater is not None and rater.human:
        return replace(flow, written=rated * RATER_KEEPS * sampled, human=ZERO)
    return replace(flow, written=rated * RATER_KEEPS * sampled, human=flow.people * PEOPLE_KEEP)


def graded_per_query(recipe: Recipe, flow: Flow) -> Range:
    """Returns how many documents are graded for a query: positives, the first of the pool, those that may be taken."""
    lists = 1 if recipe.select.per_miner is None else len(recipe.mine.miners)
    top, taken = recipe.judge.top_k, 2 * recipe.select.negatives * lists
    most = max(1.0, flow.documents.expected)
    return Range(min(top, most), min(top + 1 + taken / 2, most), min(top + taken + 4, most))
