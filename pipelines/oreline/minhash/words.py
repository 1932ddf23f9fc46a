"""Words: what the normal form of a text is cut into."""

import re

from oreline.normalise import normalise_text
from oreline.records import Content
from oreline.scripts import UNSPACED

GOES_ON = "\u0300-\u036f\u0e31\u0e34-\u0e4e"
"""Signs that belong to the one before them in scripts without spaces, as the inside of a regular expression's set."""

# A character of a script without spaces is a word, with the signs that stand above or below it.
_SIGN = re.compile(f"[{UNSPACED}][{GOES_ON}]*")
_RUN = re.compile(r"\s+")


def prepared(text: str, content: Content) -> bytes:
    """Returns the normal form of a text in UTF-8 with a space between any two words."""
    normal = normalise_text(text, content)
    if content == "text":
        normal = _SIGN.sub(r" \g<0> ", normal)
    return _RUN.sub(" ", normal).encode("utf-8", "surrogatepass")


def words_of(title: str | None, text: str, content: Content) -> list[str]:
    """Returns the words of a document as the kernels see them; for reports and single comparisons."""
    whole = f"{title}\n{text}" if title else text
    return prepared(whole, content).decode("utf-8", "surrogatepass").split()
