"""A value as the key of a cache: by what it is, not by what it holds."""

from typing import Generic, TypeVar

Value = TypeVar("Value")


class Same(Generic[Value]):
    """A value that equals itself alone, whatever it holds; nobody may change it.

    A cache that has it as a key keeps it, so that no other value can take its place in memory.
    """

    __slots__ = ("value",)

    def __init__(self, value: Value) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)
