"""A YAML text as plain values, with the line and column of every key: what the other modules of `recipe` work on."""

import io
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, cast

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, ReusedAnchorWarning, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from oreline.errors import RecipeError
from oreline.ids import Json

Path: TypeAlias = tuple[str | int, ...]

_TAG = "tag:yaml.org,2002:"
_WHOLE = {"0o": 8, "0x": 16, "0b": 2}
_TEXT_TAGS = frozenset({"str", "timestamp", "value", "merge"})


def dotted(path: Path) -> str:
    """Returns a path as a recipe's user writes it: `sources.0.path`."""
    return ".".join(str(step) for step in path)


@dataclass
class Document:
    """A recipe before its types are checked.

    `places` says where each key stands (`recipe.yaml:7:3`), `texts` how a scalar was written where that differs from
    what YAML makes of it, `problems` what is wrong already.
    """

    name: str
    value: dict[str, Json]
    places: dict[Path, str] = field(default_factory=dict)
    texts: dict[Path, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def place(self, path: Path) -> str:
        """Returns where a key stands, or else the nearest section around it."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.places:
                return self.places[path[:length]]
        return self.name

    def problem(self, path: Path, message: str) -> str:
        """Returns one line of an error: place, key, what is wrong."""
        key = f"{dotted(path)}: " if path else ""
        return printable(f"{self.place(path)}: {key}{message}")


def printable(text: str) -> str:
    """Returns a text with escapes for what would break its line or steer a terminal."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def parse_document(text: str, name: str) -> Document:
    """Reads the YAML 1.2 text of a recipe.

    Raises RecipeError if it is no YAML, is empty, or is no mapping; wrong keys inside it become `problems`.
    """
    root = compose(text, name)
    if root is None:
        raise RecipeError(f"{name}: the recipe is empty; `oreline init` writes one to start from")
    if not isinstance(root, MappingNode):
        place = _place(root, name)
        raise RecipeError(f"{place}: a recipe is a mapping such as `output: out/handbook`, found {_kind(root)}")
    document = Document(name, {})
    value = _Reader(document, name).value(root, ())
    document.value = value if isinstance(value, dict) else {}
    return document


def parse_value(text: str, name: str) -> Json:
    """Returns what a YAML flow text means, e.g. `[a, 1]`; raises RecipeError with `name` if it is no YAML."""
    root = compose(text, name, one_line=True)
    if root is None:
        return None
    document = Document(name, {})
    value = _Reader(document, name).value(root, ())
    if document.problems:
        raise RecipeError("\n".join(document.problems))
    return value


def compose(text: str, name: str, *, one_line: bool = False) -> Node | None:
    """Returns the node tree of a YAML text, None if nothing is in it; raises RecipeError for broken syntax."""
    try:
        with warnings.catch_warnings():
            # YAML lets an anchor be used again; the later one holds.
            warnings.simplefilter("ignore", ReusedAnchorWarning)
            # Not the round-trip kind, which gathers comments that nobody reads here.
            return cast("Node | None", YAML(typ="safe", pure=True).compose(io.StringIO(text)))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = name if one_line or mark is None else f"{name}:{mark.line + 1}:{mark.column + 1}"
        raise RecipeError(printable(f"{place}: no valid YAML: {_syntax_message(error)}")) from error
    except YAMLError as error:
        summary = " ".join(str(error).split())
        raise RecipeError(printable(f"{name}: no valid YAML: {summary}")) from error
    except RecursionError as error:
        raise RecipeError(f"{name}: no recipe: lists or mappings are nested hundreds of levels deep") from error


def _syntax_message(error: MarkedYAMLError) -> str:
    problem = " ".join(str(error.problem or error).split())
    if "'\\t'" in problem or "\\t" in problem:
        return "a line is indented by a tab; YAML takes spaces only"
    if "another document" in problem:
        return "a second document begins here (`---`); a recipe is one document"
    context = f"{' '.join(str(error.context).split())}: " if error.context else ""
    return f"{context}{problem}"


class _Reader:
    """Turns nodes into plain values and notes places, raw texts and problems in the document."""

    def __init__(self, document: Document, name: str) -> None:
        self._document = document
        self._name = name
        self._inside: list[Node] = []

    def value(self, node: Node, path: Path) -> Json:
        """Returns what a node stands for; notes its places and what is wrong with it."""
        if node in self._inside:
            self._document.problems.append(self._document.problem(path, "an alias that contains itself"))
            return None
        self._inside.append(node)
        try:
            if isinstance(node, MappingNode):
                return self._mapping(node, path)
            if isinstance(node, SequenceNode):
                return self._sequence(node.value, path)
            return self._scalar(node, path)
        finally:
            self._inside.pop()

    def _sequence(self, nodes: Sequence[Node], path: Path) -> list[Json]:
        values: list[Json] = []
        for index, node in enumerate(nodes):
            self._document.places[(*path, index)] = _place(node, self._name)
            values.append(self.value(node, (*path, index)))
        return values

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, Json]:
        values: dict[str, Json] = {}
        merged: dict[str, Json] = {}
        for key, content in node.value:
            if key.tag == f"{_TAG}merge":
                merged.update(self._merged(content, path))
            elif not isinstance(key, ScalarNode):
                where = f"{_place(key, self._name)}: {dotted(path)}".rstrip(": ")
                self._document.problems.append(printable(f"{where}: a key is a single word, found {_kind(key)}"))
            else:
                self._entry(key, content, path, values)
        return {**merged, **values}

    def _merged(self, content: Node, path: Path) -> Mapping[str, Json]:
        value = self.value(content, path)
        if isinstance(value, list):
            joined: dict[str, Json] = {}
            for each in reversed(value):
                joined.update(each if isinstance(each, dict) else {})
            return joined
        return value if isinstance(value, dict) else {}

    def _entry(self, key: ScalarNode, content: Node, path: Path, values: dict[str, Json]) -> None:
        inner = (*path, str(key.value))
        if str(key.value) in values:
            first = self._document.places[inner].removeprefix(f"{self._name}:").split(":")[0]
            place = _place(key, self._name)
            message = f"{place}: {dotted(inner)}: the key stands here twice, first in line {first}; keep one"
            self._document.problems.append(printable(message))
            return
        self._document.places[inner] = _place(key, self._name)
        values[str(key.value)] = self.value(content, inner)

    def _scalar(self, node: Node, path: Path) -> Json:
        written = str(node.value)
        tag = str(node.tag).removeprefix(_TAG)
        if tag in _TEXT_TAGS:
            return written
        if tag == "null":
            return None
        value: Json = None
        if tag == "bool":
            value = written.lower() == "true" if written.lower() in ("true", "false") else written
        elif tag in ("int", "float"):
            value = _number(written, tag)
        else:
            self._document.problems.append(self._document.problem(path, f"the tag {node.tag} has no meaning here"))
        self._document.texts[path] = written
        return value


def _number(written: str, tag: str) -> int | float | str:
    plain = written.replace("_", "").lower()
    sign = -1 if plain.startswith("-") else 1
    digits = plain.lstrip("+-")
    try:
        if tag == "int":
            return sign * (int(digits[2:], _WHOLE[digits[:2]]) if digits[:2] in _WHOLE else int(digits))
        if digits in (".inf", ".nan"):
            return sign * float(digits[1:])
        return sign * float(digits)
    except ValueError:
        return written


def looks_like_number(text: str) -> bool:
    """Says whether a text would be a number if it were not quoted."""
    return re.fullmatch(r"[-+]?(\d[\d_]*(\.\d*)?|\.\d+)([eE][-+]?\d+)?", text) is not None


def _place(node: Node, name: str) -> str:
    return f"{name}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"


def _kind(node: Node) -> str:
    if isinstance(node, SequenceNode):
        return "a list"
    return "a mapping" if isinstance(node, MappingNode) else f"the text {str(node.value)!r}"
