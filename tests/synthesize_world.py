"""Documents for tests of synthesize and judge: the standard library's docstrings, and a few of our own."""

import ast
import json
import os
from collections.abc import Iterator
from pathlib import Path

from oreline.llm.requests import Request
from oreline.normalise import content_hash, query_hash, text_hash
from oreline.recipe.settings import Llm
from oreline.records import Document, Pair, Query
from oreline.writing.chain import Chain
from oreline.writing.work import Work

MODULES = ("heapq", "textwrap", "bisect", "statistics", "shlex", "difflib", "calendar", "queue", "sched", "fractions")


def document(doc_id: str, title: str | None, text: str) -> Document:
    dataset = doc_id.split("/", 1)[0]
    return Document(doc_id, dataset, text, content_hash(title, text, "text"), text_hash(text, "text"), title)


def query(query_id: str, text: str, instruction: str | None = None) -> Query:
    return Query(query_id, query_id.split("/", 1)[0], text, query_hash(text), instruction=instruction)


def positive(query_id: str, doc_id: str) -> Pair:
    return Pair(query_id, doc_id, "positive", "human")


def work_about(chain: Chain, *documents: Document) -> Work:
    """The work of a chain about a document and perhaps its companions."""
    return Work(chain.name, documents[0].doc_id, documents)


def asked_about(chain: Chain, llm: Llm, shown: Document) -> Request:
    """The one request of a chain's first round about a document."""
    (request,) = chain.requests(llm, work_about(chain, shown), ())
    return request


def docstrings() -> list[Document]:
    """The docstrings of some modules, their classes and functions."""
    found = []
    for module in MODULES:
        tree = ast.parse((Path(os.path.dirname(ast.__file__)) / f"{module}.py").read_text(encoding="utf-8"))
        for name, text in _walk(tree, module):
            found.append(document(f"python/{name}", name, text))
    return found


def _walk(node: ast.Module | ast.ClassDef | ast.FunctionDef, name: str) -> Iterator[tuple[str, str]]:
    text = ast.get_docstring(node)
    if text:
        yield name, text
    seen = set()
    for child in node.body:
        if isinstance(child, (ast.ClassDef, ast.FunctionDef)) and child.name not in seen:
            seen.add(child.name)
            yield from _walk(child, f"{name}.{child.name}")


def beir_documents(folder: Path, limit: int) -> list[Document]:
    """The first documents of a BEIR folder."""
    found = []
    with (folder / "corpus.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            found.append(document(f"{folder.name}/{row['_id']}", row["title"] or None, row["text"]))
            if len(found) == limit:
                break
    return found
