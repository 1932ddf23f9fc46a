"""The design's invariants of selection hold in adversarial worlds, under every setting."""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import TypeVar

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oreline.selection.blocks import read_cases
from oreline.selection.cases import Rules
from oreline.selection.near_equal import NearEqual
from oreline.selection.rows import Selected, select_row
from selection_checker import Checker
from selection_worlds import World, worlds

Row = TypeVar("Row")
thorough = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))


def select(world: World, block: int = 1_000) -> dict[str, Selected]:
    """Returns what became of each query, read and selected in blocks of `block` queries."""
    folder = Path(tempfile.mkdtemp())
    try:
        job = world.write(folder)
        rules = Rules.of(job.recipe)
        found: dict[str, Selected] = {}
        for reference in job.row_groups("queries"):
            rows = job.read(reference)
            for start in range(0, rows.num_rows, block):
                near_equal = NearEqual(rules.select.near_equal)
                for case in read_cases(job, rows.slice(start, block)):
                    assert case.query.query_id not in found
                    found[case.query.query_id] = select_row(case, rules, near_equal)
        return found
    finally:
        shutil.rmtree(folder)


@thorough
@given(worlds())
def test_no_rule_of_the_design_is_broken_and_rows_are_as_full_as_they_can_be(world: World) -> None:
    found = select(world)
    recipe = world.recipe(Path("unused"))
    assert set(found) == {query.query_id for query in world.queries}
    for query in world.queries:
        outcome = found[query.query_id]
        Checker(world, recipe, query).check(outcome.triple, outcome.reject)


@settings(thorough, max_examples=40)
@given(worlds(), st.integers(1, 3), st.randoms(use_true_random=False))
def test_rows_depend_neither_on_the_order_of_tables_nor_on_blocks(world: World, block: int, random: Random) -> None:
    def shuffled(rows: Sequence[Row]) -> list[Row]:
        return random.sample(rows, len(rows))

    other = replace(
        world,
        documents=shuffled(world.documents),
        queries=shuffled(world.queries),
        pairs=shuffled(world.pairs),
        candidates=shuffled([replace(each, pool=each.pool[::-1]) for each in world.candidates]),
        judgements=None if world.judgements is None else shuffled(world.judgements),
    )
    assert select(world) == select(other, block)
