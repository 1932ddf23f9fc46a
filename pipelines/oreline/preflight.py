"""Preflight: all that would make a run fail, found before its first stage, all at once."""

import importlib.util
import os
import uuid
from collections.abc import Callable, Iterator, Sequence

from oreline import files
from oreline.errors import OrelineError, PreflightError
from oreline.fingerprint import prompts_of
from oreline.planning import Planned, chosen_stages, plan_stages
from oreline.recipe.checks import check_recipe
from oreline.recipe.loading import LoadedRecipe, stored_recipe
from oreline.recipe.settings import Encoder, Llm, Recipe, Source
from oreline.recipe.settings.mine import DENSE
from oreline.stages.catalog import BY_NAME, models_of
from oreline.tables.manifest import whole_manifest


def check(
    loaded: LoadedRecipe,
    *,
    only: str | None = None,
    until: str | None = None,
    adopt_from: str | None = None,
    beam_options: Sequence[str] = (),
    access: bool = True,
) -> list[Planned]:
    """Returns the plan of a run if nothing stands in its way.

    Raises PreflightError with every problem found: the recipe's own contradictions, sources, prompts, extras, keys,
    budgets, the encoder, the output. Nothing is written but a file that shows that the output can be. Without `access`
    no model's key or credentials are asked for.
    """
    recipe = loaded.recipe
    contradictions = check_recipe(loaded)
    problems = list(contradictions)
    problems.extend(list(_beam_problems(recipe, beam_options)))
    problems.extend(list(_source_problems(recipe)))
    problems.extend(list(_dedup_problems(recipe)))
    problems.extend(list(_benchmark_problems(recipe)))
    problems.extend(list(_prompt_problems(recipe)))
    problems.extend(list(_run_problems(recipe, only, until)))
    problems.extend(list(_output_problems(recipe, adopt_from)))
    problems.extend(_encoder_problems(recipe, only, until))
    plan: list[Planned] = []
    if problems and not contradictions and adopt_from is None:
        # Nothing can be planned yet, but stages that were never run will run: what they need is said at once.
        problems.extend(list(_llm_problems(recipe, _never_run(recipe, only, until), access=access)))
        problems.extend(_service_problems(recipe, _never_run(recipe, only, until), access=access))
        problems.extend(_index_problems(recipe, _never_run(recipe, only, until)))
    if not problems:
        try:
            plan = plan_stages(recipe, only=only, until=until, adopt_from=adopt_from)
            problems.extend(list(_llm_problems(recipe, plan, access=access)))
            problems.extend(_service_problems(recipe, plan, access=access))
            problems.extend(_index_problems(recipe, plan))
        except OrelineError as error:
            problems.append(str(error))
    if problems:
        raise PreflightError(problems)
    return plan


def _never_run(recipe: Recipe, only: str | None, until: str | None) -> list[Planned]:
    chosen = (stage for stage in chosen_stages(only, until) if stage.skipped(recipe) is None)
    return [
        Planned(stage, "run", "not run yet") for stage in chosen if whole_manifest(recipe.output, stage.name) is None
    ]


def _told(action: Callable[[], object]) -> Iterator[str]:
    """Yields the message of the expected error that `action` raises, if it raises one."""
    try:
        action()
    except OrelineError as error:
        yield str(error)


def _beam_problems(recipe: Recipe, beam_options: Sequence[str]) -> Iterator[str]:
    from oreline.recipe.beam_options import check_beam_options

    given = [*recipe.beam.options, *beam_options]
    for own in recipe.beam.stages.values():
        given.extend(own.options)
    if given:
        yield from check_beam_options(given)
    if recipe.beam.runner == "dataflow" and importlib.util.find_spec("googleapiclient") is None:
        yield "beam.runner is dataflow, but the extra is missing: pip install 'oreline[gcp]'"


def _source_problems(recipe: Recipe) -> Iterator[str]:
    from oreline.sources.discovery import available_splits, check_source, source_files

    def readable(source: Source) -> None:
        source_files(source)
        check_source(source)
        if source.split is not None:
            available_splits(source)

    for source in recipe.sources:
        yield from _told(lambda source=source: readable(source))  # type: ignore[misc]  # bound now, not later


def _benchmark_problems(recipe: Recipe) -> Iterator[str]:
    from oreline.decontamination.layout import problems

    yield from problems(recipe.decontaminate)


def _prompt_problems(recipe: Recipe) -> Iterator[str]:
    from oreline.prompting.folders import folder_problems

    if recipe.prompts is not None:
        named = {name for name in (*recipe.writers(), *_rater_prompt(recipe)) if name.endswith(".md")}
        yield from (f"prompts: {problem}" for problem in folder_problems(recipe.prompts, named))


def _rater_prompt(recipe: Recipe) -> Iterator[str]:
    if recipe.filter.rater is not None:
        yield recipe.filter.rater.prompt


