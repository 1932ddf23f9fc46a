"""Words and scripts of a text, for rules that must hold in any language."""

import re
import unicodedata
from collections import Counter

from oreline.scripts import UNSPACED

_UNSPACED_RUN = re.compile(f"[{UNSPACED}]+")
_SPACED_WORD = re.compile(f"[^\\W{UNSPACED}]+(?:['\u2019][^\\W{UNSPACED}]+)*")
_CHARACTERS_OF_A_WORD = 4

# Japanese mixes all three.
_JAPANESE = {"HIRAGANA": "CJK", "KATAKANA": "CJK", "KATAKANA-HIRAGANA": "CJK"}


def words(text: str) -> list[str]:
    """Returns the words of NFKC, case-folded text; a run without spaces gives its overlapping pairs of characters.

    `os.path.join` is three words, `don't` one.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    found = _SPACED_WORD.findall(folded)
    for run in _UNSPACED_RUN.findall(folded):
        found.extend(run[place : place + 2] for place in range(max(1, len(run) - 1)))
    return found


def count_words(text: str) -> int:
    """Returns the number of words; in scripts without spaces every 4 characters, begun, are one."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    unspaced = sum(len(run) for run in _UNSPACED_RUN.findall(folded))
    return len(_SPACED_WORD.findall(folded)) - (-unspaced // _CHARACTERS_OF_A_WORD)


def is_unspaced(text: str) -> bool:
    """Says whether the text holds a script that puts no space between words."""
    return _UNSPACED_RUN.search(text) is not None


def script_shares(text: str) -> dict[str, float]:
    """Returns each script's share of the letters, largest first; scripts by the first word of Unicode names."""
    letters = [sign for sign in unicodedata.normalize("NFKC", text) if sign.isalpha()]
    counts = Counter(_script(sign) for sign in letters)
    return {script: count / len(letters) for script, count in sorted(counts.items(), key=lambda item: (-item[1], item))}


def _script(letter: str) -> str:
    first = unicodedata.name(letter, "UNKNOWN").split()[0]
    return _JAPANESE.get(first, first)
