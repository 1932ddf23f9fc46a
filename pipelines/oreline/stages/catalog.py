"""The stages in order: what each reads and writes, what it depends on, and when it is skipped. No Beam here."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from oreline.ids import Json
from oreline.recipe.settings import Llm, Recipe, Settings
from oreline.recipe.settings.mine import DENSE
from oreline.stages import audits
from oreline.writing.catalog import SECTIONS, writer_of

if TYPE_CHECKING:
    from oreline.tables.manifest import Manifest


@dataclass(frozen=True)
class Stage:
    """What the run needs to know of a stage.

    `writes` are tables written whole, `adds` tables that list the earlier stage's parts and gain rows. `optional`
    are inputs that a skipped stage may not have made. `units` are the input tables whose rows are the stage's units;
    empty if the stage counts them itself. `kept_in` names the output table whose ids are just the units kept.
    `audit` says what else does not balance, where units are no rows of one table.
    `version` is raised when the stage's code starts to write something else. `rounds` is how often each unit is worked
    on, which the progress line must know. `threads` says that the stage works
    outside the interpreter's lock: its local workers are threads of one process, which start at once.
    """

    name: str
    version: int
    keys: Callable[[Recipe], Json]
    reads: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    adds: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    kept_in: str | None = None
    skipped: Callable[[Recipe], str | None] = lambda _: None
    audit: Callable[[Recipe, "Manifest"], str | None] = audits.nothing_more
    threads: bool = False
    rounds: Callable[[Recipe], int] = lambda _: 1


def fingerprint_keys(settings: Settings) -> Json:
    """Returns a section's keys that can change what comes out: all but those marked operational."""
    kept: dict[str, Json] = {}
    for name, spec in type(settings).model_fields.items():
        extra = spec.json_schema_extra
        if isinstance(extra, dict) and extra.get("operational"):
            continue
        kept[name] = _plain(getattr(settings, name))
    return kept


def _plain(value: object) -> Json:
    if isinstance(value, Settings):
        return fingerprint_keys(value)
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    raise TypeError(f"a recipe key of type {type(value).__name__} has no place in a fingerprint")


def _ingest_keys(recipe: Recipe) -> Json:
    return [fingerprint_keys(source) for source in recipe.sources]


def _dedup_keys(recipe: Recipe) -> Json:
    return _with_benchmarks(recipe, fingerprint_keys(recipe.dedup), "queries")


def _with_benchmarks(recipe: Recipe, keys: Json, without: Literal["queries", "documents"]) -> Json:
    """Adds how rows are compared with benchmarks, where there are any, but for the key about the other table."""
    if not recipe.decontaminate.against:
        return keys
    section = cast("dict[str, Json]", fingerprint_keys(recipe.decontaminate))
    return {"stage": keys, "decontaminate": {name: value for name, value in section.items() if name != without}}


def _synthesize_keys(recipe: Recipe) -> Json:
    llm = model_of(recipe, "synthesize")
    section = cast("dict[str, Json]", fingerprint_keys(recipe.synthesize))
    used = {writer_of(name).section for name in recipe.writers()}
    kept = {name: value for name, value in section.items() if name not in SECTIONS - used}
    return {
        "synthesize": {**kept, "writers": list(recipe.writers())},
        "llm": fingerprint_keys(llm) if llm else None,
        "seed": recipe.seed,
    }


def _filter_keys(recipe: Recipe) -> Json:
    llm = recipe.llm_of("filter") if recipe.filter.asks else None
    caps = recipe.filter.caps
    drawn = bool(caps.per_document or caps.per_paragraph or recipe.filter.uniform_tasks)
    keys: Json = {
        "filter": fingerprint_keys(recipe.filter),
        "llm": fingerprint_keys(llm) if llm else None,
        "seed": recipe.seed if drawn else None,
    }
    return _with_benchmarks(recipe, keys, "documents")


def _embed_keys(recipe: Recipe) -> Json:
    reference, *further = recipe.encoders().items()
    keys = fingerprint_keys(reference[1])
    return {"encoder": keys, "further": {name: fingerprint_keys(each) for name, each in further}} if further else keys


def _mine_keys(recipe: Recipe) -> Json:
    section = cast("dict[str, Json]", fingerprint_keys(recipe.mine))
    # Which encoders there are, the digest of the table `vectors` says.
    unused = {"encoders", "runs"} | ({"bm25"} - set(recipe.mine.miners))
    if recipe.mine.index == "exact":
        # A recipe from before there were others keeps its fingerprint.
        unused.add("index")
    if recipe.mine.reference == DENSE:
        unused |= {"reference"}
    keys = {name: value for name, value in section.items() if name not in unused}
    # A file's path is no key, its contents are: see `fingerprint`.
    runs: dict[str, Json] = {name: [run.format, run.dataset] for name, run in recipe.runs().items()}
    return {**keys, "runs": runs} if runs else keys


def _judge_keys(recipe: Recipe) -> Json:
    llm = recipe.llm_of("judge")
    judge = recipe.judge
    section = cast("dict[str, Json]", fingerprint_keys(judge))
    measured = "cross_encoder" in judge.scorers and judge.cross_encoder is not None
    used = {
        "likelihood": "likelihood" in judge.scorers,
        "cross_encoder": measured,
        "cascade": judge.cascade is not None,
    }
    ceiling = _plain(recipe.mine.ceiling)
    return {
        "judge": {name: value for name, value in section.items() if used.get(name, True)},
        # Where a server is does not matter, but whether there is one does.
        "served": measured and judge.cross_encoder is not None and judge.cross_encoder.server is not None,
        "llm": fingerprint_keys(llm) if llm else None,
        "negatives": recipe.select.negatives,
        "ceiling": ceiling,
        # More is judged then; a recipe without it keeps its fingerprint.
        **({"per_miner": list(recipe.mine.miners)} if recipe.select.per_miner is not None else {}),
    }