def _output_problems(recipe: Recipe, adopt_from: str | None) -> Iterator[str]:
    yield from _unwritable("output", recipe.output)
    if recipe.cache is not None:
        yield from _unwritable("cache", recipe.cache)
    stored = files.join(recipe.output, "recipe.yaml")
    if files.exists(stored):
        yield from _of_another_recipe(recipe, stored)
    elif _holds_foreign_files(recipe.output):
        yield f"output: {recipe.output} holds files that oreline did not write; choose a new or empty folder"
    if adopt_from is not None and os.path.realpath(adopt_from) == os.path.realpath(recipe.output):
        yield f"--from and output are both {adopt_from}; give the new run an output of its own (--set output=...)"


def _unwritable(name: str, folder: str) -> Iterator[str]:
    """Tries to write into the folder; where it is not there yet, into the nearest one above it."""
    probe = folder
    if files.is_local(folder):
        probe = os.path.abspath(folder)
        while not os.path.exists(probe):
            probe = os.path.dirname(probe)
        if not os.path.isdir(probe):
            yield f"{name}: {probe} is a file, but a folder is needed; choose another {name}"
            return
    path = files.join(probe, f".oreline-{uuid.uuid4().hex}")
    try:
        files.write_atomically(path, b"")
        files.delete(path)
    except OSError as error:
        yield f"{name}: cannot write in {probe} ({error.strerror or error}); choose another {name}"


def _of_another_recipe(recipe: Recipe, stored: str) -> Iterator[str]:
    from oreline.sources.discovery import dataset_name

    try:
        old = stored_recipe(stored)
    except OrelineError as error:
        yield f"output: {stored} cannot be read ({error}); choose another output or delete that folder"
        return
    ours = {dataset_name(source) for source in recipe.sources}
    theirs = {dataset_name(source) for source in old.sources}
    if not ours & theirs:
        yield (
            f"output: {recipe.output} belongs to a recipe with other sources ({', '.join(sorted(theirs))}; "
            f"this one has {', '.join(sorted(ours))}); choose another output or delete that folder"
        )


def _holds_foreign_files(output: str) -> bool:
    # The last two are what a run that was killed at its very start leaves.
    ours = ("_lock", "_id", "run.log", "_progress", "_cache", ".oreline-", "recipe.yaml.")
    prefix = len(output.rstrip("/")) + 1
    return any(not found.path[prefix:].startswith(ours) for found in files.walk(output))


def _encoder_problems(recipe: Recipe, only: str | None, until: str | None) -> Iterator[str]:
    """Checks the encoder before the plan is made, as the plan asks for its identity."""
    embed = BY_NAME["embed"]
    if embed.skipped(recipe) is None and embed in chosen_stages(only, until):
        from oreline.encoders.identity import identity

        for name, encoder in recipe.encoders().items():
            problems = _told(lambda encoder=encoder: identity(encoder))  # type: ignore[misc]  # bound now, not later
            yield from problems if name == DENSE else (f"mine.encoders.{name}: {each}" for each in problems)
    elif recipe.export.prefixes and BY_NAME["export"] in chosen_stages(only, until):
        from oreline.exporters.texts import texts_of

        yield from _told(lambda: texts_of(recipe))


def _services(recipe: Recipe, plan: Sequence[Planned]) -> dict[str, Encoder]:
    """Returns the encoders behind an API that a plan may ask, by the key of their section."""
    if all(each.stage.name != "embed" or each.status not in ("run", "depends") for each in plan):
        return {}
    names = {name: "encoder" if name == DENSE else f"mine.encoders.{name}" for name in recipe.encoders()}
    return {names[name]: each for name, each in recipe.encoders().items() if each.provider in ("gemini", "openai")}


def _service_problems(recipe: Recipe, plan: Sequence[Planned], *, access: bool) -> Iterator[str]:
    """Yields what keeps services of vectors from being asked: keys, packages, budgets."""
    from oreline.encoders.remote.telling import problems

    for section, settings in _services(recipe, plan).items():
        yield from (
            each if section == "encoder" else f"{section}: {each}" for each in problems(settings, access=access)
        )


def _index_problems(recipe: Recipe, plan: Sequence[Planned]) -> Iterator[str]:
    """Yields what stands in the way of an approximate index, if mine may run."""
    index = recipe.mine.index
    if index == "exact" or all(each.stage.name != "mine" or each.status not in ("run", "depends") for each in plan):
        return
    from oreline.encoders.devices import first_device
    from oreline.search.approximate.libraries import problems

    yield from problems(index, first_device(recipe.encoder))


def _run_problems(recipe: Recipe, only: str | None, until: str | None) -> Iterator[str]:
    mine = BY_NAME["mine"]
    if mine.skipped(recipe) is None and mine in chosen_stages(only, until):
        from oreline.search.imported.checks import run_problems

        yield from run_problems(recipe)


def models_called(recipe: Recipe, plan: Sequence[Planned]) -> dict[Llm, list[str]]:
    """Returns the models that a plan may call, each with its stages."""
    called: dict[Llm, list[str]] = {}
    for planned in plan:
        if planned.status in ("run", "depends"):
            for llm in models_of(recipe, planned.stage.name):
                called.setdefault(llm, []).append(planned.stage.name)
    return called


