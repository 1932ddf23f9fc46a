"""Where a provider's key comes from. The key itself is shown nowhere."""

import os
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from functools import lru_cache
from urllib.parse import quote

from oreline.errors import CallError

GEMINI_VARIABLES = ("GEMINI_API_KEY", "GOOGLE_API_KEY")
OPENAI_VARIABLES = ("OPENAI_API_KEY",)
_LEAST_CHARACTERS = 8


def hide(text: str, secret: str, shown: str = "<key>") -> str:
    """Returns a text without a secret, plain, percent-encoded, in base64 (wherever it begins) or in hexadecimal."""
    for form in _forms(secret):
        text = text.replace(form, shown)
    return text


@lru_cache(maxsize=16)
def _forms(secret: str) -> tuple[str, ...]:
    raw = secret.encode()
    forms = {secret, quote(secret), quote(secret, safe=""), raw.hex(), raw.hex().upper()}
    for before in range(3):
        # The first and last characters also encode what stands beside the secret.
        padded = bytes(before) + raw
        begin, end = -(-8 * before // 6), 8 * len(padded) // 6
        for encode in (b64encode, urlsafe_b64encode):
            forms.add(encode(padded).decode()[begin:end])
    return tuple(sorted((form for form in forms if len(form) >= min(len(secret), _LEAST_CHARACTERS)), key=len)[::-1])


class SecretKey:
    """A key that does not show itself: not when printed, and not when pickled, which raises TypeError."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Returns the key, for the provider's client alone."""
        return self._value

    def hide(self, text: str) -> str:
        """Returns a text, such as a server's message, without the key; see `hide`."""
        return hide(text, self._value)

    def __repr__(self) -> str:
        return "<key>"

    def __reduce__(self) -> str:
        raise TypeError("a key is read from the environment where it is used and is never pickled")


def find_key(
    whose: str, variables: Sequence[str], environment: Mapping[str, str] = os.environ
) -> tuple[str, SecretKey]:
    """Returns the name of the first variable that is set, and the key in it.

    Raises CallError, which names all of them and `whose` key it is, if none is set, or if what is set cannot be sent.
    """
    for name in variables:
        if value := environment.get(name, "").strip():
            if not can_be_sent(value):
                raise CallError(
                    f"the key for {whose} in the environment variable {name} holds a character that no key has, such "
                    "as a line break or a typographic quotation mark; copy it anew"
                )
            return name, SecretKey(value)
    raise CallError(f"no key for {whose}: set the environment variable {' or '.join(variables)}")


def can_be_sent(value: str) -> bool:
    """Says whether a key has only characters that a header may have."""
    return value.isascii() and value.isprintable()


def gemini_key(environment: Mapping[str, str] = os.environ) -> tuple[str, SecretKey]:
    """Returns the variable that is used, GEMINI_API_KEY before GOOGLE_API_KEY, and the key in it; see `find_key`."""
    return find_key("Gemini", GEMINI_VARIABLES, environment)
