"""Characters that a reader may take for others: what stands for `<`, for `/`, for a letter, and for nothing at all."""

import re
import unicodedata
from functools import lru_cache

OPENINGS = "<\u02c2\u1438\u16b2\u2039\u226a\u2329\u276e\u2770\u27e8\u29fc\u3008\ufe3f\ufe64\uff1c\U0001d236\U0001f860"
"""Characters read as `<`."""
MARKS = "/\\!?-|\u2010\u2011\u2012\u2013\u2014\u2044\u2215\u2216\u2571\u2572\u29f5\u29f8\u29f9\u3033\ufe68\uff0f\uff3c"
"""Characters that may stand between `<` and the name of a tag: slashes of all kinds, and those of `<!--` and `<?`."""

# By the shape of the character, not by its sound; from the scripts whose letters are drawn like Latin ones.
_LETTERS = {
    "a": "\u0430\u0410\u03b1\u0391\u13aa",
    "b": "\u0432\u0412\u03b2\u0392\u042c\u13cf\u13f4",
    "c": "\u0441\u0421\u03f2\u03f9\u13df",
    "d": "\u0501\u0500\u13a0\u13e7",
    "e": "\u0435\u0415\u03b5\u0395\u0454\u04bd\u13ac",
    "f": "\u03dd\u03dc",
    "g": "\u050d\u050c\u0581\u13c0",
    "h": "\u04bb\u043d\u041d\u0397\u0570\u13bb\u13c2",
    "i": "l1|\u0456\u0406\u03b9\u0399\u04cf\u04c0\u13a5\u13de",
    "j": "\u0458\u0408\u03f3\u037f\u0575\u13ab",
    "k": "\u043a\u041a\u03ba\u039a\u13e6",
    "m": "\u043c\u041c\u039c\u13b7",
    "n": "\u039d\u0578\u0438\u043f",
    "o": "0\u043e\u041e\u03bf\u039f\u03c3\u0585\u0555\u10ff\u0665\u06f5\u0966\u09e6",
    "p": "\u0440\u0420\u03c1\u03a1\u13e2",
    "q": "\u051b\u051a\u0563\u0566",
    "r": "\u0433\u13a1\u13d2",
    "s": "\u0455\u0405\u054f\u13da\u13d5",
    "t": "\u0442\u0422\u03c4\u03a4\u13a2",
    "u": "\u03c5\u057d\u054d\u03bc",
    "v": "\u03bd\u0475\u0474\u13d9",
    "w": "\u051d\u051c\u03c9\u0561\u13b3\u13d4",
    "x": "\u0445\u0425\u03c7\u03a7",
    "y": "\u0443\u0423\u03b3\u03a5\u04af\u04ae\u13cd\u13a9",
    "z": "\u0396\u13c3",
}
_BY_SHAPE = {shape: letter for letter, shapes in _LETTERS.items() for shape in shapes}
_BLANKS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols that are drawn as nothing."""
_INVISIBLE = frozenset({"Cc", "Cf", "Cn", "Co", "Me", "Mn"})
_NAMED = re.compile(r"(?:LATIN|REGIONAL INDICATOR SYMBOL)\b.*\bLETTER (?:[A-Z]{2,} )*([A-Z])(?: WITH .*)?")


@lru_cache(maxsize=4_096)
def folded(character: str) -> str:
    """Returns what a character looks like: a small Latin letter, a digit, `_`, a few of them for a ligature.

    A blank for white space, nothing for what cannot be seen by itself (controls, zero-width characters, marks on the
    letter before), the character itself if it looks like none of these. `l`, `1` and `|` look like `i`, `0` like `o`.
    """
    if character in _BY_SHAPE:
        return _BY_SHAPE[character]
    if character.isspace():
        return " "
    if character in _BLANKS or unicodedata.category(character) in _INVISIBLE:
        return ""
    plain = (each.casefold() for each in unicodedata.normalize("NFKD", character) if not unicodedata.combining(each))
    letters = "".join(_BY_SHAPE.get(each, each) for each in plain if each.isalnum() or each == "_")
    if letters.isascii() and letters:
        return letters
    named = _NAMED.fullmatch(unicodedata.name(character, ""))
    return folded(named.group(1).lower()) if named else character
