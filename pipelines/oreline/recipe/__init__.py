"""The recipe: what a run does, as the user writes it.

`settings` holds the types and defaults; `loading` reads YAML and says what is wrong with it, by line.
"""

from oreline.recipe.settings import Recipe as Recipe

__all__ = ["Recipe"]
