"""What the search asks of an approximate index, whichever library made it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from oreline.search.scores import Float16, Int64


class Index(Protocol):
    """Some documents, findable by vector. A document's row counts from 0 in the order in which it was added."""

    def search(self, queries: Float16, fetch: int, effort: int) -> Int64:
        """Returns the rows of about the `fetch` nearest documents of each query, best first (m x fetch).

        -1 stands where fewer were found. A larger `effort` looks at more documents.
        """
        ...

    def write(self, file: BinaryIO) -> None:
        """Writes what `Library.read` needs."""
        ...


@dataclass(frozen=True)
class Vectors:
    """The vectors of an index's documents (float16, blocks of n x d), the same at each call of `blocks`."""

    rows: int
    dimension: int
    blocks: Callable[[], Iterator[Float16]]


class Library(Protocol):
    """Makes and reads indexes of one kind. Building twice from the same vectors gives the same, if it can."""

    @property
    def efforts(self) -> Sequence[int]:
        """What `effort` may be, ascending; one entry if the recipe fixes it."""
        ...

    @property
    def most_fetched(self) -> int:
        """The most documents that a query may fetch."""
        ...

    @property
    def effort_key(self) -> str:
        """The recipe's key that fixes the effort."""
        ...

    def build(self, vectors: Vectors) -> Index:
        """Returns an index of these vectors."""
        ...

    def read(self, file: BinaryIO, vectors: Vectors) -> Index:
        """Returns the index that `Index.write` wrote, of the same vectors."""
        ...
