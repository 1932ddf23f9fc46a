"""Which settings need a judge's verdicts: an error if written while judge is skipped, off if they are defaults."""

from oreline.recipe.settings import Recipe


def needing_verdicts(recipe: Recipe) -> dict[str, str]:
    """Returns the dotted keys that have no effect without verdicts, each with what to set instead."""
    select = recipe.select
    needing: dict[str, str] = {}
    if select.gates.positive_grade > 0:
        needing["select.gates.positive_grade"] = "0"
    for origin in ("synthetic", "human", "extractive"):
        if getattr(select.relabel, origin) != "keep":
            needing[f"select.relabel.{origin}"] = "keep"
    if select.false_negatives.action == "drop_row":
        needing["select.false_negatives.action"] = "drop_negative"
    if select.false_negatives.most is not None:
        needing["select.false_negatives.most"] = "null"
    if select.false_negatives.given:
        needing["select.false_negatives.given"] = "false"
    if select.pick == "lowest_ranked":
        needing["select.pick"] = "random or hardest"
    if select.siblings == "judge":
        needing["select.siblings"] = "exclude or allow"
    return needing
