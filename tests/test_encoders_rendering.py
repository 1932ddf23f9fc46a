"""Prefixes and rendering: the exact strings that an encoder reads."""

import json
from pathlib import Path

import pytest

from oreline.encoders.prefixes import FAMILIES, Prefixes, family_of, prefixes_of
from oreline.encoders.rendering import render_document, render_query
from oreline.recipe.settings import Encoder
from oreline.records import TaskType


def carrying(tmp_path: Path, prompts: dict[str, str]) -> str:
    (tmp_path / "config_sentence_transformers.json").write_text(json.dumps({"prompts": prompts}), encoding="utf-8")
    return str(tmp_path)


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("minilm", "minilm"),
        ("sentence-transformers/all-MiniLM-L6-v2", "minilm"),
        ("intfloat/multilingual-e5-base", "e5"),
        ("intfloat/multilingual-e5-large-instruct", "e5-instruct"),
        ("BAAI/bge-base-en-v1.5", "bge-en"),
        ("BAAI/bge-m3", "bge-m3"),
        ("google/embeddinggemma-300m", "embeddinggemma"),
        ("gemini-embedding-001", "gemini-embedding-1"),
        ("gemini-embedding-2", "gemini-embedding-2"),
        ("Qwen/Qwen3-Embedding-0.6B", "qwen3"),
        ("nomic-ai/nomic-embed-text-v1.5", "nomic"),
        ("out/checkpoint-7", None),
    ],
)
def test_a_family_is_known_by_the_models_name(model: str, family: str | None) -> None:
    assert family_of(model) == family


@pytest.mark.parametrize(
    ("task", "prefix"),
    [
        ("retrieval", "task: search result | query: "),
        ("bitext", "task: search result | query: "),
        ("question_answering", "task: question answering | query: "),
        ("fact_checking", "task: fact checking | query: "),
        ("code_retrieval", "task: code retrieval | query: "),
        ("classification", "task: classification | query: "),
        ("clustering", "task: clustering | query: "),
        ("sentence_similarity", "task: sentence similarity | query: "),
        ("summarization", "task: summarization | query: "),
    ],
)
def test_embeddinggemma_renders_each_task_by_its_table(task: TaskType, prefix: str) -> None:
    assert render_query(FAMILIES["embeddinggemma"], "why", task, None) == f"{prefix}why"


def test_a_title_stands_where_the_prefix_wants_it_else_before_the_text() -> None:
    gemma = FAMILIES["embeddinggemma"]
    assert render_document(gemma, "Ore", "Heavy.") == "title: Ore | text: Heavy."
    assert render_document(gemma, None, "Heavy.") == "title: none | text: Heavy."
    assert render_document(FAMILIES["e5"], "Ore", "Heavy.") == "passage: Ore\nHeavy."
    assert render_document(Prefixes(), None, "Heavy.") == "Heavy."


def test_braces_in_texts_are_left_alone() -> None:
    assert render_document(Prefixes(document="{title}: "), "{text}", "{0} {title}") == "{text}: {0} {title}"
    assert render_query(FAMILIES["qwen3"], "{instruction}", "retrieval", "Find {it}") == (
        "Instruct: Find {it}\nQuery:{instruction}"
    )


def test_the_recipes_prefixes_come_before_the_registrys() -> None:
    own = Encoder(model="intfloat/e5-base", query_prefix="", document_prefix="doc: ")
    assert prefixes_of(own) == Prefixes("", "doc: ")


def test_a_model_that_carries_prompts_is_prefixed_once(tmp_path: Path) -> None:
    folder = carrying(tmp_path, {"query": "ask: ", "document": "say: "})
    prefixes = prefixes_of(Encoder(model=folder), folder)
    assert render_query(prefixes, "why", "retrieval", None) == "ask: why"
    assert render_document(prefixes, None, "so") == "say: so"


def test_a_checkpoint_that_carries_a_familys_prompt_is_of_that_family(tmp_path: Path) -> None:
    folder = carrying(tmp_path, {"query": "task: search result | query: ", "document": "title: none | text: "})
    assert prefixes_of(Encoder(model=folder), folder) == FAMILIES["embeddinggemma"]
