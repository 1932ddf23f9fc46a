"""Which of a section's models, or of the writers with a share, a unit is given to."""

import math
from collections.abc import Mapping
from functools import lru_cache

from oreline.ids import seeded_fraction
from oreline.llm.identity import provider_identity
from oreline.llm.same import Same
from oreline.recipe.settings import Llm

_SEED = 0
"""Not the recipe's: another seed should buy no new answers."""


def assigned(llm: Llm, unit_id: str) -> tuple[int, Llm]:
    """Returns the place, from 0, and the settings of the model that a unit is given to, in proportion to the shares.

    The choice is by sha256 of unit and model alone (weighted rendezvous hashing, Schindelhauer and Schomaker 2005): a
    model that is added takes its part from the others and moves nothing else, so that the journal goes on serving.
    """
    members = _members(Same(llm))
    if len(members) == 1:
        return 0, members[0]
    weights = [_weight(member, unit_id) for member in members]
    place = max(range(len(members)), key=weights.__getitem__)
    return place, members[place]


@lru_cache(maxsize=64)
def _members(llm: Same[Llm]) -> tuple[Llm, ...]:
    return llm.value.members()


def _weight(member: Llm, unit_id: str) -> float:
    return _weighted(member.share, "model", provider_identity(member), member.model, unit_id)


def assigned_name(shares: Mapping[str, float], unit_id: str) -> str:
    """Returns which of the names a unit is given to, in proportion to their shares, above 0; chosen as models are."""
    return max(sorted(shares), key=lambda name: _weighted(shares[name], "name", name, unit_id))


def portion(shares: Mapping[str, float], name: str) -> float:
    """Returns the part of all units, 0 to 1, that a name is given: all, if it has no share."""
    return shares[name] / sum(shares.values()) if name in shares else 1.0


def _weighted(share: float, *parts: str) -> float:
    drawn = seeded_fraction(_SEED, *parts)
    return -share / math.log(drawn) if drawn > 0.0 else 0.0
