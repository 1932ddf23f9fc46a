"""Triples printed for a person: all that is needed to judge one, and nothing that could steer a terminal."""

import io
import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from export_world import finish_world, nasty_world, triple
from oreline.reports.plain import cut, visible
from oreline.reports.triples import sample_triples, triple_card

from house import recipe_for


def printed(card: object, width: int = 80, *, terminal: bool = False) -> str:
    file = io.StringIO()
    Console(file=file, width=width, force_terminal=terminal, color_system="truecolor" if terminal else None).print(card)
    return file.getvalue()


def test_a_card_shows_query_positive_and_negatives_with_rank_and_score(tmp_path: Path) -> None:
    finish_world(recipe_for(tmp_path), [triple("q7", ["titled"], ["d1", "d2"], short="spare")])
    (example,) = sample_triples(str(tmp_path), 3, 13)
    text = printed(triple_card(example))
    assert "question 7" in text
    assert "+ A title  world/titled · human · score 0.750" in text
    assert "- (no title)  world/d1 · dense rank 1 · score 0.500" in text
    assert "text number 2 of the world" in text
    assert "2 negatives only: mined candidates ran out below the ceiling" in text


def test_a_sample_is_the_same_for_the_same_seed_however_it_is_stored(tmp_path: Path) -> None:
    triples = [triple(f"q{n}", ["d0"], ["d1"]) for n in range(40)]
    finish_world(recipe_for(tmp_path / "one"), triples)
    finish_world(recipe_for(tmp_path / "two"), triples[::-1], parts=7)

    def ids(name: str, seed: int) -> list[str]:
        return [each.triple.query_id for each in sample_triples(str(tmp_path / name), 5, seed)]

    assert ids("one", 13) == ids("two", 13)
    assert ids("one", 13) != ids("one", 14)
    assert len(set(ids("one", 13))) == 5


def test_escapes_markup_and_direction_marks_of_a_corpus_do_nothing(tmp_path: Path) -> None:
    nasty_world(recipe_for(tmp_path))
    (example,) = sample_triples(str(tmp_path), 1, 13)
    text = printed(triple_card(example))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]", text)
    assert r"\x1b[31mred" in text
    assert "[bold]x[/bold] :smile: \U0001f600" in text
    assert "\u0627\u0644\u0633\u0644\u0627\u0645" in text
    assert "written by retrieval/fret prompt retrieval/fret v1 by gemini-3.5-flash-lite" in " ".join(text.split())
    assert "instruction: find" in text
    assert "rated 3" in text


def test_a_terminal_gets_colours_but_only_ours(tmp_path: Path) -> None:
    nasty_world(recipe_for(tmp_path))
    (example,) = sample_triples(str(tmp_path), 1, 13)
    text = printed(triple_card(example), terminal=True)
    assert "\x1b[" in text
    assert not re.search(r"\x1b(?!\[[0-9;]*m)", text)
    assert "\x07" not in text


def test_long_texts_are_cut_with_an_ellipsis() -> None:
    assert cut("a" * 500, 10) == "a" * 9 + "…"
    assert cut(" a\n\tb ", 10) == "a b"
    assert cut("a" * 50_000_000, 10) == "a" * 9 + "…"


@given(st.text(alphabet=st.characters(), max_size=60))
def test_visible_text_holds_no_control_character_whatever_comes(text: str) -> None:
    shown = visible(text)
    shown.encode()
    assert all(sign.isprintable() or sign == " " or ord(sign) > 0x9F for sign in shown)
    assert "\x1b" not in shown
    assert len(shown.splitlines()) <= 1
