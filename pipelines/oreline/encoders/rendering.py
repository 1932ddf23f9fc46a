"""The exact strings that an encoder reads. Embedding and export render here and nowhere else."""

from oreline.encoders.prefixes import Prefixes
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


def plain_document(title: str | None, text: str) -> str:
    """Returns title and text on two lines, or the text alone if there is no title."""
    return f"{title}\n{text}" if title else text
