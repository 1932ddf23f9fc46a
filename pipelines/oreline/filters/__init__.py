"""Filters of queries: free rules, equal queries merged, near-duplicates, the LLM rater. No encoder is read."""
