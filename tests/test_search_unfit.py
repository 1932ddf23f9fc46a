"""A stored vector that cannot be searched fails the stage, which says whose it is."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from oreline.commit import Pending, read_outcome
from oreline.job import Job
from oreline.runner import run_pipeline
from oreline.stages.catalog import BY_NAME
from test_mine_stage import INPUTS, document, on_circle, pair, prepare, query

from house import recipe_for


def damage(cache: Path, vector: np.ndarray) -> None:
    """Puts a number that is not finite into one stored vector, in a file that is complete otherwise."""
    (path,) = cache.glob("vectors/*/*/*.parquet")
    table = pq.read_table(path)
    rows = [bytearray(each) for each in table.column("vector").to_pylist()]
    wanted = vector.astype("<f2").tobytes()
    (hit,) = [row for row in rows if row.startswith(wanted)]
    hit[:2] = np.array([np.inf], "<f2").tobytes()
    column = pa.array([bytes(each) for each in rows], table.schema.field("vector").type)
    pq.write_table(table.set_column(1, "vector", column), path, write_page_checksum=True)


@pytest.mark.parametrize(("degrees", "whose"), [(20, "document d/b"), (5, "query d/q")])
def test_whose_vector_is_not_finite_is_said(tmp_path: Path, degrees: float, whose: str) -> None:
    recipe = recipe_for(tmp_path, mine={"top_k": 3})
    vectors = {"d/a": on_circle(10), "d/b": on_circle(20), "d/c": on_circle(30), "d/q": on_circle(5)}
    documents = [document(name, f"text {name}") for name in "abc"]
    prepare(recipe, documents, [query("q", "asked")], [pair("q", "a")], vectors)
    damage(Path(recipe.cache_folder), on_circle(degrees))
    job = Job(recipe.output, "mine", recipe, INPUTS)
    run_pipeline(job, BY_NAME["mine"], Pending("test", {}, "2026-01-01T00:00:00Z"), ())
    outcome = read_outcome(recipe.output, "mine")
    assert outcome is not None
    assert f"the vector of {whose} is not finite; encode it again" in str(outcome.message)
