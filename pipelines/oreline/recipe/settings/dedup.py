"""Near-duplicates."""

from oreline.recipe.settings.base import Count, Settings, Share


class Dedup(Settings):
    """Near-duplicate documents, by MinHash over word n-grams."""

    enabled: bool = True
    """Whether the stage runs."""
    threshold: Share = 0.8
    """Jaccard similarity from which documents are near-duplicates."""
    ngram: Count = 5
    """Words per shingle."""
    bands: Count = 14
    """Bands of the signature."""
    rows: Count = 8
    """Rows of a band: bands x rows permutations."""
