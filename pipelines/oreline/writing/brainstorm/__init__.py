"""The writer generated/brainstorm: tasks are made up first, then rows for each (E5-mistral, arXiv 2401.00368)."""
