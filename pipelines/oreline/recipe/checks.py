"""Problems of a recipe that its types cannot show: keys that contradict each other, or the rest of the recipe."""

from collections.abc import Iterator

from oreline.errors import OrelineError
from oreline.recipe import words
from oreline.recipe.benchmarks import benchmark_problems
from oreline.recipe.filtering import filter_problems
from oreline.recipe.indexing import index_problems
from oreline.recipe.loading import LoadedRecipe
from oreline.recipe.miners import miner_problems
from oreline.recipe.models import model_problems
from oreline.recipe.scorers import scorer_problems
from oreline.recipe.settings import Caps, QueryNearness, Source
from oreline.recipe.verdicts import needing_verdicts
from oreline.recipe.writers import made_datasets, writer_problems
from oreline.stages.catalog import BY_NAME, embedding_skipped, judge_skipped, mining_skipped

MOST_PERMUTATIONS = 16_384


def check_recipe(loaded: LoadedRecipe) -> list[str]:
    """Returns one line per contradiction: place, key, what is wrong, what to do. Looks at no source and no key."""
    datasets, problems = _datasets(loaded)
    problems += _paths(loaded)
    problems += _writers(loaded)
    problems += writer_problems(loaded)
    problems += _verdicts(loaded)
    problems += _vectors(loaded)
    problems += _nearness(loaded)
    problems += filter_problems(loaded)
    problems += _ranges(loaded)
    problems += miner_problems(loaded)
    problems += benchmark_problems(loaded)
    problems += model_problems(loaded)
    problems += scorer_problems(loaded)
    problems += index_problems(loaded)
    problems += _stages(loaded)
    if datasets is not None:
        problems += _dataset_lists(loaded, datasets)
    return problems


def _paths(loaded: LoadedRecipe) -> Iterator[str]:
    if not loaded.recipe.output.strip():
        yield loaded.problem("output", "the folder has no name; write for example output: out/handbook")
    if loaded.recipe.cache is not None and not loaded.recipe.cache.strip():
        yield loaded.problem("cache", "the folder has no name; leave the key out for <output>/_cache")
    for index, source in enumerate(loaded.recipe.sources):
        if not source.path.strip():
            yield loaded.problem(f"sources.{index}.path", "the path is empty; name a file, a folder or a glob")


def _datasets(loaded: LoadedRecipe) -> tuple[list[str] | None, list[str]]:
    """Returns the datasets' names, None if one has none, and problems with them."""
    from oreline.sources.discovery import dataset_name  # may import Beam

    problems: list[str] = []
    first: dict[str, int] = {}
    for index, source in enumerate(loaded.recipe.sources):
        if not source.path.strip():
            continue
        try:
            name = dataset_name(source)
        except OrelineError as error:
            problems.append(loaded.problem(f"sources.{index}", str(error)))
            continue
        if name in first:
            problems.append(loaded.problem(_name_key(loaded, index), _twice(source, name, first[name])))
        first.setdefault(name, index)
    return (None if problems else list(first)), problems


def _name_key(loaded: LoadedRecipe, index: int) -> str:
    key = f"sources.{index}.dataset"
    return key if key in loaded.written else f"sources.{index}"


def _twice(source: Source, name: str, first: int) -> str:
    return (
        f'the dataset name "{name}" is also that of sources.{first}, and ids would meet; give this one a name of its '
        f"own: {{path: {source.path}, dataset: {name}-2}}"
    )


def _writers(loaded: LoadedRecipe) -> Iterator[str]:
    from oreline.writing.catalog import WRITERS, writer_of

    recipe = loaded.recipe
    for index, writer in enumerate(recipe.writers()):
        key = f"synthesize.writers.{index}"
        if writer not in WRITERS and not writer.endswith(".md"):
            yield loaded.problem(
                key,
                f"there is no writer {writer!r}; {words.did_you_mean(writer, WRITERS)} "
                "A prompt of your own is a path that ends in .md",
            )
        elif writer_of(writer).needs_llm and recipe.llm_of("synthesize") is None:
            yield loaded.problem(
                key,
                f"the writer {writer} asks a model, but the recipe has no llm; add "
                "llm: {provider: gemini, model: ...}, or write with extractive/title and extractive/inverse_cloze",
            )


def _verdicts(loaded: LoadedRecipe) -> Iterator[str]:
    skipped = judge_skipped(loaded.recipe)
    if skipped is None:
        return
    for key, instead in needing_verdicts(loaded.recipe).items():
        if key in loaded.written:
            yield loaded.problem(
                key,
                f"it needs a judge's verdicts, but judge is skipped ({skipped}); leave the key out, or set {instead}",
            )


