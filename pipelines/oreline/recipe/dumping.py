"""Writes a recipe as it is run, with every default filled in, readable back to an equal recipe."""

import io

from ruamel.yaml import YAML
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.representer import RoundTripRepresenter

from oreline.recipe.settings import Recipe, Select
from oreline.recipe.verdicts import needing_verdicts
from oreline.stages.catalog import judge_skipped

_WIDTH = 120


def dump_recipe(recipe: Recipe) -> str:
    """Returns the YAML text of a recipe, all keys in the order of the settings.

    Settings that need a judge's verdicts are left out where no judge runs and they stand at their defaults: written
    out they would be an error. API keys cannot stand in it, as no setting holds one.
    """
    value = recipe.model_dump(mode="python")
    skipped = judge_skipped(recipe)
    left_out: list[str] = []
    if skipped is not None:
        # Others than defaults are errors that `checks` finds; they must not vanish here.
        defaults = needing_verdicts(recipe.model_copy(update={"select": Select()}))
        for key in sorted(set(needing_verdicts(recipe)) & set(defaults)):
            left_out.append(key)
            section = value
            *outer, last = key.split(".")
            for step in outer:
                section = section[step]
            del section[last]
    lines = ["# As run, with every default filled in. It is a recipe: `oreline run` takes it."]
    if left_out:
        lines.append(f"# Off, as judge is skipped ({skipped}): {', '.join(left_out)}.")
    stream = io.StringIO()
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.width = _WIDTH
    yaml.representer.add_representer(type(None), _null)
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.dump(value, stream)
    return "\n".join(lines) + "\n" + stream.getvalue()


def _null(representer: RoundTripRepresenter, _: None) -> ScalarNode:
    return representer.represent_scalar("tag:yaml.org,2002:null", "null")
