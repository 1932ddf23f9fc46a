"""Audits: what must balance besides the books where a stage's units are no rows of one of its tables. No Beam here."""

from typing import TYPE_CHECKING

from oreline.ids import Tally

if TYPE_CHECKING:
    from oreline.recipe.settings import Recipe
    from oreline.tables.manifest import Manifest

_BUG = "this is a bug in oreline"


def nothing_more(recipe: "Recipe", manifest: "Manifest") -> str | None:
    """The audit of a stage whose books say it all: returns None."""
    del recipe, manifest
    return None


def one_judgement_per_unit(recipe: "Recipe", manifest: "Manifest") -> str | None:
    """Returns a sentence if judge kept more or fewer units than there are judgements on disk, else None."""
    del recipe
    kept, found = manifest.books.kept.count, manifest.rows("judgements")
    return None if kept == found else f"{kept} units kept, but {found} judgements were written; {_BUG}"


def pairs_of_written_queries(recipe: "Recipe", manifest: "Manifest") -> str | None:
    """Returns a sentence if written queries and pairs, documents or draws do not balance on disk; else None.

    Each written query has a positive pair; further pairs, such as a known negative, and documents are counted as they
    are written. Rows that synthesize lists by reference to an earlier stage are left out.
    """
    del recipe
    own = {
        table: [part for part in manifest.tables.get(table, ()) if part.path.startswith(f"{manifest.stage}/")]
        for table in ("queries", "pairs", "documents")
    }
    queries, pairs = (sum((part.ids for part in own[table]), Tally()) for table in ("queries", "pairs"))
    counts = manifest.counts
    further = counts.get("further_pairs", 0)
    if pairs.count != queries.count + further or (not further and queries != pairs):
        beside = f" and {further} further ones" if further else ""
        return f"{queries.count} queries were written, but {pairs.count} pairs (or other ids){beside}; {_BUG}"
    documents, told = sum(part.rows for part in own["documents"]), counts.get("written_documents", 0)
    if documents != told:
        return f"{documents} documents were written, but {told} counted; {_BUG}"
    draws = [counts.get(name, 0) for name in ("draws", "draws_kept", "draws_dropped")]
    if draws[0] != draws[1] + draws[2]:
        return f"{draws[0]} draws, but {draws[1]} kept and {draws[2]} dropped; {_BUG}"
    kept = manifest.books.kept.count
    return None if kept <= queries.count else f"{kept} documents kept, but {queries.count} queries written; {_BUG}"


def every_triple_in_every_format(recipe: "Recipe", manifest: "Manifest") -> str | None:
    """Returns a sentence if a format neither holds a triple nor has a reject for it on disk, else None."""
    formats = set(recipe.export.formats)
    wanted = sum((manifest.books.units for _ in formats), Tally())
    found = sum((manifest.ids(f"train/{name}") for name in formats), manifest.ids("rejects"))
    if found == wanted:
        return None
    return f"{len(formats)} formats should tell of {wanted.count} triples, but tell of {found.count}; {_BUG}"