def _vectors(loaded: LoadedRecipe) -> Iterator[str]:
    skipped = mining_skipped(loaded.recipe)
    if loaded.recipe.select.near_queries is not None and (without := embedding_skipped(loaded.recipe)) is not None:
        yield loaded.problem(
            "select.near_queries",
            f"it compares the vectors of embed, but embed is skipped ({without}); leave the key out, or change that",
        )
    if loaded.recipe.select.gates.score_quantile is not None and skipped is not None:
        yield loaded.problem(
            "select.gates.score_quantile",
            f"it compares the scores of mine, but mine is skipped ({skipped}); leave the key out, or ask for negatives",
        )


def _nearness(loaded: LoadedRecipe) -> Iterator[str]:
    from oreline.filters.sketches import problems

    settings = loaded.recipe.filter
    for section, nearness in (("near_queries", settings.near_queries), ("near_pairs", settings.near_pairs)):
        for key, sentence in problems(nearness) if nearness is not None else ():
            yield loaded.problem(f"filter.{section}.{key}", sentence)
    if settings.duplicates == "keep" and settings.near_queries != QueryNearness():
        yield loaded.problem(
            "filter.near_queries", "filter.duplicates is keep, so near queries are not looked for; leave one out"
        )
    if settings.caps.choose == "rating" and settings.caps == Caps(choose="rating"):
        yield loaded.problem(
            "filter.caps.choose", "there is no cap to choose by; add filter.caps.per_document or per_paragraph"
        )


def _ranges(loaded: LoadedRecipe) -> Iterator[str]:
    recipe = loaded.recipe
    first, last = recipe.select.window
    reach = recipe.mine.top_k * len(recipe.mine.miners) + recipe.mine.spare
    if first > last:
        yield loaded.problem("select.window", f"it ends ({last}) before it begins ({first}); write [{last}, {first}]")
    elif first > reach and recipe.select.negatives > 0:
        yield loaded.problem(
            "select.window",
            f"it begins at rank {first}, but mine finds no more than {reach} documents per query "
            f"(mine.top_k + mine.spare); begin earlier or raise mine.top_k",
        )
    yield from _narrow_window(loaded)
    if recipe.select.per_miner is not None and len(recipe.mine.miners) == 1:
        yield loaded.problem(
            "select.per_miner",
            f"mine.miners has one miner ({recipe.mine.miners[0]}), so there are no lists to take turns; leave it out",
        )
    if recipe.filter.min_words > recipe.filter.max_words:
        key = "filter.max_words" if "filter.max_words" in loaded.written else "filter.min_words"
        yield loaded.problem(
            key,
            f"filter.min_words ({recipe.filter.min_words}) is more than filter.max_words ({recipe.filter.max_words}), "
            "so no query would pass",
        )
    permutations = (recipe.dedup.bands or 1) * (recipe.dedup.rows or 1)
    if permutations > MOST_PERMUTATIONS:
        yield loaded.problem(
            "dedup.bands" if "dedup.bands" in loaded.written else "dedup.rows",
            f"bands x rows are {permutations} permutations per document; expected at most {MOST_PERMUTATIONS} "
            "(the defaults make 112)",
        )


def _narrow_window(loaded: LoadedRecipe) -> Iterator[str]:
    """A window that the user wrote may be narrow on purpose (known negatives fill the rows); the default one is not."""
    first, last = loaded.recipe.select.window
    wanted = loaded.recipe.select.negatives
    if wanted > last - first + 1 and "select.window" not in loaded.written:
        yield loaded.problem(
            "select.negatives",
            f"{wanted} negatives are asked for, but select.window is [{first}, {last}] by default, so rows would be "
            f"short; write a window, such as [1, {2 * wanted}]",
        )


def _stages(loaded: LoadedRecipe) -> Iterator[str]:
    for name in loaded.recipe.beam.stages:
        if name not in BY_NAME:
            yield loaded.problem(f"beam.stages.{name}", f"there is no such stage; {words.did_you_mean(name, BY_NAME)}")


def _dataset_lists(loaded: LoadedRecipe, datasets: list[str]) -> Iterator[str]:
    recipe = loaded.recipe
    lists: list[tuple[str, list[str]]] = [
        ("synthesize.datasets", recipe.synthesize.datasets or []),
        ("select.false_negatives.except_datasets", recipe.select.false_negatives.except_datasets),
        ("filter.quality.datasets", (recipe.filter.quality.datasets or []) if recipe.filter.quality else []),
    ]
    if isinstance(recipe.mine.within, list):
        lists.append(("mine.within", recipe.mine.within))
    for name, run in recipe.runs().items():
        known = [*datasets, *made_datasets(recipe)]
        if run.dataset is not None and run.dataset not in known:
            yield loaded.problem(
                f"mine.runs.{name}.dataset",
                f"no source has the dataset name {run.dataset!r}; {words.did_you_mean(run.dataset, known)}",
            )
    for key, names in lists:
        # Writers make datasets too, which they do not write for.
        known = datasets if key == "synthesize.datasets" else [*datasets, *made_datasets(recipe)]
        for index, name in enumerate(names):
            if name not in known:
                yield loaded.problem(
                    f"{key}.{index}", f"no source has the dataset name {name!r}; {words.did_you_mean(name, known)}"
                )
