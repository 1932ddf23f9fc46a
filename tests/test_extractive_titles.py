"""Titles at scale: no rendering brings the title back into its own positive, and pairs come out without an encoder."""

import json
from pathlib import Path

import pytest

import oreline
from oreline.encoders.prefixes import FAMILIES
from oreline.encoders.rendering import render_document
from oreline.exporters.texts import PLAIN, Texts
from oreline.extractive.rows import extract
from oreline.normalise import content_hash, text_hash
from oreline.records import Document, Triple
from oreline.stages.catalog import STAGES

from house import rows_of

TITLES = ("Acromegaly", "Handbook > Setting up > Linux", "json.decoder.JSONDecoder", "什么是光合作用")
BODY = "\n\nRun the installer, wait for one minute, and then look at the log.\n"


def page(title: str, heading: str) -> Document:
    text = f"{heading}{BODY}"
    return Document("d/a", "d", text, content_hash(title, text, "text"), text_hash(text, "text"), title)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("title", TITLES)
@pytest.mark.parametrize("mark", ["", "# ", "## "])
def test_no_document_prefix_renders_the_title_into_its_own_positive(family: str, title: str, mark: str) -> None:
    found = extract("extractive/title", page(title, f"{mark}{title.rpartition(' > ')[2]}"), 13)
    assert found is not None
    assert found.derived is not None
    prefixes = FAMILIES[family]
    rendered = render_document(prefixes, found.derived.title, found.derived.text)
    last = title.rpartition(" > ")[2]
    assert last not in rendered
    assert rendered.endswith(found.derived.text)
    if "{title}" in prefixes.document:
        assert rendered.startswith(f"title: {prefixes.no_title} | text: ")
    for texts in (PLAIN, Texts(prefixes)):
        assert last not in texts.document(found.derived)


def test_a_recipe_of_titles_gives_pairs_without_embedding_mining_or_judging(tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    for name in ("Bread", "Honey bees", "Introduction", "Violins"):
        text = f"# {name}\n\nSomething long enough is said here about {name.lower()[:3]} and much else besides.\n"
        (pages / f"{name}.md").write_text(text, encoding="utf-8")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        f"output: {tmp_path / 'out'}\nsources: [{{path: {pages}, dataset: pages}}]\n"
        "synthesize: {writers: [extractive/title]}\nfilter: {min_words: 1}\nselect: {negatives: 0}\n"
        "export: {formats: [jsonl]}\nencoder: {model: embeddinggemma}\n",
        encoding="utf-8",
    )
    oreline.run(str(recipe))
    ran = [stage.name for stage in STAGES if (tmp_path / "out" / stage.name / "manifest.json").exists()]
    assert ran == ["ingest", "dedup", "synthesize", "filter", "select", "export"]
    triples = rows_of(tmp_path / "out", "select", "triples", Triple)
    assert len(triples) == 3, "a page called Introduction says nothing that one could look for"
    assert all(not each.negatives and each.short is None for each in triples)
    exported = [
        json.loads(line)
        for path in (tmp_path / "out" / "train" / "jsonl" / "pages" / "train").iterdir()
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    assert len(exported) == 3
    for row in exported:
        (positive,) = row["positives"]
        assert row["query"] in {"Bread", "Honey bees", "Violins"}
        assert row["query"] not in f"{positive['title']} {positive['text']}"
