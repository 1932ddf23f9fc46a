"""A recipe over three small pages that needs neither a model nor an encoder, so that a whole run takes seconds."""

from pathlib import Path


def pages_recipe(folder: Path, output: str = "out", **sections: object) -> dict[str, object]:
    """Writes the pages into `folder/pages` and returns a recipe over them that makes pairs."""
    pages = folder / "pages"
    if not pages.exists():
        pages.mkdir()
        for name in ("pump", "valve", "tank"):
            text = f"# The {name}\n\nThe {name} stands in the hall. The crew of the {name} serves it at night. "
            (pages / f"{name}.md").write_text(text * 6)
    return {"output": str(folder / output), "sources": [str(pages)], "select": {"negatives": 0}, **sections}
