"""Duplicates among documents: shingles, MinHash signatures, candidates by bands, exact verification, clusters."""
