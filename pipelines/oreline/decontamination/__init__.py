"""Evaluation sets that must not be trained on: reading them, an index, matches of training rows, what follows."""
