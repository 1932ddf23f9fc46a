"""Normal forms of texts: what counts as equal. The form depends on the content type."""

import hashlib
import re
import unicodedata

from oreline.ids import sha256_json
from oreline.records import Content

_SPACE = re.compile(r"\s+")


def normalise_query(text: str) -> str:
    """Returns NFKC, case-folded text with single spaces: two queries with one normal form are one query."""
    return _SPACE.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()


def normalise_text(text: str, content: Content) -> str:
    """Returns the form in which two documents are compared.

    Text: NFKC, case-folded, punctuation and symbols dropped where letters or digits remain, single spaces.
    Code: NFC and nothing else, as `set -e` and `set +e` differ by one sign and spaces carry meaning.
    """
    if content == "code":
        return unicodedata.normalize("NFC", text)
    folded = unicodedata.normalize("NFKC", text).casefold()
    plain = "".join(sign if _carries_meaning(sign) else " " for sign in folded)
    return _SPACE.sub(" ", plain).strip() or _SPACE.sub(" ", folded).strip()


def _carries_meaning(sign: str) -> bool:
    return sign.isalnum() or unicodedata.category(sign)[0] in "LNM"


def query_hash(query: str) -> str:
    """Returns the sha256 of a query's normal form."""
    return hashlib.sha256(normalise_query(query).encode()).hexdigest()


def text_hash(text: str, content: Content) -> str:
    """Returns the sha256 of a text's normal form."""
    return hashlib.sha256(normalise_text(text, content).encode()).hexdigest()


def content_hash(title: str | None, text: str, content: Content) -> str:
    """Returns the sha256 of the normal forms of title and text together; no title equals an empty one."""
    return sha256_json([normalise_text(title or "", content), normalise_text(text, content)])
