"""Problems of a recipe's filter: what it asks for and could not do."""

from collections.abc import Iterator

from oreline.recipe.loading import LoadedRecipe


def filter_problems(loaded: LoadedRecipe) -> Iterator[str]:
    """Yields one line per contradiction between what the filter is to do and what there is to do it with."""
    recipe = loaded.recipe
    settings, llm = recipe.filter, recipe.llm_of("filter")
    for name, section in (("safety", settings.safety), ("quality", settings.quality)):
        if section is not None and llm is None:
            yield loaded.problem(
                f"filter.{name}", "it asks a model, but the recipe has no llm; add one, or leave the key out"
            )
    quality = settings.quality
    if quality is not None and quality.positives_from is None and quality.negatives_below is None:
        yield loaded.problem(
            "filter.quality", "neither positives nor negatives are asked about; set positives_from or negatives_below"
        )
    if settings.gates.rating is not None and (settings.rater is None or llm is None):
        lacking = "there is no llm" if llm is None else "filter.rater is null"
        yield loaded.problem(
            "filter.gates.rating", f"it compares the rater's grades, but {lacking}; add it, or leave the gate out"
        )
    yield from _logprobs(loaded)


def _logprobs(loaded: LoadedRecipe) -> Iterator[str]:
    from oreline.filters.logprobs import has_logprobs  # imports pyarrow

    gate = loaded.recipe.filter.gates.logprob
    if gate is None:
        return
    if gate.at_least is None and gate.below is None:
        yield loaded.problem("filter.gates.logprob", "it drops nothing as it stands; set at_least or below")
    if not has_logprobs(loaded.recipe):
        yield loaded.problem(
            "filter.gates.logprob",
            "it needs the log-probabilities of what a model writes, which synthesize does not ask for; "
            "set llm.logprobs: true (or synthesize.llm.logprobs), or leave the gate out",
        )
