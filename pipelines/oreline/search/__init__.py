"""Exact nearest-neighbour search over shards of unit vectors, and the work of mining around it."""
