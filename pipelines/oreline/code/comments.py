"""What code says of itself: the docstring of a Python definition, or the comment that stands above one."""

import ast
import inspect
import re
from dataclasses import dataclass

from oreline.code.languages import Language
from oreline.code.pieces import shown
from oreline.code.python import Definition, definitions, parsed

_BLOCK_MARKS = re.compile(
    r"^\s*(?:/\*+!?|\*+/|\*(?!\*)|\{-\|?|-\}|\(\*+|\*+\)|<#|#>|#=|=#|--\[\[|\]\]|=begin|=end)\s?|\s*(?:\*+/|-\}|\*+\))\s*$"
)
_LINE_MARKS = re.compile(r"^\s*(?://[/!]?|#+|--+\|?|;+|%+|!+<?)\s?")


@dataclass(frozen=True)
class Explained:
    """A definition taken apart: what it says of itself, without marks of comments, and the code without that."""

    comment: str
    code: str


def python_docstring(text: str) -> Explained | None:
    """Takes the docstring out of a text that begins with a Python class or function; None if it has none of its own.

    Nothing is taken out of a definition that holds nothing else: an abstract method, a bare exception.
    """
    try:
        found = definitions(parsed(text).body)
    except (SyntaxError, ValueError, RecursionError):
        return None
    if not found or not _is_first(text, found[0]):
        return None
    docstring = ast.get_docstring(found[0], clean=False)
    if docstring is None or not any(_tells(statement) for statement in found[0].body[1:]):
        return None
    lines, node = text.split("\n"), found[0].body[0]
    first, last = node.lineno - 1, node.end_lineno or node.lineno
    around = lines[first].encode()[: node.col_offset] + lines[last - 1].encode()[node.end_col_offset or 0 :]
    if around.strip(b" \t;"):
        return None
    rest = lines[:first] + lines[last:]
    if first < len(rest) and not rest[first].strip():
        del rest[first]
    return Explained(inspect.cleandoc(docstring), shown(rest))


def comment_above(text: str, language: Language) -> Explained | None:
    """Takes the comment off the beginning of a text in a language; None if there is none, or no code below it."""
    lines = text.split("\n")
    end = _end_of_comment(lines, language)
    code = shown(lines[end:])
    comment = "\n".join(_bare(line, language) for line in lines[:end]).strip()
    return Explained(inspect.cleandoc(comment), code) if comment and code else None


def _end_of_comment(lines: list[str], language: Language) -> int:
    """Returns the number of lines at the beginning that are comments; a blank line ends them."""
    closing: str | None = None
    for number, line in enumerate(lines):
        bare = line.strip()
        if closing is not None:
            closing = None if closing in bare else closing
            continue
        opened = next((pair for pair in language.block if bare.startswith(pair[0])), None)
        if opened is not None:
            closing = None if opened[1] in bare[len(opened[0]) :] else opened[1]
        elif not bare or not bare.startswith(language.line or ("\0",)):
            return number
    return len(lines)


def _bare(line: str, language: Language) -> str:
    if language.line and line.strip().startswith(language.line):
        return _LINE_MARKS.sub("", line).rstrip()
    return _BLOCK_MARKS.sub("", line).rstrip()


def _is_first(text: str, definition: Definition) -> bool:
    """Says whether nothing but decorators, comments and blank lines stands before a definition."""
    start = min([definition.lineno, *(each.lineno for each in definition.decorator_list)]) - 1
    return all(not line.strip() or line.strip().startswith("#") for line in text.split("\n")[:start])


def _tells(statement: ast.stmt) -> bool:
    """Says whether a statement does something that could be looked for."""
    if isinstance(statement, ast.Raise):
        raised = statement.exc.func if isinstance(statement.exc, ast.Call) else statement.exc
        return not (isinstance(raised, ast.Name) and raised.id == "NotImplementedError")
    if isinstance(statement, ast.Expr):
        return not isinstance(statement.value, ast.Constant)
    return not isinstance(statement, ast.Pass)
