"""The exact strings that an encoder reads. Embedding and export render here and nowhere else."""

from oreline.encoders.prefixes import Prefixes
from oreline.encoders.tasks import with_task
from oreline.records import TaskType


def render_query(prefixes: Prefixes, query: str, task_type: TaskType, instruction: str | None) -> str:
    """Returns a query with its prefix; an instruction enters where the family has a place for one."""
    if instruction and prefixes.instructed:
        return prefixes.instructed.replace("{instruction}", instruction) + query
    return prefixes.queries.get(task_type, prefixes.query) + query


def render_document(prefixes: Prefixes, title: str | None, text: str) -> str:
    """Returns a document with its prefix: title and text on two lines, or the title where the prefix wants it."""
    if "{title}" in prefixes.document:
        return prefixes.document.replace("{title}", title or prefixes.no_title) + text
    return prefixes.document + plain_document(title, text)


def query_input(prefixes: Prefixes, query_id: str, query: str, task_type: TaskType, instruction: str | None) -> str:
    """Returns what an encoder is given for a query: its string and its task; of a file of vectors, the id alone."""
    if prefixes.by_id:
        return f"query {query_id}"
    task = prefixes.query_tasks.get(task_type, prefixes.query_task)
    return with_task(task, render_query(prefixes, query, task_type, instruction))


def document_input(prefixes: Prefixes, doc_id: str, title: str | None, text: str) -> str:
    """Returns what an encoder is given for a document: its string and its task; of a file of vectors, the id alone."""
    if prefixes.by_id:
        return f"document {doc_id}"
    return with_task(prefixes.document_task, render_document(prefixes, title, text))


def plain_document(title: str | None, text: str) -> str:
    """Returns title and text on two lines, or the text alone if there is no title."""
    return f"{title}\n{text}" if title else text
