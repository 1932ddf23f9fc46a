"""Judging: which documents a model grades for a query, how it is asked, and what its grades mean. No Beam here."""
