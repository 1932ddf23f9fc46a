"""Writers of queries: which there are, what they ask a model, and what becomes of its answers. No Beam here."""
