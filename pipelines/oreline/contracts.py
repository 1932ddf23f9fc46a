"""Writes the contracts of tables, LLM answers and recipes as data: `python -m oreline.contracts [FOLDER]`."""

import importlib
import json
import os
import sys
from typing import cast

from pydantic import BaseModel

from oreline.ids import Json
from oreline.recipe.settings import Recipe
from oreline.records import ROW_TYPES
from oreline.tables.schema import contract

ANSWERS = {
    "FretAnswer": "oreline.writing.answers",
    "SummaryAnswer": "oreline.writing.answers",
    "QuestionsAnswer": "oreline.writing.answers",
    "FewShotAnswer": "oreline.writing.answers",
    "TasksAnswer": "oreline.writing.brainstorm.answers",
    "TripleAnswer": "oreline.writing.brainstorm.answers",
    "ListAnswer": "oreline.writing.classification.answers",
    "LabelledTextsAnswer": "oreline.writing.classification.answers",
    "RaterAnswer": "oreline.judging.answers",
    "SafetyAnswer": "oreline.judging.answers",
    "ListwiseAnswer": "oreline.judging.answers",
    "GradedAnswer": "oreline.judging.answers",
    "LikelihoodAnswer": "oreline.judging.answers",
    "QueryText": "oreline.judging.answers",
    "CodeDescriptions": "oreline.writing.code_answers",
    "CodeQuestions": "oreline.writing.code_answers",
    "MultiHopAnswer": "oreline.writing.multi_hop_answers",
    "MultiHopVerdicts": "oreline.writing.multi_hop_answers",
    "PersonaConfigurations": "oreline.writing.persona_answers",
    "PersonaQuery": "oreline.writing.persona_answers",
}
"""What models answer with, and the module of each; every one has a schema file."""

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_EXAMPLES: list[Json] = [
    {"output": "out/handbook", "sources": ["docs/"], "llm": {"provider": "gemini", "model": "gemini-3.5-flash-lite"}},
    {
        "output": "out/medquad",
        "sources": [{"path": "data/medquad", "format": "beir", "positive_from": 1}],
        "mine": {"ceiling": {"percent_of_positive": 0.95}},
        "select": {"window": [1, 10], "negatives": 4},
    },
]


def contracts() -> dict[str, Json]:
    """Returns every contract by its file name in `schemas/`."""
    files: dict[str, Json] = {f"{table}.schema.json": contract(table) for table in ROW_TYPES}
    for name, module in ANSWERS.items():
        model = cast("type[BaseModel]", getattr(importlib.import_module(module), name))
        files[f"{name}.schema.json"] = {"$schema": _DIALECT, **_object(model)}
    files["recipe.schema.json"] = recipe_schema()
    return files


def recipe_schema() -> dict[str, Json]:
    """Returns the JSON Schema of a recipe as it is written: a bare path is a source, or a benchmark, too.

    `operational: true` marks keys that cannot change what comes out and so enter no fingerprint.
    """
    schema = _object(Recipe)
    sections = cast("dict[str, dict[str, dict[str, dict[str, Json]]]]", schema["$defs"])
    properties = cast("dict[str, dict[str, Json]]", schema["properties"])
    for listed in (properties["sources"], sections["Decontaminate"]["properties"]["against"]):
        listed["items"] = {
            "anyOf": [{"type": "string", "description": "A path, short for {path: ...}."}, listed["items"]]
        }
    return {"$schema": _DIALECT, **schema, "examples": _EXAMPLES}


def _object(model: type[BaseModel]) -> dict[str, Json]:
    return cast("dict[str, Json]", model.model_json_schema())


def text_of(value: Json) -> str:
    """Returns a contract as its file holds it."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def write_contracts(folder: str) -> list[str]:
    """Writes all contracts into a folder, deletes those that have no type any more, and returns the names written."""
    os.makedirs(folder, exist_ok=True)
    made = contracts()
    for name in sorted(os.listdir(folder)):
        if name.endswith(".schema.json") and name not in made:
            os.remove(os.path.join(folder, name))
    for name, value in made.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8", newline="\n") as file:
            file.write(text_of(value))
    return list(made)


if __name__ == "__main__":
    target = sys.argv[1] if len(sys.argv) > 1 else "schemas"
    sys.stdout.write(f"{len(write_contracts(target))} contracts in {target}/\n")
