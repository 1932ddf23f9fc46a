"""What measuring recall came to, as it crosses an edge to those that mine."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from oreline.ids import Json

FACT = "index"
"""The name of the fact in mine's manifest."""


@dataclass(frozen=True)
class Outcome:
    """How much each miner's indexes look at, and what the manifest says of them; or a failure: code and sentence."""

    efforts: Mapping[str, int] = field(default_factory=dict)
    fact: Json = None
    failure: tuple[str, str] | None = None

    def encode(self) -> bytes:
        """Returns the outcome as it crosses an edge."""
        return json.dumps([dict(self.efforts), self.fact, self.failure]).encode()

    @classmethod
    def decode(cls, encoded: bytes) -> "Outcome":
        """Reads what `encode` wrote."""
        efforts, fact, failure = json.loads(encoded)
        return cls(efforts, fact, None if failure is None else (failure[0], failure[1]))
