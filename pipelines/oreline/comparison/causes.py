"""Causes: which rows' negatives moved because the settings of select differ, and which because its inputs do.

Where both differ, rows are selected once more: from OLD's stored candidates and verdicts by NEW's settings. What that
changes is the settings' doing, what is left to NEW's rows is that of the inputs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from oreline.comparison.stages import Difference, StagePair
from oreline.fingerprint import inputs_of
from oreline.ids import Json, seeded_fraction
from oreline.job import Job
from oreline.recipe.settings import Recipe
from oreline.selection.blocks import block_queries, read_cases
from oreline.selection.cases import Rules
from oreline.selection.near_equal import NearEqual
from oreline.selection.rows import select_row
from oreline.stages.catalog import BY_NAME
from oreline.tables.manifest import read_manifest

MOST_SELECTED = 2_000
"""Rows that are selected once more; where more changed, these are drawn by a hash of their ids."""

_SEED = 13


@dataclass(frozen=True)
class Causes:
    """Why negatives moved, of `examined` rows that both outputs have and whose negatives differ.

    `settings`, `inputs` and `both` count rows that moved because of one or the other or by both together. `keys` are
    the differing settings of select, `upstream` the differences of the stages before it. `unknown` says why nothing
    could be told apart.
    """

    examined: int
    changed: int
    settings: int
    inputs: int
    both: int
    keys: tuple[Difference, ...]
    upstream: tuple[tuple[str, Difference], ...]
    unknown: str | None = None

    def to_json(self) -> dict[str, Json]:
        """Returns the numbers and differences under their names."""
        numbers = {name: getattr(self, name) for name in ("examined", "changed", "settings", "inputs", "both")}
        return {
            **numbers,
            "keys": [each.to_json() for each in self.keys],
            "upstream": [{"stage": stage, **each.to_json()} for stage, each in self.upstream],
            "unknown": self.unknown,
        }


def causes_of(joined: pl.DataFrame, stages: Sequence[StagePair], old: Recipe, new: Recipe) -> Causes | None:
    """Returns why negatives of rows moved; None if none did, or one output has no rows.

    `joined` is from `rows.side_by_side`; `old` and `new` are the outputs' recipes.
    """
    changed = joined.filter(pl.col("negatives_changed"))
    select = next((each for each in stages if each.stage == "select" and each.state == "differs"), None)
    if not len(changed) or select is None:
        return None
    keys = tuple(each for each in select.own if not each.key.startswith("mine."))
    upstream = tuple((each.stage, one) for each in stages for one in each.own if each.stage not in ("select", "export"))
    number = len(changed)
    if not keys:
        return Causes(number, number, 0, number, 0, keys, upstream)
    if not select.inputs:
        return Causes(number, number, number, 0, 0, keys, upstream)
    unknown = _unselectable(old, new)
    if unknown is not None:
        return Causes(0, number, 0, 0, 0, keys, upstream, unknown)
    drawn = sorted(changed["query_id"], key=lambda each: (seeded_fraction(_SEED, "compare", each), each))
    rows = changed.filter(pl.col("query_id").is_in(drawn[:MOST_SELECTED])).to_dicts()
    again = negatives_again(old, new, [str(row["query_id"]) for row in rows])
    settings = inputs = both = 0
    for row in rows:
        between = again.get(str(row["query_id"]))
        by_settings, by_inputs = between != row["negatives"], between != row["negatives_new"]
        both += by_settings and by_inputs
        settings += by_settings and not by_inputs
        inputs += by_inputs and not by_settings
    return Causes(len(rows), number, settings, inputs, both, keys, upstream)


def negatives_again(old: Recipe, new: Recipe, query_ids: Sequence[str]) -> Mapping[str, list[str]]:
    """Returns the negatives, as sorted ids, that NEW's settings of select take from OLD's candidates, by query.

    A query that gets no row so has no entry.
    """
    recipe = old.model_copy(update={"select": new.select, "seed": new.seed})
    job = Job(old.output, "select", recipe, inputs_of(old, BY_NAME["select"]))
    rules = Rules.of(recipe)
    found: dict[str, list[str]] = {}
    step = block_queries(job)
    queries = job.lookup("queries", "query_id", query_ids)
    for start in range(0, queries.num_rows, step):
        near_equal = NearEqual(recipe.select.near_equal)
        for case in read_cases(job, queries.slice(start, step)):
            triple = select_row(case, rules, near_equal).triple
            if triple is not None:
                found[case.query.query_id] = sorted(each.doc_id for each in triple.negatives)
    return found


def _unselectable(old: Recipe, new: Recipe) -> str | None:
    inputs = inputs_of(old, BY_NAME["select"])
    for stage in dict.fromkeys(inputs.values()):
        manifest = read_manifest(old.output, stage)
        if manifest is None or manifest.version != BY_NAME[stage].version:
            return f"OLD's {stage} was made by another version of oreline"
    if new.select.negatives and "candidates" not in inputs:
        return "OLD has no stored candidates from which NEW's settings could select"
    if new.select.pick == "lowest_ranked" and "judgements" not in inputs:
        return "NEW picks lowest_ranked, for which OLD has no verdicts"
    return None