def models_told(recipe: Recipe, plan: Sequence[Planned]) -> Iterator[str]:
    """Yields a line per section of models that a run may call: which ones, for what, whose key, what they may spend."""
    from oreline.llm.budget import effective_budget
    from oreline.llm.opening import access_told
    from oreline.llm.prices import price_of, retirements
    from oreline.llm.providers.capabilities import unheeded

    for llm, stages in models_called(recipe, plan).items():
        limit = effective_budget(llm)
        default = " (the default; set llm.budget_usd)" if llm.budget_usd is None and llm.budget_tokens is None else ""
        members = llm.members()
        models = " and ".join(f"{each.provider} {each.model}" for each in members)
        prices = " and ".join(dict.fromkeys(str(price_of(each) or "price not known") for each in members))
        access = "; ".join(dict.fromkeys(access_told(each) for each in members))
        yield f"{models} for {', '.join(stages)}: {access}, {prices}, budget {limit}{default}"
        yield from (f"warning: {sentence}" for sentence in retirements(members))
        yield from (f"warning: {sentence}" for each in members for sentence in unheeded(each))
    for section, settings in _services(recipe, plan).items():
        from oreline.encoders.remote.telling import told

        yield told(section, settings)


def _llm_problems(recipe: Recipe, plan: Sequence[Planned], *, access: bool) -> Iterator[str]:
    from oreline.llm.opening import problems

    for llm, stages in models_called(recipe, plan).items():
        for stage in stages:
            yield from _told(lambda stage=stage: prompts_of(recipe, stage))  # type: ignore[misc]  # bound now
        yield from problems(llm, access=access)
    if any(planned.stage.name == "judge" and planned.status in ("run", "depends") for planned in plan):
        from oreline.judging import telling

        yield from telling.problems(recipe)


def judge_told(recipe: Recipe, plan: Sequence[Planned]) -> Iterator[str]:
    """Yields how the judge scores where it has a choice, and what it does instead of what a model cannot."""
    if any(planned.stage.name == "judge" and planned.status in ("run", "depends") for planned in plan):
        from oreline.judging.telling import told

        yield from told(recipe)


def mine_told(recipe: Recipe, plan: Sequence[Planned]) -> Iterator[str]:
    """Yields which miners there are, if mine may run with more than the recipe's own encoder."""
    if any(planned.stage.name == "mine" and planned.status in ("run", "depends") for planned in plan):
        from oreline.search.telling import told

        yield from told(recipe)


def dedup_told(recipe: Recipe, plan: Sequence[Planned], *, warnings_only: bool = False) -> Iterator[str]:
    """Yields what dedup compares and finds, by its S-curve, if it may run; warnings if it, or filter, finds little.

    A warning too if filter can drop no query of the sources for a benchmark. A run yields `warnings_only`, as the rest
    stands in the manifest's facts.
    """
    from oreline.filters.sketches import told
    from oreline.minhash.parameters import Parameters

    running = {planned.stage.name for planned in plan if planned.status in ("run", "depends")}
    if "dedup" in running:
        parameters = Parameters.of(recipe.dedup)
        yield from parameters.warned() if warnings_only else parameters.told()
    if "filter" in running:
        yield from told(recipe.filter)
        yield from _never_dropped(recipe)


def _never_dropped(recipe: Recipe) -> Iterator[str]:
    """Yields a warning if benchmarks are given, and no source's queries are of the split that is dropped from."""
    from oreline.decontamination.layout import TRAIN
    from oreline.sources.discovery import brings_pairs, find_files, guess_format, split_of

    if not recipe.decontaminate.against or recipe.decontaminate.queries == "report":
        return
    splits: set[str] = set()
    for source in recipe.sources:
        if brings_pairs(source):
            beir = guess_format(source) == "beir"
            found = (split_of(each.relative) for each in find_files(source)) if beir else (TRAIN,)
            splits.update(each for each in found if each is not None)
    if splits and TRAIN not in splits:
        yield (
            f"warning: none of the sources' queries can be dropped for a benchmark: they are of split "
            f"{', '.join(sorted(splits))}, and only those of split {TRAIN} are dropped, others are reported; to train "
            f"on them, name their file qrels/{TRAIN}.tsv"
        )


def _dedup_problems(recipe: Recipe) -> Iterator[str]:
    from oreline.minhash.parameters import Parameters, problems
    from oreline.minhash.remembered import known_problems, unshared_datasets
    from oreline.sources.discovery import dataset_name

    if not recipe.dedup.enabled:
        return
    found = problems(recipe.dedup)
    yield from found
    if not found and recipe.dedup.against:
        known = list(known_problems(recipe, Parameters.of(recipe.dedup)))
        yield from known
        if not known:
            yield from unshared_datasets(recipe, {dataset_name(source) for source in recipe.sources})
