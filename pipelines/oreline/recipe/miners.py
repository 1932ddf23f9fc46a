"""Problems of `mine` that its types cannot show: names of miners that stand for nothing, for two things, or twice."""

import re
from collections.abc import Iterator

from oreline.recipe import words
from oreline.recipe.loading import LoadedRecipe
from oreline.recipe.settings.mine import BM25, DENSE
from oreline.stages.catalog import fingerprint_keys

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_TAKEN = {
    DENSE: "the miner of the recipe's own encoder",
    BM25: "the miner of words",
    "known": "what triples call given negatives",
    "spare": "what triples call documents that no miner found",
}


def miner_problems(loaded: LoadedRecipe) -> Iterator[str]:
    """Yields one line per contradiction among miners: place, key, what is wrong, what to do."""
    mine = loaded.recipe.mine
    known = list(dict.fromkeys([DENSE, BM25, *mine.encoders, *mine.runs]))
    for place, name in enumerate(mine.miners):
        key = f"mine.miners.{place}"
        if name in mine.miners[:place]:
            yield loaded.problem(key, f"{name} is named twice; name each miner once")
        elif name not in known:
            yield loaded.problem(
                key,
                f"there is no miner {name!r}; {words.did_you_mean(name, known)} (an encoder of your own stands in "
                f"mine.encoders ({{{name}: {{model: ...}}}}), a file of candidates in mine.runs)",
            )
    for section, names in (("encoders", mine.encoders), ("runs", mine.runs)):
        for name in names:
            yield from _name(loaded, f"mine.{section}.{name}", name)
    for name in sorted(mine.encoders.keys() & mine.runs.keys()):
        yield loaded.problem(f"mine.runs.{name}", "an encoder in mine.encoders has this name too; rename one")
    yield from _twins(loaded)
    yield from _reference(loaded)


def _reference(loaded: LoadedRecipe) -> Iterator[str]:
    """A file that is the reference has the only scores, so nothing else may search."""
    mine = loaded.recipe.mine
    if mine.reference == DENSE:
        return
    if mine.reference not in mine.runs:
        known = [DENSE, *mine.runs]
        remedy = words.did_you_mean(mine.reference, known)
        if mine.reference in mine.encoders:
            remedy = "to let its scores count, write it as the recipe's encoder"
        yield loaded.problem("mine.reference", f"{mine.reference!r} is no file of candidates; {remedy}")
        return
    if mine.reference not in mine.miners:
        yield loaded.problem("mine.reference", f"{mine.reference} is not among mine.miners; add it there")
    for place, name in enumerate(mine.miners):
        if name not in mine.runs:
            sentence = (
                f"{name} searches, but mine.reference is the file {mine.reference}: nothing is encoded or searched"
            )
            yield loaded.problem(f"mine.miners.{place}", f"{sentence}; leave {name} or mine.reference out")


def _name(loaded: LoadedRecipe, key: str, name: str) -> Iterator[str]:
    if name in _TAKEN:
        yield loaded.problem(key, f"{name} is {_TAKEN[name]}; choose another name")
    elif not _NAME.fullmatch(name):
        yield loaded.problem(key, "expected a name of letters, digits, - and _, such as checkpoint-1")


def _twins(loaded: LoadedRecipe) -> Iterator[str]:
    """An encoder that is the same as another would find the same documents under two names."""
    seen: dict[str, str] = {}
    for name, encoder in loaded.recipe.encoders().items():
        twin = seen.setdefault(str(fingerprint_keys(encoder)), name)
        if twin != name:
            told = "the recipe's own encoder" if twin == DENSE else f"mine.encoders.{twin}"
            yield loaded.problem(f"mine.encoders.{name}", f"its settings are those of {told}; leave one of them out")
