"""Docstrings of Python files by static parsing: nothing is imported or run."""

import ast
import inspect
import io
import tokenize
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from oreline import files
from oreline.chunking.tokens import estimate_tokens
from oreline.sources.columns import metadata_json
from oreline.sources.found import Found, FoundDocument, Place

FEWEST_WORDS = 8
"""A docstring of fewer words says too little to be found by."""

_Scope = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Docstring:
    """A docstring, cleaned of its indentation; `name` is qualified, `line` where the string begins."""

    name: str
    kind: str
    line: int
    text: str


def docstrings(source: bytes, module: str) -> list[Docstring]:
    """Returns the docstrings of a module's contents, in order: its own, its classes', functions' and methods'.

    Raises SyntaxError or ValueError if the contents are no Python. Functions inside functions are left out.
    """
    encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the parser thinks of somebody else's escapes
        tree = ast.parse(source.decode(encoding))
    return list(_walk(tree, module))


def _walk(scope: _Scope, name: str) -> Iterator[Docstring]:
    text = ast.get_docstring(scope, clean=False)
    if text is not None:
        kind = {ast.Module: "module", ast.ClassDef: "class"}.get(type(scope), "function")
        yield Docstring(name, kind, scope.body[0].lineno, inspect.cleandoc(text))
    if isinstance(scope, (ast.Module, ast.ClassDef)):
        for inner in _definitions(scope.body):
            yield from _walk(inner, f"{name}.{inner.name}")


def _definitions(body: Sequence[ast.stmt]) -> Iterator[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yields classes and functions, also those under `if`, `try` and `with`."""
    for statement in body:
        if isinstance(statement, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield statement
        elif isinstance(statement, (ast.If, ast.With)):
            yield from _definitions([*statement.body, *getattr(statement, "orelse", [])])
        elif isinstance(statement, ast.Try):
            handled = [inner for handler in statement.handlers for inner in handler.body]
            yield from _definitions([*statement.body, *handled, *statement.orelse, *statement.finalbody])


def module_name(relative: str) -> str:
    """Returns a file's module by its path in the source: `json/decoder.py` is `json.decoder`."""
    parts = relative.removesuffix(".py").split("/")
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def is_private(name: str) -> bool:
    """Says whether a part of a qualified name begins with an underscore; `__init__` and the like do not count."""
    return any(part.startswith("_") and not (part.startswith("__") and part.endswith("__")) for part in name.split("."))


def read_python(place: Place, path: str) -> Iterator[Found]:
    """Yields a file's docstrings as rows, by the line they begin at; private, short and repeated ones pass over.

    Of several definitions of one name in a file the first with a docstring counts.
    """
    with files.open_read(path) as file:
        contents = file.read()
    try:
        found = docstrings(contents, module_name(place.relative))
    except (SyntaxError, ValueError, RecursionError) as error:
        where = f"line {error.lineno}, " if isinstance(error, SyntaxError) and error.lineno else ""
        yield place.drop("documents", "unreadable", f"{where}no valid Python: {error}")
        return
    seen: set[str] = set()
    for each in found:
        here = replace(place, line=each.line)
        if is_private(each.name) or each.name in seen or len(each.text.split()) < FEWEST_WORDS:
            yield Found(here.unit, passed_over=True)
            continue
        seen.add(each.name)
        yield _document(here, each)


def _document(place: Place, found: Docstring) -> Found:
    try:
        found.text.encode()
    except UnicodeEncodeError:
        return place.drop("documents", "unreadable", "a lone surrogate in the docstring", found.text)
    tokens = 0 if place.chunked else estimate_tokens(found.text)
    if tokens > place.source.max_tokens:
        return place.drop("documents", "too_long", f"about {tokens:,} tokens", found.text)
    metadata = metadata_json({"kind": found.kind, "file": place.relative, "line": found.line})
    document = FoundDocument(
        unit=place.unit,
        source=place.index,
        told=True,
        doc_id=place.own_id(found.name),
        title=found.name,
        text=found.text,
        lang=place.source.lang,
        parent_id=None,
        group=None,
        metadata=metadata,
        markup="plain" if place.chunked else None,
    )
    return Found(place.unit, documents=(document,))
