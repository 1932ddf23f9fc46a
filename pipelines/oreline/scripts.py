"""Scripts: which signs stand for words by themselves, and how long a text is in words."""

# ruff: noqa: RUF001 - signs of other scripts are meant as they stand

import re

from oreline.chunking.tokens import estimate_tokens

UNSPACED = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\u1780-\u17ff"  # Burmese, Khmer
    "\u3040-\u30ff\u31f0-\u31ff"  # Japanese kana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # Han
    "\U00020000-\U0003ffff"  # Han, later planes
)
"""Signs of scripts that put no space between words, as the inside of a regular expression's set."""

_SIGN = re.compile(f"[{UNSPACED}]")
_RUN = re.compile(f"[^\\W{UNSPACED}]+(?:['’.\\-_][^\\W{UNSPACED}]+)*")
_SIGNS_PER_WORD = 2


def word_count(text: str) -> int:
    """Returns how many words a text has; in scripts without spaces two signs count as one."""
    signs = len(_SIGN.findall(text))
    return len(_RUN.findall(text)) + -(-signs // _SIGNS_PER_WORD)


def one_line(text: str) -> str:
    """Returns the text with every run of white space as one space, none at its ends."""
    return " ".join(text.split())


def shortened(text: str, tokens: int) -> str:
    """Returns the beginning of a text, at most `tokens` by estimate, cut between words and marked by an ellipsis."""
    # A token has four characters at most: what is longer need not be measured.
    if len(text) <= 4 * tokens and estimate_tokens(text) <= tokens:
        return text
    low, high = 0, min(len(text), 4 * tokens)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if estimate_tokens(text[:middle]) < tokens else (low, middle - 1)
    kept = text[:low]
    space = max(kept.rfind(" "), kept.rfind("\n"))
    return (kept[:space] if space > low // 2 else kept).rstrip() + " …"
