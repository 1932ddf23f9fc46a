"""Calls to a model: requests and answers, providers, the journal, budget and prices."""
