"""Encoders: which model, its identity, its prefixes, and how a batch of texts becomes unit vectors."""
