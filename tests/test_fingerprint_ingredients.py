"""What a stage's fingerprint holds: all that can change its rows, and nothing that cannot."""

import json
from pathlib import Path

import pytest

from oreline import resources
from oreline.fingerprint import pending
from oreline.recipe.loading import recipe_from
from oreline.stages.catalog import STAGES

from house import finish, recipe_for

LLM = {"provider": "gemini", "model": "gemini-3.5-flash-lite", "server": "local", "base_url": "http://localhost:1"}
WRITERS = ["retrieval/fret", "extractive/title"]


@pytest.fixture
def world(tmp_path: Path) -> dict[str, object]:
    """Returns a recipe with every stage, over an output in which each stage is finished, with empty tables."""
    (tmp_path / "rows.jsonl").write_text('{"id": "a", "text": "The pump stands in the hall."}\n')
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text('{"hidden_size": 8, "max_position_embeddings": 512}')
    (model / "model.safetensors").write_bytes(b"weights")
    (model / "config_sentence_transformers.json").write_text('{"prompts": {"query": "q: ", "document": "d: "}}')
    for stage in STAGES:
        tables: dict[str, list[object]] = {table: [] for table in (*stage.writes, *stage.adds)}
        finish(recipe_for(tmp_path / "out"), stage.name, tables)
    return {
        "output": str(tmp_path / "out"),
        "sources": [{"path": str(tmp_path / "rows.jsonl"), "dataset": "rows"}],
        "llm": LLM,
        "encoder": {"model": str(model)},
        "synthesize": {"writers": WRITERS},
        "export": {"prefixes": True},
    }


def fingerprints(recipe: dict[str, object], *overrides: str) -> dict[str, str]:
    """Returns the fingerprint of every stage."""
    pytest.importorskip("torch")
    loaded = recipe_from(recipe, overrides).recipe
    return {stage.name: pending(loaded, stage, "now").fingerprint for stage in STAGES}


def changed(recipe: dict[str, object], *overrides: str) -> set[str]:
    """Returns the stages that overrides change, as long as each one's inputs stay what they are."""
    before, after = fingerprints(recipe), fingerprints(recipe, *overrides)
    return {name for name in before if before[name] != after[name]}


@pytest.mark.parametrize(
    ("override", "stages"),
    [
        ("sources.0.chunking.tokens=100", "ingest"),
        ("sources.0.dataset=others", "ingest"),
        ("dedup.threshold=0.7", "dedup"),
        ("seed=14", "synthesize select"),
        ("synthesize.per_document=3", "synthesize"),
        ("synthesize.writers=[extractive/title]", "synthesize"),
        ("llm.model=gemini-3.5-pro", "synthesize filter judge"),
        ("llm.temperature=0.1", "synthesize filter judge"),
        ("llm.server=other", "synthesize filter judge"),
        ("llm.attempts=3", "synthesize filter judge"),
        ("filter.rater.keep_from=1", "filter"),
        ("encoder.max_tokens=64", "embed"),
        ('encoder.query_prefix="query: "', "embed export"),
        ("mine.top_k=50", "mine select"),
        ("mine.spare=5", "mine select"),
        ("mine.within=all", "mine select"),
        ("mine.ceiling=none", "mine judge select"),
        ("judge.top_k=10", "judge"),
        ("judge.enabled=false", "judge select"),
        ("select.pick=hardest", "select"),
        ("select.negatives=5", "judge select export"),
        ("export.positives=first", "export"),
    ],
)
def test_a_key_changes_the_fingerprints_of_the_stages_that_it_can_change(
    override: str, stages: str, world: dict[str, object]
) -> None:
    assert changed(world, override) == set(stages.split())


@pytest.mark.parametrize(
    "override",
    [
        "beam.workers=3",
        "beam.stages.mine.workers=2",
        "beam.options=[--temp_location=gs://x]",
        "cache=elsewhere",
        "llm.base_url=http://localhost:2",
        "llm.concurrency=1",
        "llm.workers=2",
        "llm.timeout=3.5",
        "llm.budget_usd=1.5",
        "llm.budget_tokens=7",
        "encoder.device=cpu",
        "encoder.threads=1",
    ],
)
def test_an_operational_key_changes_none(override: str, world: dict[str, object]) -> None:
    assert changed(world, "encoder.precision=float32", override) == changed(world, "encoder.precision=float32")


def test_the_output_and_the_time_are_no_ingredients(world: dict[str, object], tmp_path: Path) -> None:
    before = fingerprints(world)
    (tmp_path / "out").rename(tmp_path / "moved")
    assert fingerprints(world, f"output={tmp_path / 'moved'}") == before


def test_weights_and_the_prompts_that_a_model_carries_change_embed(world: dict[str, object], tmp_path: Path) -> None:
    before = fingerprints(world)
    prompts = tmp_path / "model" / "config_sentence_transformers.json"
    prompts.write_text(json.dumps({"prompts": {"query": "query: ", "document": "d: "}}))
    after = fingerprints(world)
    assert {name for name in before if before[name] != after[name]} == {"embed", "export"}
    (tmp_path / "model" / "model.safetensors").write_bytes(b"other weights")
    last = fingerprints(world)
    assert {name for name in after if after[name] != last[name]} == {"embed"}


def test_each_of_two_prompts_with_one_id_is_an_ingredient(world: dict[str, object], tmp_path: Path) -> None:
    prompts = [tmp_path / "a.md", tmp_path / "b.md"]
    for path in prompts:
        path.write_text(resources.read("prompts", "retrieval", "fret.md"))
    world["synthesize"] = {"writers": [str(path) for path in prompts]}
    before = fingerprints(world)
    for path in prompts:
        path.write_text(path.read_text() + "\nBe brief.\n")
        after = fingerprints(world)
        assert {name for name in before if before[name] != after[name]} == {"synthesize"}
        before = after


def test_a_touched_source_changes_ingest_and_changed_rows_what_reads_them(
    world: dict[str, object], tmp_path: Path
) -> None:
    before = fingerprints(world)
    (tmp_path / "rows.jsonl").write_text('{"id": "b", "text": "The tank stands in the yard."}\n')
    after = fingerprints(world)
    assert {name for name in before if before[name] != after[name]} == {"ingest"}
