"""Problems with `decontaminate` that its types cannot show."""

from collections.abc import Iterator

from oreline.errors import OrelineError
from oreline.recipe.loading import LoadedRecipe


def benchmark_problems(loaded: LoadedRecipe) -> Iterator[str]:
    """Yields a line per benchmark whose name is that of another, and per stage that compares rows and is off."""
    from oreline.decontamination.layout import benchmark_name  # may import Beam

    recipe = loaded.recipe
    if not recipe.decontaminate.against:
        return
    first: dict[str, int] = {}
    for index, benchmark in enumerate(recipe.decontaminate.against):
        key = f"decontaminate.against.{index}"
        try:
            name = benchmark_name(benchmark)
        except OrelineError as error:
            yield loaded.problem(key, str(error))
            continue
        if name in first:
            yield loaded.problem(
                key,
                f'the name "{name}" is also that of decontaminate.against.{first[name]}; give this one a name of its '
                f"own: {{path: {benchmark.path}, name: {name}-2}}",
            )
        first.setdefault(name, index)
    stages = (("dedup", recipe.dedup.enabled, "documents"), ("filter", recipe.filter.enabled, "queries"))
    for stage, enabled, what in stages:
        if not enabled:
            yield loaded.problem(
                "decontaminate.against",
                f"{what} are compared with benchmarks by {stage}, but {stage}.enabled is false; switch it on",
            )
