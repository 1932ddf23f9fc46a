"""Query and document prefixes by model family, as data.

Sources: the model cards on the hub; for EmbeddingGemma and gemini-embedding-2 the prompt table of the EmbeddingGemma
report (arXiv:2509.20354). `{instruction}` stands for a query's own instruction, `{title}` for a document's title.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from oreline.encoders.tasks import DOCUMENT_TASK, QUERY_TASK, QUERY_TASKS
from oreline.recipe.settings import Encoder
from oreline.records import TaskType


@dataclass(frozen=True)
class Prefixes:
    """What stands before queries and documents.

    `queries` overrides `query` for some tasks. Where a query has an instruction and `instructed` is not empty, that is
    taken instead, with `{instruction}` filled in. A document prefix with `{title}` takes the title out of the text;
    `no_title` stands for a missing one. `query_task`, `query_tasks` and `document_task` go to a service beside the text
    (see `tasks`); empty for none. `by_id` says that vectors are found by id and no text is read.
    """

    query: str = ""
    document: str = ""
    queries: Mapping[TaskType, str] = field(default_factory=dict)
    instructed: str = ""
    no_title: str = "none"
    query_task: str = ""
    query_tasks: Mapping[TaskType, str] = field(default_factory=dict)
    document_task: str = ""
    by_id: bool = False


_GEMMA_QUERIES: Mapping[TaskType, str] = {
    "question_answering": "task: question answering | query: ",
    "fact_checking": "task: fact checking | query: ",
    "sentence_similarity": "task: sentence similarity | query: ",
    "classification": "task: classification | query: ",
    "clustering": "task: clustering | query: ",
    "code_retrieval": "task: code retrieval | query: ",
    "summarization": "task: summarization | query: ",
    "bitext": "task: search result | query: ",
}
_GEMMA = Prefixes("task: search result | query: ", "title: {title} | text: ", _GEMMA_QUERIES)
# The API's guide wants the prefixes of other tasks before both texts, and a document has one vector for all queries.
_GEMINI_2 = replace(_GEMMA, queries={task: _GEMMA_QUERIES[task] for task in QUERY_TASKS})
_INSTRUCT = "Instruct: {instruction}\nQuery: "
_PASSAGES = "Represent this sentence for searching relevant passages: "
_WEB_SEARCH = "Given a web search query, retrieve relevant passages that answer the query"

FAMILIES: Mapping[str, Prefixes] = {
    "minilm": Prefixes(),
    "e5": Prefixes("query: ", "passage: "),
    "e5-instruct": Prefixes(f"Instruct: {_WEB_SEARCH}\nQuery: ", "", instructed=_INSTRUCT),
    "bge-en": Prefixes(_PASSAGES),
    "bge-zh": Prefixes("为这个句子生成表示以用于检索相关文章："),  # noqa: RUF001 - the model was trained with this colon
    "bge-m3": Prefixes(),
    "embeddinggemma": _GEMMA,
    "gemini-embedding-1": Prefixes(query_task=QUERY_TASK, query_tasks=QUERY_TASKS, document_task=DOCUMENT_TASK),
    "gemini-embedding-2": _GEMINI_2,
    "qwen3": Prefixes(f"Instruct: {_WEB_SEARCH}\nQuery:", "", instructed="Instruct: {instruction}\nQuery:"),
    "nomic": Prefixes(
        "search_query: ",
        "search_document: ",
        {"classification": "classification: ", "clustering": "clustering: ", "sentence_similarity": "clustering: "},
    ),
    "nomic-code": Prefixes("Represent this query for searching relevant code: "),
    "mxbai": Prefixes(_PASSAGES),
    "arctic-1": Prefixes(_PASSAGES),
    "arctic-2": Prefixes("query: "),
    "gte": Prefixes(),
    "openai": Prefixes(),
}
"""Prefixes by family."""

_NAMES: tuple[tuple[str, str], ...] = (
    (r"minilm", "minilm"),
    (r"embedding-?gemma", "embeddinggemma"),
    (r"gemini-embedding-0", "gemini-embedding-1"),
    (r"gemini-embedding", "gemini-embedding-2"),
    (r"qwen3-embedding", "qwen3"),
    (r"nomic-embed-text|modernbert-embed", "nomic"),
    (r"nomic-embed-code", "nomic-code"),
    (r"mxbai-embed", "mxbai"),
    (r"arctic-embed-[ml]-v2", "arctic-2"),
    (r"arctic-embed", "arctic-1"),
    (r"gte-qwen", "e5-instruct"),
    (r"(^|[_-])gte-", "gte"),
    (r"^text-embedding-(3-|ada)", "openai"),
    (r"bge-m3", "bge-m3"),
    (r"bge-(small|base|large)-en", "bge-en"),
    (r"bge-(small|base|large)-zh", "bge-zh"),
    (r"e5-(mistral|.*instruct)", "e5-instruct"),
    (r"(^|[_-])e5-(small|base|large)", "e5"),
)


def family_of(model: str) -> str | None:
    """Returns the family of a model by its name, or None for an unknown one.

    Of a path the innermost folder whose name tells counts: `minilm-runs/bge-m3/step-9` is a BGE.
    """
    names = reversed(model.lower().replace("\\", "/").rstrip("/").split("/"))
    found = (family for name in names for pattern, family in _NAMES if re.search(pattern, name))
    return next(found, None)


def prefixes_of(settings: Encoder, folder: str | None = None) -> Prefixes:
    """Returns the prefixes of an encoder: the recipe's own, else its family's, else those that the model carries.

    `folder` holds the model's files; its `config_sentence_transformers.json` may carry prompts. Whatever is chosen is
    the only prefix: the encoder adds none of its own. A checkpoint that carries a family's prompt is of that family.
    """
    if settings.provider == "file":
        return Prefixes(by_id=True)
    own = _own_prompts(folder) if folder else {}
    family = family_of(settings.model) or _family_by_prompts(own)
    if family is not None:
        chosen = FAMILIES[family]
    else:
        chosen = Prefixes(own.get("query", ""), own.get("document", own.get("passage", "")))
    if settings.query_prefix is not None:
        chosen = replace(chosen, query=settings.query_prefix, queries={}, instructed="")
    if settings.document_prefix is not None:
        chosen = replace(chosen, document=settings.document_prefix)
    return chosen


def _own_prompts(folder: str) -> dict[str, str]:
    path = os.path.join(folder, "config_sentence_transformers.json")
    if not os.path.isfile(path):
        return {}
    with open(path, encoding="utf-8") as file:
        prompts = json.load(file).get("prompts") or {}
    return {str(name).lower(): str(prompt) for name, prompt in prompts.items()}


def _family_by_prompts(prompts: Mapping[str, str]) -> str | None:
    """Returns the family whose prefixes a model carries on both sides: families share the prefix of one."""
    query, document = prompts.get("query", "").strip(), prompts.get("document", prompts.get("passage", "")).strip()
    for name, known in FAMILIES.items():
        theirs = known.document.replace("{title}", known.no_title).strip()
        if known.query and known.query.strip() == query and theirs == document:
            return name
    return None
