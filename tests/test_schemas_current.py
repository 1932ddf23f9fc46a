"""The contracts in schemas/ are those of the code."""

import json
from pathlib import Path

import pytest

from oreline import resources
from oreline.contracts import contracts, recipe_schema, text_of, write_contracts
from oreline.ids import Json
from oreline.records import ROW_TYPES


def test_every_contract_is_written_and_current() -> None:
    stored = {entry.name: entry.read_text(encoding="utf-8") for entry in resources.folder("schemas").iterdir()}
    made = {name: text_of(value) for name, value in contracts().items()}
    assert sorted(stored) == sorted(made), "run `make schemas`"
    for name, text in made.items():
        assert stored[name] == text, f"{name} is not current: run `make schemas`"


def test_every_table_and_answer_has_a_contract() -> None:
    names = set(contracts())
    assert {f"{table}.schema.json" for table in ROW_TYPES} <= names
    assert {"FretAnswer.schema.json", "RaterAnswer.schema.json", "ListwiseAnswer.schema.json"} <= names


def undescribed(schema: Json, path: str = "") -> list[str]:
    """Returns the properties without a description."""
    if isinstance(schema, list):
        return [found for each in schema for found in undescribed(each, path)]
    if not isinstance(schema, dict):
        return []
    found = []
    properties = schema.get("properties")
    if isinstance(properties, dict):
        for name, inner in properties.items():
            if isinstance(inner, dict) and not inner.get("description"):
                found.append(f"{path}{name}")
    return found + [each for key, inner in schema.items() for each in undescribed(inner, f"{path}{key}.")]


def test_every_key_of_a_recipe_is_described_and_operational_keys_are_marked() -> None:
    schema = recipe_schema()
    assert undescribed(schema) == []
    marked = json.loads(text_of(schema))["properties"]
    assert [name for name, spec in marked.items() if spec.get("operational")] == ["output", "cache", "prompts", "beam"]


def test_a_bare_path_is_a_source_in_the_schema_too() -> None:
    sources = json.loads(text_of(recipe_schema()))["properties"]["sources"]
    assert sources["items"]["anyOf"][0]["type"] == "string"


@pytest.mark.parametrize("place", [0, 1])
def test_the_examples_in_the_schema_are_recipes(place: int) -> None:
    from oreline.recipe.loading import recipe_from

    example = json.loads(text_of(recipe_schema()))["examples"][place]
    assert recipe_from(example).recipe.sources


def test_writing_removes_contracts_of_types_that_are_gone(tmp_path: Path) -> None:
    (tmp_path / "old.schema.json").write_text("{}", encoding="utf-8")
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    write_contracts(str(tmp_path))
    assert not (tmp_path / "old.schema.json").exists()
    assert (tmp_path / "notes.txt").exists()
    assert (tmp_path / "recipe.schema.json").exists()
