"""Problems of a recipe's writers that its types cannot show: shares, samples, and the writers' own sections."""

import re
from collections.abc import Iterator

from oreline.errors import RecipeError
from oreline.languages import CODE
from oreline.recipe import words
from oreline.recipe.loading import LoadedRecipe
from oreline.recipe.settings import Recipe
from oreline.recipe.settings.few_shot import FEWEST_EXAMPLES, MOST_EXAMPLES
from oreline.writing.catalog import SECTIONS, WRITERS


def writer_problems(loaded: LoadedRecipe) -> Iterator[str]:
    """Yields one line per contradiction: place, key, what is wrong, what to do."""
    yield from _shares(loaded)
    yield from _sample(loaded)
    yield from _unused_sections(loaded)
    yield from _languages(loaded)
    yield from _few_shot(loaded)


def made_datasets(recipe: Recipe) -> list[str]:
    """Returns the datasets of what a recipe's writers make up; none for a writer whose file cannot be used.

    What is wrong with such a file the writer itself says when it is made.
    """
    found = []
    for name in recipe.writers():
        if name in WRITERS and WRITERS[name].draws:
            try:
                found += _made(name, recipe)
            except RecipeError:
                continue
    return found


def _made(name: str, recipe: Recipe) -> list[str]:
    settings = recipe.synthesize
    if name == "generated/brainstorm":
        from oreline.writing.brainstorm.taxonomy import group_weights, read_taxonomy

        taxonomy = read_taxonomy(settings.brainstorm.taxonomy).value
        return [f"{settings.brainstorm.dataset}-{group}" for group in group_weights(settings.brainstorm, taxonomy)]
    task = name.partition("/")[2]
    if name == "classification/task":
        from oreline.writing.classification.tasks import read_own_task

        if settings.classification.task is None:
            return []
        task, _ = read_own_task(settings.classification.task)
    return [f"{settings.classification.dataset}-{task}"]


def _shares(loaded: LoadedRecipe) -> Iterator[str]:
    writers, shares = loaded.recipe.writers(), loaded.recipe.synthesize.shares
    for name in shares:
        key = f"synthesize.shares.{name}"
        if name not in writers:
            hint = words.did_you_mean(name, writers)
            yield loaded.problem(key, f"{name!r} is none of synthesize.writers, so its share splits nothing; {hint}")
        elif name in WRITERS and WRITERS[name].draws:
            yield loaded.problem(
                key, f"{name} writes documents from nothing and takes none of the corpus; leave its share out"
            )
    if len(shares) == 1:
        yield loaded.problem(
            "synthesize.shares", "one writer alone splits the documents with nobody; give another one a share too"
        )


def _sample(loaded: LoadedRecipe) -> Iterator[str]:
    settings = loaded.recipe.synthesize
    if settings.stratify != "none" and settings.sample is None:
        yield loaded.problem(
            "synthesize.stratify",
            "it says what synthesize.sample is split over, but all documents are written for; set sample too",
        )


def _unused_sections(loaded: LoadedRecipe) -> Iterator[str]:
    used = {WRITERS[name].section for name in loaded.recipe.writers() if name in WRITERS}
    settings = loaded.recipe.synthesize
    for section in sorted(SECTIONS - used):
        key = f"synthesize.{section}"
        # A recipe as it was run has all defaults filled in.
        changed = getattr(settings, section) != type(settings).model_fields[section].default
        if changed and key in loaded.written:
            names = " or ".join(each.name for each in WRITERS.values() if each.section == section)
            yield loaded.problem(key, f"it says how {names} writes, which is none of synthesize.writers; add it there")


def _languages(loaded: LoadedRecipe) -> Iterator[str]:
    key, languages = "synthesize.summarize.languages", loaded.recipe.synthesize.summarize.languages
    if not languages:
        yield loaded.problem(key, "it names no language; write for example {own: 1, de: 1}, own for the document's")
    for code in languages:
        if not re.match(CODE, code):
            yield loaded.problem(
                f"{key}.{code}", f"{code!r} is no language code; write for example de, pt-BR, or own for the document's"
            )


def _few_shot(loaded: LoadedRecipe) -> Iterator[str]:
    settings = loaded.recipe.synthesize.few_shot
    if settings is None or isinstance(settings.examples, str):
        return
    number = len(settings.examples)
    if not FEWEST_EXAMPLES <= number <= MOST_EXAMPLES:
        yield loaded.problem(
            "synthesize.few_shot.examples", f"found {number} of them; expected {FEWEST_EXAMPLES} to {MOST_EXAMPLES}"
        )
