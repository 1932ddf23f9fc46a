"""Pieces of a Python file by its syntax: functions, classes and methods, and what stands between them."""

import ast
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from oreline.code.languages import BY_NAME
from oreline.code.layout import Layout
from oreline.code.pieces import Kind, Piece, limit_of, shown, source_lines, weight

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
_PYTHON = BY_NAME["python"]


def parsed(source: str) -> ast.Module:
    """Returns the tree of a Python source; raises SyntaxError, ValueError or RecursionError if it is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the parser thinks of somebody else's escapes
        return ast.parse(source)


def python_pieces(source: str, budget: int) -> Iterator[Piece]:
    """Yields the pieces of a Python file in order, each of at most `budget` estimated tokens where lines allow.

    A function is a piece; so is a class, unless it is longer: then its head is one, and each of its methods. A function
    that is longer still is cut by its layout. What stands between definitions is a piece of kind `other`. Comments and
    decorators go with the definition below them. Raises SyntaxError, ValueError or RecursionError for what is no
    Python.
    """
    lines = source_lines(source)
    tree = parsed("\n".join(lines))
    yield from _File(Layout(lines, _PYTHON, budget)).pieces(0, len(lines), definitions(tree.body), "")


def definitions(body: Sequence[ast.stmt]) -> list[Definition]:
    """Returns the classes and functions of a body, in order, also those under `if`, `try` and `with`."""
    found: list[Definition] = []
    for statement in body:
        if isinstance(statement, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            found.append(statement)
        elif isinstance(statement, (ast.If, ast.With)):
            found.extend(definitions([*statement.body, *getattr(statement, "orelse", [])]))
        elif isinstance(statement, ast.Try):
            handled = [inner for handler in statement.handlers for inner in handler.body]
            found.extend(definitions([*statement.body, *handled, *statement.orelse, *statement.finalbody]))
    return found


@dataclass(frozen=True)
class _File:
    """A file whose definitions are known; `layout` cuts what is too long, and what stands between them."""

    layout: Layout

    def pieces(self, first: int, last: int, inner: Sequence[Definition], scope: str) -> Iterator[Piece]:
        """Yields the pieces of lines `first` to `last` - 1, which hold the definitions `inner`."""
        done = first
        for each in inner:
            start, end = self._start(each, done), each.end_lineno or each.lineno
            if start < done:  # several definitions on one line: they went with the first
                continue
            yield from self._between(done, start, scope)
            yield from self._definition(each, start, end, scope)
            done = end
        yield from self._between(done, last, scope)

    def _definition(self, each: Definition, start: int, end: int, scope: str) -> Iterator[Piece]:
        lines = self.layout.lines[start:end]
        symbol = f"{scope}.{each.name}" if scope else each.name
        kind: Kind = "class" if isinstance(each, ast.ClassDef) else "function"
        inner = definitions(each.body) if isinstance(each, ast.ClassDef) else []
        if weight(lines) <= limit_of(self.layout.budget):
            yield Piece(start + 1, end, shown(lines), symbol, kind, "syntax")
        elif inner:
            for place, part in enumerate(self.pieces(start, end, inner, symbol)):
                yield replace(part, kind="class") if place == 0 and part.symbol == symbol else part
        else:
            for part in self.layout.cut(start, end):
                yield replace(part, symbol=symbol, kind=kind)

    def _between(self, first: int, last: int, scope: str) -> Iterator[Piece]:
        for part in self.layout.cut(first, last):
            yield replace(part, symbol=scope or None, kind="other")

    def _start(self, definition: Definition, least: int) -> int:
        """Returns the line, from 0, where a definition begins with its decorators and the comments right above it."""
        start = min([definition.lineno, *(each.lineno for each in definition.decorator_list)]) - 1
        while start > least and self.layout.lines[start - 1].strip().startswith("#"):
            start -= 1
        return start
