"""Every prompt is told of in docs/: what it is from, and how it differs."""

from pathlib import Path

import pytest

from oreline.prompting.folders import our_prompts

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.parametrize("prompt", our_prompts())
def test_a_page_of_docs_tells_of_a_prompt(prompt: str) -> None:
    pages = [page.name for page in sorted(DOCS.glob("*.md")) if f"`{prompt}`" in page.read_text(encoding="utf-8")]
    assert pages
