"""Matches of a block of training rows with the texts of an index."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from oreline.decontamination.compared import Compared, compared
from oreline.decontamination.index import ROLES, Form, Index
from oreline.decontamination.near import banding, find_near
from oreline.decontamination.runs import EXACT, TEST_IN_TRAINING, TRAINING_IN_TEST, find_runs
from oreline.recipe.settings import Decontaminate
from oreline.records import BenchmarkMatch, BenchmarkRole, Content

_NEAR = 3
_MATCHES: dict[int, BenchmarkMatch] = {
    EXACT: "exact",
    TEST_IN_TRAINING: "contains",
    TRAINING_IN_TEST: "contained",
    _NEAR: "near",
}


@dataclass(frozen=True)
class Match:
    """A training row, by its place in the block, and a test text, by its number in the index.

    `share` is in words of the shorter one, 0 to 1; for near matches, the Jaccard similarity of character 5-grams.
    """

    row: int
    text: int
    benchmark: int
    role: BenchmarkRole
    match: BenchmarkMatch
    share: float


def find_matches(
    index: Index, texts: pa.Array, content: Content, settings: Decontaminate, titles: pa.Array | None = None
) -> list[Match]:
    """Returns all matches of training texts (Arrow strings) of one content type, sorted by row and test text.

    A text, with its title before it, is compared in the form of its content type with all texts of the benchmarks in
    the same form. Raises KeyError for a content type that the index was not built for.
    """
    training = compared(texts, content, titles, near=settings.near is not None)
    matched = _matched(index.forms[content], training, settings)
    found = []
    for row, text, kind, share in zip(*(each.tolist() for each in matched), strict=True):
        role, benchmark = ROLES[index.texts.roles[text]], int(index.texts.benchmarks[text])
        found.append(Match(row, text, benchmark, role, _MATCHES[kind], share))
    return sorted(found, key=lambda each: (each.row, each.text))


def _matched(form: Form, training: Compared, settings: Decontaminate) -> tuple[npt.NDArray[np.generic], ...]:
    """Returns rows, test texts, kinds and shares."""
    words = form.texts.words
    runs = find_runs(
        training.words, words, form.exact, form.grams, ngram=settings.ngram, containment=settings.containment
    )
    if settings.near is None:
        return runs.rows, runs.texts, runs.kinds, runs.shares
    cut = banding(settings.near)
    rows, others, shares = find_near(training.characters, form.texts.characters, form.near, cut, near=settings.near)
    known = set(zip(runs.rows.tolist(), runs.texts.tolist(), strict=True))
    new = np.array([pair not in known for pair in zip(rows.tolist(), others.tolist(), strict=True)], dtype=bool)
    return (
        np.concatenate([runs.rows, rows[new]]),
        np.concatenate([runs.texts, others[new]]),
        np.concatenate([runs.kinds, np.full(int(new.sum()), _NEAR)]),
        np.concatenate([runs.shares, shares[new]]),
    )
