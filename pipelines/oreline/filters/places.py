"""Places: strings that sort as rows stay when only one may: human, synthetic, extractive; longest, if asked; the id."""

import json
from typing import Literal

from oreline.filters.judged import stays_first
from oreline.records import Query

Keep = Literal["smallest_id", "longest"]

HUMAN = "0"
"""First character of a human row's place."""

_MOST = 99_999_999
_WIDTH = 9


def query_place(query: Query, keep: Keep = "smallest_id") -> str:
    """Returns the place of a query."""
    return f"{_prefix(query, keep)}{query.query_id}"


def pair_place(query: Query, doc_id: str, keep: Keep = "smallest_id") -> str:
    """Returns the place of a query's pair."""
    return f"{_prefix(query, keep)}{json.dumps([query.query_id, doc_id], ensure_ascii=False)}"


def id_at(place: str) -> str:
    """Returns the id of the query at a place."""
    return place[_WIDTH:]


def pair_at(place: str) -> tuple[str, str]:
    """Returns the query and the document of the pair at a place."""
    query_id, doc_id = json.loads(place[_WIDTH:])
    return query_id, doc_id


def _prefix(query: Query, keep: Keep) -> str:
    origin, _ = stays_first(query)
    rank = max(0, _MOST - len(query.query)) if keep == "longest" else 0
    return f"{origin}{rank:08d}"
