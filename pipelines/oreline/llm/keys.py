"""Where the provider's key comes from. The key itself is shown nowhere."""

import os
from collections.abc import Mapping

from oreline.errors import CallError

GEMINI_VARIABLES = ("GEMINI_API_KEY", "GOOGLE_API_KEY")


class SecretKey:
    """A key that does not show itself: not when printed, and not when pickled, which raises TypeError."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Returns the key, for the provider's client alone."""
        return self._value

    def hide(self, text: str) -> str:
        """Returns a text, such as a server's message, without the key."""
        return text.replace(self._value, "<key>")

    def __repr__(self) -> str:
        return "<key>"

    def __reduce__(self) -> str:
        raise TypeError("a key is read from the environment where it is used and is never pickled")


def gemini_key(environment: Mapping[str, str] = os.environ) -> tuple[str, SecretKey]:
    """Returns the name of the variable that is used, GEMINI_API_KEY before GOOGLE_API_KEY, and the key in it.

    Raises CallError, which names both, if neither is set.
    """
    for name in GEMINI_VARIABLES:
        if value := environment.get(name, "").strip():
            return name, SecretKey(value)
    raise CallError("no key for Gemini: set the environment variable GEMINI_API_KEY or GOOGLE_API_KEY")
