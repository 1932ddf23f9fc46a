"""Prefixes and rendering: the exact strings that an encoder reads."""

import json
from pathlib import Path
from typing import get_args

import pytest

from oreline.encoders.prefixes import FAMILIES, Prefixes, family_of, prefixes_of
from oreline.encoders.rendering import document_input, query_input, render_document, render_query
from oreline.encoders.tasks import split_task
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
        ("nomic-ai/nomic-embed-text-v2-moe", "nomic"),
        ("nomic-ai/modernbert-embed-base", "nomic"),
        ("nomic-ai/nomic-embed-code", "nomic-code"),
        ("intfloat/e5-mistral-7b-instruct", "e5-instruct"),
        ("Alibaba-NLP/gte-Qwen2-1.5B-instruct", "e5-instruct"),
        ("Alibaba-NLP/gte-modernbert-base", "gte"),
        ("mixedbread-ai/mxbai-embed-large-v1", "mxbai"),
        ("Snowflake/snowflake-arctic-embed-m-v1.5", "arctic-1"),
        ("Snowflake/snowflake-arctic-embed-l-v2.0", "arctic-2"),
        ("text-embedding-3-small", "openai"),
        ("models/gemini-embedding-001", "gemini-embedding-1"),
        ("out/checkpoint-7", None),
        ("runs/minilm-baseline/bge-m3/checkpoint-9", "bge-m3"),
        ("runs/bge-base-en-v1.5/checkpoint-9/", "bge-en"),
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


WEB = "Given a web search query, retrieve relevant passages that answer the query"


@pytest.mark.parametrize(
    ("model", "query", "document"),
    [
        ("intfloat/e5-base-v2", "query: why", "passage: Ore\nHeavy."),
        ("intfloat/multilingual-e5-small", "query: why", "passage: Ore\nHeavy."),
        ("intfloat/multilingual-e5-large-instruct", f"Instruct: {WEB}\nQuery: why", "Ore\nHeavy."),
        ("BAAI/bge-small-en-v1.5", "Represent this sentence for searching relevant passages: why", "Ore\nHeavy."),
        ("BAAI/bge-base-zh-v1.5", ("\u4e3a\u8fd9\u4e2a\u53e5\u5b50\u751f\u6210\u8868\u793a\u4ee5\u7528\u4e8e"
         "\u68c0\u7d22\u76f8\u5173\u6587\u7ae0\uff1awhy"), "Ore\nHeavy."),
        ("BAAI/bge-m3", "why", "Ore\nHeavy."),
        ("google/embeddinggemma-300m", "task: search result | query: why", "title: Ore | text: Heavy."),
        ("gemini-embedding-2", "task: search result | query: why", "title: Ore | text: Heavy."),
        ("gemini-embedding-001", "why", "Ore\nHeavy."),
        ("Qwen/Qwen3-Embedding-8B", f"Instruct: {WEB}\nQuery:why", "Ore\nHeavy."),
        ("nomic-ai/nomic-embed-text-v1", "search_query: why", "search_document: Ore\nHeavy."),
        ("nomic-ai/nomic-embed-code", "Represent this query for searching relevant code: why", "Ore\nHeavy."),
        ("mixedbread-ai/mxbai-embed-large-v1", "Represent this sentence for searching relevant passages: why",
         "Ore\nHeavy."),
        ("Snowflake/snowflake-arctic-embed-s", "Represent this sentence for searching relevant passages: why",
         "Ore\nHeavy."),
        ("Snowflake/snowflake-arctic-embed-m-v2.0", "query: why", "Ore\nHeavy."),
    ],
)  # fmt: skip
def test_each_family_has_the_strings_of_its_model_card(model: str, query: str, document: str) -> None:
    prefixes = prefixes_of(Encoder(model=model))
    assert render_query(prefixes, "why", "retrieval", None) == query
    assert render_document(prefixes, "Ore", "Heavy.") == document


def test_a_checkpoint_is_of_a_family_only_if_both_sides_carry_its_prefixes(tmp_path: Path) -> None:
    encoder = Encoder(model="out/checkpoint-7")
    e5 = prefixes_of(encoder, carrying(tmp_path, {"query": "query: ", "passage": "passage: "}))
    assert (e5.query, e5.document) == ("query: ", "passage: ")
    arctic = prefixes_of(encoder, carrying(tmp_path, {"query": "query: "}))
    assert (arctic.query, arctic.document) == ("query: ", "")


def test_tasks_stand_in_the_key_and_not_in_the_text_and_files_are_read_by_id() -> None:
    prefixes = prefixes_of(Encoder(provider="gemini", model="gemini-embedding-001"))
    inputs = {task: query_input(prefixes, "q/1", "why", task, None) for task in get_args(TaskType)}
    assert split_task(inputs["fact_checking"]) == ("FACT_VERIFICATION", "why")
    assert {split_task(each)[1] for each in inputs.values()} == {"why"}
    assert split_task(document_input(prefixes, "d/1", None, "why")) == ("RETRIEVAL_DOCUMENT", "why")
    with pytest.raises(ValueError, match="states no task"):
        split_task("why")
    by_id = prefixes_of(Encoder(provider="file", document_vectors=["a.npy"]))
    assert document_input(by_id, "d/1", "Ore", "Heavy.") == "document d/1"
    assert query_input(by_id, "q/1", "why", "retrieval", None) == "query q/1"
