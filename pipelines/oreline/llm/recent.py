"""The calls of the last minute, by the journal: limits per minute hold from one stage, worker or run to the next."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime

from oreline import files
from oreline.llm.identity import provider_identity
from oreline.llm.journal.reading import BrokenSegment, read_segment
from oreline.llm.journal.segments import SEGMENT, journal_folder
from oreline.llm.minutes import MINUTE
from oreline.recipe.settings import ModelSettings
from oreline.tables.schema import from_arrow

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recent:
    """An answered call: seconds since it was sent, and its tokens."""

    age: float
    tokens: int


@dataclass(frozen=True)
class _Row:
    """The columns of an answer that are read."""

    request_key: str
    attempt: int
    provider: str | None
    model: str | None
    prompt_tokens: int | None
    thinking_tokens: int | None
    output_tokens: int | None
    latency: float | None
    time: str | None

    @property
    def tokens(self) -> int:
        return (self.prompt_tokens or 0) + (self.thinking_tokens or 0) + (self.output_tokens or 0)

    def age(self, now: datetime) -> float:
        """Returns the seconds since it was sent; infinitely many if that is not known."""
        try:
            came = datetime.fromisoformat(self.time or "")
        except ValueError:
            return float("inf")
        came = came if came.tzinfo else came.replace(tzinfo=UTC)
        return max(0.0, (now - came).total_seconds() + (self.latency or 0.0))


def recent_calls(cache: str, model: ModelSettings, now: datetime) -> Sequence[Recent]:
    """Returns a model's calls of the last minute whose answers the journal holds, the oldest first.

    Only segments that were written within that minute are read. Calls that got no answer are not known.
    """
    sent: dict[tuple[str, int], Recent] = {}
    begun = now.timestamp() - MINUTE
    for found in files.walk(journal_folder(cache)):
        if found.modified < begun or not found.path.endswith(SEGMENT):
            continue
        for row in _rows(found.path):
            if (row.provider, row.model) == (provider_identity(model), model.model):
                sent[row.request_key, row.attempt] = Recent(row.age(now), row.tokens)
    return sorted((each for each in sent.values() if each.age < MINUTE), key=lambda each: -each.age)


def _rows(path: str) -> list[_Row]:
    try:
        return from_arrow(_Row, read_segment(path, [each.name for each in fields(_Row)]))
    except (BrokenSegment, OSError) as error:  # named when its lane is read, or merged meanwhile
        _LOG.debug("%s: %s", path, error)
        return []
