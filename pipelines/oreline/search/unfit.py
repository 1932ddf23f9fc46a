"""Vectors that cannot be searched, by the names that a user knows."""

import pyarrow as pa

from oreline.search.corpus import Corpus
from oreline.search.exact import UnfitVector
from oreline.search.questions import Questions


class UnfitStored(Exception):
    """A stored vector that is not finite, or too long; the text says whose, and what to do."""


def named(unfit: UnfitVector, questions: Questions, corpus: Corpus) -> str:
    """Returns a sentence with the id of the document or query whose vector cannot be searched."""
    if unfit.side == "query":
        own_id = questions.query_ids[unfit.place]
    else:
        own_id = corpus.ids_of(pa.array([unfit.place]))[0].as_py()
    return f"the vector of {unfit.side} {own_id} {unfit.problem}"
