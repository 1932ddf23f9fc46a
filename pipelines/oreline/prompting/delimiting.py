"""Corpus text as a delimited part of a prompt: text can say anything but never end its own part."""

import re
from collections.abc import Iterable, Sequence
from functools import cache

from oreline.prompting.lookalikes import MARKS, OPENINGS, folded

_SURROGATES = re.compile("[\ud800-\udfff]")
_OPENING = re.compile(f"[{re.escape(OPENINGS)}]")

# What chat templates put between the turns. A server that tokenizes the filled-in template, as vLLM does, takes these
# for the real ones wherever they stand, and so ends the user's turn.
_CONTROL = re.compile(
    r"<(?=[|\uff5c][\w\u2581]"
    r"|\w[\w ]{0,40}[|\uff5c]>"
    r"|/?(?:s|bos|eos|pad|unk|mask|think|tool_call|tool_response|start_of_turn|end_of_turn|start_of_image)>"
    r"|</?SYS>>)"
    r"|\[(?=/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|THINK)\])",
    re.IGNORECASE,
)


def delimit(name: str, content: str | Sequence[str], tags: Iterable[str]) -> str:
    """Returns corpus text between `<name>` and `</name>`; a list of texts is numbered from 1.

    Whatever in the text looks like one of `tags`, opened or closed, has its `<` written as `&lt;`, look-alike and
    invisible characters included; so has a control token of a chat template (`<|im_end|>`, `[INST]`). Lone surrogates,
    which no request can carry, become U+FFFD. All else stays as it is, braces, JSON and code included. The time it
    takes is linear in the length of the text.
    """
    names = frozenset(tags) | {name}
    if isinstance(content, str):
        return f"<{name}>\n{_neutral(content, names)}\n</{name}>"
    parts = (
        f'<{name} number="{number}">\n{_neutral(text, names)}\n</{name}>'
        for number, text in enumerate(content, start=1)
    )
    return "\n".join(parts)


def _neutral(text: str, tags: frozenset[str]) -> str:
    if text.isascii() and "<" not in text and "[" not in text:  # of ASCII, tags and control tokens begin with these
        return text
    text = _SURROGATES.sub("\ufffd", text)
    skeletons = _skeletons(tags)
    text = _OPENING.sub(lambda found: "&lt;" if _is_tag(text, found.end(), skeletons) else found.group(), text)
    return _CONTROL.sub(lambda found: "&lt;" if found.group() == "<" else "&#91;", text)


@cache
def _skeletons(tags: frozenset[str]) -> frozenset[str]:
    return frozenset("".join(folded(letter) for letter in tag) for tag in tags)


def _is_tag(text: str, start: int, skeletons: frozenset[str]) -> bool:
    """Says whether what follows a `<` that ends at `start` looks like the name of a tag, slashes and all."""
    seen = ""
    for place in range(start, len(text)):
        character = text[place]
        if not seen and character in MARKS:
            continue
        shape = folded(character)
        # An invisible sign after the name may be read as its end, or as nothing: it counts as the end.
        if seen in skeletons and not (shape and _continues(shape, text[place + 1 : place + 2])):
            return True
        seen += shape.strip()
        if shape.strip() and not any(skeleton.startswith(seen) for skeleton in skeletons):
            return False
    return seen in skeletons


def _continues(shape: str, following: str) -> bool:
    """Says whether a name goes on: `documents` and `document-type` are no `document`."""
    return following.isalnum() if shape == "-" else shape.replace("_", "a").isalnum()
