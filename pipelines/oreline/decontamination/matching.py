"""Matches of a block of training rows with the texts of an index."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from oreline.decontamination.bare import bare_lengths
from oreline.decontamination.compared import Compared, compared
from oreline.decontamination.index import ROLES, Form, Index
from oreline.decontamination.near import banding, find_near
from oreline.decontamination.runs import EXACT, TEST_IN_TRAINING, TRAINING_IN_TEST, Found, find_runs
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
    the same form; one of fewer words than an n-gram also without its title. Raises KeyError for a content type that the
    index was not built for.
    """
    training = compared(texts, content, titles, near=settings.near is not None)
    form = index.forms[content]
    matched = _matched(form, training, settings)
    if titles is not None:
        matched = _with(matched, _bare(form, texts, titles, content, settings))
    found = []
    columns = (matched.rows, matched.texts, matched.kinds, matched.shares)
    for row, text, kind, share in zip(*(each.tolist() for each in columns), strict=True):
        role, benchmark = ROLES[index.texts.roles[text]], int(index.texts.benchmarks[text])
        found.append(Match(row, text, benchmark, role, _MATCHES[kind], share))
    return sorted(found, key=lambda each: (each.row, each.text))


def _matched(form: Form, training: Compared, settings: Decontaminate) -> Found:
    words = form.texts.words
    runs = find_runs(
        training.words, words, form.exact, form.grams, ngram=settings.ngram, containment=settings.containment
    )
    if settings.near is None:
        return runs
    cut = banding(settings.near)
    rows, others, shares = find_near(training.characters, form.texts.characters, form.near, cut, near=settings.near)
    return _with(runs, Found(rows, others, np.full(len(rows), _NEAR), shares))


def _bare(form: Form, texts: pa.Array, titles: pa.Array, content: Content, settings: Decontaminate) -> Found:
    """Returns what short training texts equal without their titles; in longer ones n-grams find as much."""
    places, lengths = bare_lengths(texts, titles, settings.ngram)
    places = places[lengths < settings.ngram]
    bare = compared(texts.take(pa.array(places)), content, near=False)
    found = find_runs(
        bare.words, form.texts.words, form.exact, form.grams, ngram=settings.ngram, containment=settings.containment
    )
    equal = found.kinds == EXACT
    return Found(places[found.rows[equal]], found.texts[equal], found.kinds[equal], found.shares[equal])


def _with(found: Found, more: Found) -> Found:
    """Returns matches, and those of others that they do not have yet."""
    known = set(zip(found.rows.tolist(), found.texts.tolist(), strict=True))
    new = np.array([pair not in known for pair in zip(more.rows.tolist(), more.texts.tolist(), strict=True)], np.bool_)
    return Found(
        np.concatenate([found.rows, more.rows[new]]),
        np.concatenate([found.texts, more.texts[new]]),
        np.concatenate([found.kinds, more.kinds[new]]),
        np.concatenate([found.shares, more.shares[new]]),
    )
