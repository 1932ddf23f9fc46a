"""What a run leaves in the machine's temporary folder: nothing, however it ends."""

import tempfile
from pathlib import Path

import pytest

from oreline.commit import Pending
from oreline.errors import RecipeError
from oreline.job import Job
from oreline.recipe.settings import Recipe
from oreline.runner import run_pipeline
from oreline.stages.catalog import BY_NAME

from house import recipe_for, run_stage


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder of the test's own."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_a_stage_that_ran_leaves_no_temporary_folder(tmp_path: Path, temporary: Path) -> None:
    (tmp_path / "notes.txt").write_text("Rivers run to the sea.")
    recipe = Recipe.model_validate({"output": str(tmp_path / "out"), "sources": [{"path": f"{tmp_path}/notes.txt"}]})
    assert run_stage(recipe, "ingest").rows("documents") == 1
    assert [*temporary.iterdir()] == []


def test_a_stage_whose_graph_cannot_be_built_leaves_no_temporary_folder(tmp_path: Path, temporary: Path) -> None:
    recipe = recipe_for(tmp_path / "out", synthesize={"writers": ["retrieval/fret"]})
    job = Job(recipe.output, "synthesize", recipe, {"documents": "dedup"})
    with pytest.raises(RecipeError, match="calls a model, but the recipe has no llm"):
        run_pipeline(job, BY_NAME["synthesize"], Pending("test", {}, "2026-01-01T00:00:00Z"))
    assert [*temporary.iterdir()] == []
