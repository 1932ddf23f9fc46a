"""Presets of dedup: the settings of published deduplications, by the name of the paper or data set."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

PresetName = Literal["fineweb", "dclm", "lee", "slimpajama"]

PRESETS: Mapping[str, Mapping[str, int | str]] = MappingProxyType(
    {
        # Penedo et al. 2024, section 3.4: datatrove's defaults, clusters unverified.
        "fineweb": {"ngram": 5, "bands": 14, "rows": 8, "verify": "none"},
        # Li et al. 2024, appendix L: 93 bands of 15.
        "dclm": {"ngram": 5, "bands": 93, "rows": 15, "verify": "none"},
        # Lee et al. 2021, section 4.2 and appendix A: 450 bands of 20, edit similarity after Jaccard.
        "lee": {"ngram": 5, "bands": 450, "rows": 20, "verify": "edit"},
        # Soboleva et al. 2023: 13-grams, Jaccard 0.8.
        "slimpajama": {"ngram": 13, "bands": 16, "rows": 8, "verify": "none"},
    }
)
"""What each preset sets; a key that the recipe gives itself stays as given."""
