"""What the local Gemini server answers: JSON that meets the response schema, made from the prompt's own words.

It understands no language. Strings are telling words of a sentence in the prompt's delimited parts; numbers lie in the
middle of their range; where the prompt numbers its parts (`<document number="1">`) and the schema asks for a list of
grades, each part is graded by the words it shares with the query; so is a single document beside a query.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from typing import cast

from derivers import DERIVERS, Sight
from generated_derivers import FROM_NOTHING
from oreline.ids import Json
from question_derivers import QUESTIONS

Schema = dict[str, Json]

_PART = re.compile(r'<([a-z_]+)(?: number="(\d+)")?>\n(.*?)\n</\1>', re.DOTALL)
_SENTENCE = re.compile(r"[^.!?\n]+")
_WORD = re.compile(r"\w+")
_NUMBER_NAMES = ("number", "document", "passage", "query", "index", "id")


@dataclass(frozen=True)
class Part:
    """A delimited part of a prompt."""

    tag: str
    number: int | None
    text: str


def parts_of(prompt: str) -> list[Part]:
    return [Part(tag, int(number) if number else None, text) for tag, number, text in _PART.findall(prompt)]


def words_of(text: str) -> set[str]:
    return {word.casefold() for word in _WORD.findall(text) if len(word) > 2}


class Writer:
    """Writes one answer; the same prompt and schema give the same answer."""

    def __init__(self, prompt: str, schema: Schema) -> None:
        self._prompt = prompt
        self._parts = parts_of(prompt)
        self._schema = schema
        self._definitions = cast("dict[str, Schema]", schema.get("$defs", {}))
        self._strings = 0
        self._salt = hashlib.sha256(prompt.encode("utf-8", "replace")).digest()
        numbered = [part for part in self._parts if part.number is not None]
        self._numbered = numbered
        graded = {part.tag for part in numbered}
        self._query = next((part.text for part in self._parts if part.tag == "query" and part.tag not in graded), "")
        source = [part for part in self._parts if part.tag not in ("query", "example")] or self._parts
        text = " ".join(part.text for part in source) or prompt
        self._sentences = [each for each in _SENTENCE.findall(text) if len(words_of(each)) > 2] or [text]

    def answer(self) -> str:
        keys = frozenset(cast("Schema", self._schema.get("properties", {})))
        derive = FROM_NOTHING.get(keys) or ((DERIVERS | QUESTIONS).get(keys) if self._parts else None)
        derived = None if derive is None else derive(Sight(self._prompt))
        value = self._value(self._schema, "answer", None) if derived is None else derived
        return json.dumps(value, ensure_ascii=False)

    def _value(self, schema: Schema, name: str, part: Part | None) -> Json:  # noqa: PLR0911 - one return per type
        schema = self._resolved(schema)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            values = cast("list[Json]", schema["enum"])
            if "none" in values:
                return "none"
            return values[self._salt[0] % len(values)]
        match schema.get("type"):
            case "object":
                properties = cast("dict[str, Schema]", schema.get("properties", {}))
                return {key: self._value(each, key, part) for key, each in properties.items()}
            case "array":
                return self._list(schema, name)
            case "integer":
                return self._integer(schema, name, part)
            case "number":
                return self._integer(schema, name, part) + 0.0
            case "boolean":
                return True
            case "null":
                return None
        return self._phrase(schema)

    def _resolved(self, schema: Schema) -> Schema:
        if "$ref" in schema:
            return self._resolved(self._definitions[str(schema["$ref"]).rpartition("/")[2]])
        if "anyOf" in schema:
            options = cast("list[Schema]", schema["anyOf"])
            return self._resolved(next((each for each in options if each.get("type") != "null"), options[0]))
        return schema

    def _list(self, schema: Schema, name: str) -> list[Json]:
        items = cast("Schema", schema.get("items", {"type": "string"}))
        resolved = self._resolved(items)
        properties = cast("dict[str, Schema]", resolved.get("properties", {}))
        numbers = [key for key in properties if key in _NUMBER_NAMES and properties[key].get("type") == "integer"]
        if self._numbered and (numbers or resolved.get("type") == "integer"):
            return [self._value(items, name, part) for part in self._numbered]
        least, most = cast("int", schema.get("minItems", 0)), cast("int", schema.get("maxItems", 2))
        return [self._value(items, name, None) for _ in range(max(least, min(2, most)))]

    def _integer(self, schema: Schema, name: str, part: Part | None) -> int:
        least, most = cast("int", schema.get("minimum", 0)), cast("int", schema.get("maximum", 3))
        if part is None:
            return self._of_the_one_document(least, most) if name == "grade" else int(least + most + 1) // 2
        if name in _NUMBER_NAMES:
            return part.number or 0
        return int(least + round((most - least) * self._overlap(part)))

    def _of_the_one_document(self, least: int, most: int) -> int:
        """Grades a single document, where there is one beside a query, as it would stand among several."""
        shown = [part for part in self._parts if part.tag == "document" and part.number is None]
        if len(shown) != 1 or not self._query:
            return int(least + most + 1) // 2
        return int(least + round((most - least) * self._overlap(shown[0])))

    def _overlap(self, part: Part) -> float:
        """The share of the query's words that stand in a part, 0 to 1; a part that is a query itself gets 0.7."""
        wanted = words_of(self._query)
        if not wanted:
            return 0.7
        return len(wanted & words_of(part.text)) / len(wanted)

    def _phrase(self, schema: Schema) -> str:
        place = (self._salt[1] + self._strings) % len(self._sentences)
        self._strings += 1
        words = list(dict.fromkeys(_WORD.findall(self._sentences[place])))
        telling = set(sorted((word for word in words if len(word) > 2), key=len, reverse=True)[:6]) or set(words)
        phrase = " ".join(word for word in words if word in telling).lower()
        return phrase[: cast("int", schema.get("maxLength", 1000))]
