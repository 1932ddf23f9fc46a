"""Problems of the judge's settings that their types cannot show: scorers that lack what they need."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from oreline.recipe.loading import LoadedRecipe
from oreline.recipe.settings import CrossEncoder
from oreline.stages.catalog import mining_skipped

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def scorer_problems(loaded: LoadedRecipe) -> Iterator[str]:
    """Yields one line per contradiction in the section judge: place, key, what is wrong, what to do."""
    recipe, judge = loaded.recipe, loaded.recipe.judge
    if not judge.enabled or mining_skipped(recipe) is not None:
        return
    for place, name in enumerate(judge.scorers):
        if name in judge.scorers[:place]:
            yield loaded.problem(f"judge.scorers.{place}", f"{name} stands there twice; name it once")
    measures = "cross_encoder" in judge.scorers
    if measures and judge.cross_encoder is None:
        yield loaded.problem(
            "judge.scorers", "cross_encoder needs its section; add judge.cross_encoder: {model: <hub id or folder>}"
        )
    elif judge.cross_encoder is not None:
        if not measures:
            yield loaded.problem(
                "judge.cross_encoder", "it is not among judge.scorers; add it there, or leave this out"
            )
        yield from _cross_encoder(loaded, judge.cross_encoder)
    if measures and judge.asked and recipe.llm_of("judge") is None:
        asked = " and ".join(judge.asked)
        yield loaded.problem("judge.scorers", f"{asked} need a model, but the recipe has no llm; add llm, or leave out")
    yield from _verdicts(loaded)


def _verdicts(loaded: LoadedRecipe) -> Iterator[str]:
    judge = loaded.recipe.judge
    if not judge.deciding:
        named = " and ".join(judge.scorers)
        yield loaded.problem(
            "judge.scorers",
            f"{named} states no verdicts, and select takes no negative that a judge has not called irrelevant; add "
            "listwise or graded, or set judge.cross_encoder.relevant_from",
        )
    if judge.cascade is not None and judge.asked and judge.cascade.llm == loaded.recipe.llm_of("judge"):
        yield loaded.problem(
            "judge.cascade.llm",
            "it is the model that was asked at first; name a stronger one, or leave judge.cascade out",
        )


def _cross_encoder(loaded: LoadedRecipe, settings: CrossEncoder) -> Iterator[str]:
    section = "judge.cross_encoder"
    if not settings.model.strip():
        yield loaded.problem(
            f"{section}.model", "the model has no name; write a hub id, a folder, or the server's name"
        )
    if settings.partly_from is not None:
        if settings.relevant_from is None:
            yield loaded.problem(
                f"{section}.partly_from", "it needs relevant_from beside it; add that, or leave it out"
            )
        elif settings.partly_from >= settings.relevant_from:
            yield loaded.problem(
                f"{section}.partly_from",
                f"it is {settings.partly_from:g}, not below relevant_from ({settings.relevant_from:g}), so that no "
                "document would be partly relevant; write less",
            )
    if settings.server is None:
        if settings.key_variable is not None:
            yield loaded.problem(f"{section}.key_variable", "it is for a server; add server, or leave it out")
        return
    if not _is_address(settings.server):
        yield loaded.problem(
            f"{section}.server", "expected an address such as http://localhost:8000, without user, password and query"
        )
    if settings.key_variable is not None and not _VARIABLE.fullmatch(settings.key_variable):
        yield loaded.problem(
            f"{section}.key_variable",
            "expected the name of an environment variable, such as TEAM_KEY, never a key itself",
        )


def _is_address(text: str) -> bool:
    if not text.startswith(("http://", "https://")) or not (text.isascii() and text.isprintable()) or " " in text:
        return False
    try:
        parts = urlsplit(text)
        return bool(parts.hostname) and not (parts.query or parts.fragment or "@" in parts.netloc) and parts.port != 0
    except ValueError:  # brackets or a port that are none
        return False