def _select_keys(recipe: Recipe) -> Json:
    return {
        "select": fingerprint_keys(recipe.select),
        "seed": recipe.seed,
        # Ranks after relabelling and the cause of a short row depend on how the pools were made.
        "mine": None if mining_skipped(recipe) else _mine_keys(recipe),
        "scorers": None if judge_skipped(recipe) else list(recipe.judge.scorers),
    }


def _export_keys(recipe: Recipe) -> Json:
    return {"export": fingerprint_keys(recipe.export), "negatives": recipe.select.negatives}


def mining_skipped(recipe: Recipe) -> str | None:
    """Returns why embed and mine are left out, or None if they run."""
    return "select.negatives is 0" if recipe.select.negatives == 0 else None


def embedding_skipped(recipe: Recipe) -> str | None:
    """Returns why embed is left out, or None if it runs."""
    file = (
        f"mine.reference is {recipe.mine.reference}, which needs no vector" if recipe.mine.reference != DENSE else None
    )
    return mining_skipped(recipe) or file


def judge_skipped(recipe: Recipe) -> str | None:
    """Returns why judge is left out, or None if it runs."""
    if not recipe.judge.enabled:
        return "judge.enabled is false"
    without = bool(recipe.judge.asked) and recipe.llm_of("judge") is None
    return mining_skipped(recipe) or ("no llm in the recipe" if without else None)


def model_of(recipe: Recipe, stage: str) -> Llm | None:
    """Returns the model that a stage calls (first) in this recipe, or None if it calls none."""
    if stage == "synthesize" and recipe.synthesize.enabled:
        calls = any(writer_of(name).needs_llm for name in recipe.writers())
        return recipe.llm_of("synthesize") if calls else None
    if stage == "filter" and recipe.filter.enabled and recipe.filter.asks:
        return recipe.llm_of("filter")
    if stage == "judge" and judge_skipped(recipe) is None:
        cascade = recipe.judge.cascade
        return recipe.llm_of("judge") if recipe.judge.asked else (cascade.llm if cascade else None)
    return None


def models_of(recipe: Recipe, stage: str) -> tuple[Llm, ...]:
    """Returns the models that a stage calls, each once: that of `model_of`, and a cascade's strong one."""
    first = model_of(recipe, stage)
    if first is None:
        return ()
    cascade = recipe.judge.cascade if stage == "judge" else None
    return (first,) if cascade is None or cascade.llm == first else (first, cascade.llm)


def stage_workers(recipe: Recipe, stage: str) -> int:
    """Returns how many local worker processes a stage gets; stages that call a model get `llm.workers`."""
    own = recipe.beam.stages.get(stage)
    if own is not None and own.workers is not None:
        return own.workers
    called = model_of(recipe, stage)
    return called.workers if called is not None else recipe.beam.workers


STAGES: tuple[Stage, ...] = (
    Stage("ingest", 2, _ingest_keys, writes=("documents", "queries", "pairs")),
    Stage(
        "dedup",
        3,
        _dedup_keys,
        reads=("documents", "pairs"),
        writes=("documents", "pairs", "signatures"),
        units=("documents",),
        kept_in="documents",
        skipped=lambda recipe: None if recipe.dedup.enabled else "dedup.enabled is false",
        threads=True,
    ),
    Stage(
        "synthesize",
        4,
        _synthesize_keys,
        reads=("documents", "queries", "pairs"),
        adds=("documents", "queries", "pairs"),
        units=("documents",),
        audit=audits.pairs_of_written_queries,
        skipped=lambda recipe: None if recipe.synthesize.enabled else "synthesize.enabled is false",
    ),
    Stage(
        "filter",
        3,
        _filter_keys,
        reads=("documents", "queries", "pairs"),
        writes=("queries", "pairs"),
        units=("queries",),
        kept_in="queries",
        skipped=lambda recipe: None if recipe.filter.enabled else "filter.enabled is false",
    ),
    Stage(
        "embed",
        2,
        _embed_keys,
        reads=("documents", "queries"),
        writes=("vectors",),
        units=("documents", "queries"),
        kept_in="vectors",
        skipped=embedding_skipped,
        rounds=lambda recipe: len(recipe.encoders()),
    ),
    Stage(
        "mine",
        2,
        _mine_keys,
        reads=("documents", "queries", "pairs"),
        optional=("vectors",),
        writes=("candidates",),
        units=("queries",),
        kept_in="candidates",
        skipped=mining_skipped,
    ),
    Stage(
        "judge",
        3,
        _judge_keys,
        reads=("candidates", "documents", "queries", "pairs"),
        writes=("judgements",),
        skipped=judge_skipped,
        audit=audits.one_judgement_per_unit,
    ),
    Stage(
        "select",
        3,
        _select_keys,
        reads=("documents", "queries", "pairs"),
        optional=("candidates", "judgements", "vectors"),
        writes=("triples",),
        units=("queries",),
        kept_in="triples",
    ),
    Stage(
        "export",
        1,
        _export_keys,
        reads=("triples", "documents", "queries"),
        units=("triples",),
        audit=audits.every_triple_in_every_format,
    ),
)
"""All stages, in the order in which they run."""

BY_NAME: dict[str, Stage] = {stage.name: stage for stage in STAGES}
"""The stages by name."""
