"""Normal forms of texts: what counts as equal. The form depends on the content type."""

import hashlib
import re
import unicodedata

from oreline.ids import sha256_json
from oreline.records import Content

_SPACE = re.compile(r"\s+")


class _Signs(dict[int, str]):
    """What each character becomes: itself if it is a letter, a digit or a mark (vowel signs are), else a space."""

    def __missing__(self, code: int) -> str:
        sign = chr(code)
        kept = sign.isalnum() or unicodedata.category(sign)[0] in "LNM"
        self[code] = sign if kept else " "
        return self[code]


_SIGNS = _Signs()


def normalise_query(text: str) -> str:
    """Returns NFKC, case-folded text with single spaces: two queries with one normal form are one query."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def normalise_text(text: str, content: Content) -> str:
    """Returns the form in which two documents are compared.

    Text: NFKC, case-folded, punctuation and symbols dropped where letters or digits remain, single spaces.
    Code: NFC and nothing else, as `set -e` and `set +e` differ by one sign and spaces carry meaning.
    """
    if content == "code":
        return unicodedata.normalize("NFC", text)
    folded = unicodedata.normalize("NFKC", text).casefold()
    plain = folded.translate(_SIGNS)
    return _SPACE.sub(" ", plain).strip() or _SPACE.sub(" ", folded).strip()


def query_hash(query: str) -> str:
    """Returns the sha256 of a query's normal form."""
    return hashlib.sha256(normalise_query(query).encode()).hexdigest()


def text_hash(text: str, content: Content) -> str:
    """Returns the sha256 of a text's normal form."""
    return hashlib.sha256(normalise_text(text, content).encode()).hexdigest()


def content_hash(title: str | None, text: str, content: Content) -> str:
    """Returns the sha256 of the normal forms of title and text together; no title equals an empty one."""
    return sha256_json([normalise_text(title or "", content), normalise_text(text, content)])
