"""What a judge is shown of a query and of a document."""

from oreline.scripts import one_line, shortened

DOCUMENT_TOKENS = 450
"""A document is shown up to here, in estimated tokens: a chunk of the default size fits whole."""
READ_CHARACTERS = 4 * DOCUMENT_TOKENS + 1
"""What need be read of a document for that: a token has four characters at most, and one more says that it goes on."""
TITLE_TOKENS = 40
QUERY_TOKENS = 1_000


def shown_query(query: str) -> str:
    """Returns a query as it is shown."""
    return shortened(query, QUERY_TOKENS)


def shown_document(title: str | None, text: str) -> str:
    """Returns a document as it is shown: its title on a line of its own, if it has one, and its beginning."""
    body = shortened(text, DOCUMENT_TOKENS)
    return f"{shortened(one_line(title), TITLE_TOKENS)}\n{body}" if title else body
