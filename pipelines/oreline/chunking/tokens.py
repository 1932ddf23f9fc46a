"""Estimated lengths of texts, without a tokenizer: the same on every machine and for every encoder."""

import re

_WIDE = re.compile(
    "["
    "\u0e00-\u0eff"  # Thai, Lao
    "\u0f00-\u0fff"  # Tibetan
    "\u1000-\u109f"  # Myanmar
    "\u1780-\u17ff"  # Khmer
    "\u3040-\u30ff"  # Hiragana, Katakana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # Han
    "\uac00-\ud7af"  # Hangul
    "\U00020000-\U0003ffff"  # Han, rare
    "]+"
)

QUARTERS = 4
"""Lengths are added up in quarters of a token, so that the sum over the parts of a text is that of the whole."""


def quarter_tokens(text: str) -> int:
    """Returns the estimated length in quarters of a token: 1 per character, 4 in scripts without spaces."""
    if text.isascii():
        return len(text)
    wide = sum(match.end() - match.start() for match in _WIDE.finditer(text))
    return len(text) + (QUARTERS - 1) * wide


def estimate_tokens(text: str) -> int:
    """Returns the estimated length in tokens, rounded up: 4 characters each, or 1 in scripts without spaces.

    Those are Han, Kana, Hangul, Thai, Lao, Tibetan, Myanmar and Khmer.
    """
    return -(-quarter_tokens(text) // QUARTERS)
