"""Chunking: long documents are cut at headings, then paragraphs, then sentences. No Beam here."""
