"""Exact search on a GPU without writing the scores: the first pass of the largest corpora."""
