"""Corpus text as a delimited part of a prompt: text can say anything but never end its own part."""

import re
from collections.abc import Iterable, Sequence
from functools import cache

# What a reader might take for `<` or for nothing: full-width and small forms, spaces, zero-width characters.
_OPENING = "[<\uff1c\ufe64]"
_NOTHING = "[\\s\u00ad\u200b-\u200f\u2060-\u2064\ufeff]*"
_SURROGATES = re.compile("[\ud800-\udfff]")


def delimit(name: str, content: str | Sequence[str], tags: Iterable[str]) -> str:
    """Returns corpus text between `<name>` and `</name>`; a list of texts is numbered from 1.

    Whatever in the text looks like one of `tags`, opened or closed, has its `<` written as `&lt;`; lone surrogates,
    which no request can carry, become U+FFFD. All else stays as it is, braces, JSON and code included.
    """
    pattern = _tag_pattern(frozenset(tags) | {name})
    if isinstance(content, str):
        return f"<{name}>\n{_neutral(content, pattern)}\n</{name}>"
    parts = (
        f'<{name} number="{number}">\n{_neutral(text, pattern)}\n</{name}>'
        for number, text in enumerate(content, start=1)
    )
    return "\n".join(parts)


@cache
def _tag_pattern(tags: frozenset[str]) -> re.Pattern[str]:
    names = "|".join(re.escape(tag) for tag in sorted(tags))
    return re.compile(f"{_OPENING}(?={_NOTHING}[/\uff0f]?{_NOTHING}(?:{names})(?![\\w-]))", re.IGNORECASE)


def _neutral(text: str, pattern: re.Pattern[str]) -> str:
    return pattern.sub("&lt;", _SURROGATES.sub("\ufffd", text))
