"""Files of source code: their functions and classes as documents, by the language's parser or by layout."""

import io
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import replace

from oreline.chunking.tokens import estimate_tokens
from oreline.code.languages import Language, language_of
from oreline.code.layout import Layout, code_lines
from oreline.code.pieces import Piece, source_lines
from oreline.code.python import python_pieces
from oreline.recipe.settings import Chunking
from oreline.sources.columns import metadata_json, reference
from oreline.sources.found import Found, FoundDocument, Place
from oreline.sources.lines import open_plain

LEAST_TOKENS = 15
"""A piece of fewer estimated tokens, such as a constant or a lone bracket, says too little to be found by."""
LONGEST_MEAN_LINE = 200
"""Characters of a mean line of code above which a file was not written by a person: minified, or data."""
_IMPORTS = (
    "import ", "from ", "#include", "#import", "#pragma", "using ", "use ", "package ", "require", "extern crate ",
    "namespace ", "module ", "library(", "source ", '"use strict"', "'use strict'", "__all__", "export * from",
)  # fmt: skip


def read_code(place: Place, path: str) -> Iterator[Found]:
    """Yields the functions and classes of a file, each a row by the line on which it begins.

    Imports, comments alone, and what is shorter than 15 tokens pass over, as does a whole file whose lines are as long
    as no person writes them. Python is cut by its own parser; a file that is no valid Python 3, and all other
    languages, by their layout.
    """
    language = language_of(place.relative)
    if language is None:
        raise ValueError(f"{place.relative}: no known language; the listing should have left it out")
    with open_plain(path) as file:
        contents = file.read()
    try:
        source = _decoded(contents, language)
    except (UnicodeError, LookupError, SyntaxError) as error:
        payload = contents[:10_000].decode("utf-8", "backslashreplace")
        yield place.drop("documents", "unreadable", f"its characters cannot be read: {error}", payload)
        return
    lines = [line for line in source_lines(source) if line.strip()]
    if not lines:
        yield place.drop("documents", "empty", "the file holds no text")
    elif sum(map(len, lines)) > LONGEST_MEAN_LINE * len(lines):
        yield Found(place.unit, passed_over=True)
    else:
        budget = (place.source.chunking or Chunking()).tokens if place.chunked else place.source.max_tokens
        yield from _rows(place, language, _pieces(source, language, budget))


def _decoded(contents: bytes, language: Language) -> str:
    if language.name != "python":
        return contents.decode("utf-8-sig")
    encoding, _ = tokenize.detect_encoding(io.BytesIO(contents).readline)
    source = contents.decode(encoding)  # a file may name a codec that is none for texts
    source.encode()  # and some codecs give halves of characters, which no table can hold
    return source


def _pieces(source: str, language: Language, budget: int) -> Sequence[Piece]:
    if language.name == "python":
        try:
            return list(python_pieces(source, budget))
        except (SyntaxError, ValueError, RecursionError):
            pass  # Python 2, a template, a fragment: its layout still says where things begin
    return list(Layout(source_lines(source), language, budget).pieces())


def _rows(place: Place, language: Language, pieces: Sequence[Piece]) -> Iterator[Found]:
    for position, piece in enumerate(pieces):
        here = replace(place, line=piece.first)
        if _says_little(piece, language):
            yield Found(here.unit, passed_over=True)
            continue
        tokens = estimate_tokens(piece.text)
        if tokens > place.source.max_tokens:
            yield here.drop("documents", "too_long", f"about {tokens:,} tokens", piece.text)
            continue
        yield _document(here, language, piece, position)


def _says_little(piece: Piece, language: Language) -> bool:
    if estimate_tokens(piece.text) < LEAST_TOKENS:
        return True
    if piece.kind != "other":
        return False
    code = code_lines(piece.text.split("\n"), language)
    # What goes on over lines in brackets belongs to the import that opened them.
    own = [line for line in code if line[:1].strip() and line[:1] not in ")]}"]
    return all(line.startswith(_IMPORTS) for line in own)


def _document(place: Place, language: Language, piece: Piece, position: int) -> Found:
    own = f"{place.relative}:{piece.first}-{piece.last}"
    parent = reference(place.source.parent, {}, own) or place.relative
    metadata = {
        "path": place.relative,
        "language": language.name,
        "symbol": piece.symbol,
        "kind": piece.kind,
        "first_line": piece.first,
        "last_line": piece.last,
        "cut_by": piece.how,
    }
    document = FoundDocument(
        unit=place.unit,
        source=place.index,
        told=True,
        doc_id=place.own_id(own),
        title=f"{place.relative} > {piece.symbol}" if piece.symbol else place.relative,
        text=piece.text,
        lang=place.source.lang,
        parent_id=place.own_id(parent),
        group=reference(place.source.group, {}, own),
        metadata=metadata_json(metadata),
        markup=None,
        position=position,
    )
    return Found(place.unit, documents=(document,))
