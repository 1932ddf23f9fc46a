"""What embed would send to services of vectors, and what that would cost."""

from collections.abc import Iterator, Sequence

from oreline.embeddings.store import VectorStore
from oreline.embeddings.texts import DOCUMENT_COLUMNS, QUERY_COLUMNS, rendered
from oreline.encoders.identity import identity
from oreline.encoders.prefixes import prefixes_of
from oreline.encoders.remote.service import price_of
from oreline.encoders.remote.telling import price_told
from oreline.forecast.flow import Flow
from oreline.forecast.ranges import Range, total
from oreline.forecast.tokens import ESTIMATE
from oreline.job import Job
from oreline.recipe.settings import Encoder, Recipe
from oreline.recipe.settings.mine import DENSE

MOST_COUNTED = 200_000
"""More texts than these are not rendered for a plan, but taken to be as long as their like."""

_CHARACTERS_PER_TOKEN = 4
_QUERY_TOKENS = Range(5.0, 15.0, 60.0)
_UNSAMPLED_TOKENS = Range(20.0, 200.0, 2_000.0)


def asked_services(recipe: Recipe) -> dict[str, Encoder]:
    """Returns the encoders behind an API by their miners' names."""
    return {name: each for name, each in recipe.encoders().items() if each.provider in ("gemini", "openai")}


def embedding_told(recipe: Recipe, flow: Flow, job: Job | None) -> Iterator[str]:
    """Yields a sentence per service: texts, tokens and dollars; what is not stored yet if embed's inputs are there."""
    for name, settings in asked_services(recipe).items():
        counted = _counted(job, settings) if job is not None else None
        texts, tokens = counted if counted is not None else _expected(flow)
        price = price_of(settings)
        dollars = None if price is None else tokens * price.dollars(1_000_000, 0) * 1e-6
        cost = "" if dollars is None else f", {_bounds(dollars, ',.4f')} dollars"
        whose = "embed" if name == DENSE else f"embed, {name}"
        what = "texts that are not stored" if counted is not None else "texts"
        yield (
            f"{whose}: {settings.server or settings.provider} {settings.model} would get {_bounds(texts)} {what}, "
            f"{_bounds(tokens)} tokens{cost} ({price_told(settings)})."
        )


def _counted(job: Job, settings: Encoder) -> tuple[Range, Range] | None:
    """Returns texts and tokens that the store lacks; None if there are too many to look."""
    tables: Sequence[tuple[str, Sequence[str]]] = (("documents", DOCUMENT_COLUMNS), ("queries", QUERY_COLUMNS))
    if sum(part.rows for table, _ in tables for part in job.parts(table)) > MOST_COUNTED:
        return None
    known = identity(settings)
    prefixes = prefixes_of(settings)
    store = VectorStore(job.recipe.cache_folder, known.digest, known.dimension)
    missing: dict[str, int] = {}
    for table, columns in tables:
        for rows in job.iterate(table, columns):
            texts = rendered(table, rows, prefixes, known.digest)
            keys, strings = texts.column("key").to_pylist(), texts.column("text").to_pylist()
            present = store.present(set(keys))
            missing.update({key: len(string) for key, string in zip(keys, strings, strict=True) if key not in present})
    tokens = sum(-(-length // _CHARACTERS_PER_TOKEN) for length in missing.values())
    return Range.exactly(float(len(missing))), ESTIMATE * float(tokens)


def _expected(flow: Flow) -> tuple[Range, Range]:
    """Returns texts and tokens of what is expected to be embedded."""
    texts, tokens = [], []
    for dataset in flow.datasets.values():
        lengths = [len(each.title or "") + len(each.text) for each in dataset.sample]
        mean = sum(lengths) / len(lengths) / _CHARACTERS_PER_TOKEN if lengths else 0.0
        texts.append(dataset.documents)
        tokens.append(dataset.documents * (ESTIMATE * mean if lengths else _UNSAMPLED_TOKENS))
    queries = flow.people + flow.written
    return total(texts) + queries, total(tokens) + queries * _QUERY_TOKENS


def _bounds(number: Range, form: str = ",.0f") -> str:
    whole = number.rounded() if form == ",.0f" else number
    return f"{whole.low:{form}}" if whole.exact else f"{whole.low:{form}} to {whole.high:{form}}"
