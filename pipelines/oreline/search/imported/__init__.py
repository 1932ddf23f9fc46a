"""Imported candidates: files in which another retriever left what it found, read as the list of a miner."""
