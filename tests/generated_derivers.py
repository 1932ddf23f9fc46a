"""Answers of the writers that make documents from nothing, out of a few words, drawn by the prompt's hash.

They mean little, and they have the shape that real ones have: a positive shares the query's telling words, a hard
negative its subject alone; texts of one class share words that are drawn by the class's name.
"""

import re
from collections.abc import Callable

from derivers import Sight, keywords
from oreline.ids import Json

NOUNS = re.findall(
    r"\w+",
    """
    anchor apple arch badge bakery barrel basin beacon bellows bench bicycle blanket boiler bonfire bridge brush
    bucket buoy cabin cable candle canoe carpet cellar chimney cider clay clock cloth coal compass copper cork
    crane cradle curtain dairy dam desk ditch donkey drum dune easel engine fabric ferry fiddle flint flour forge
    fountain furnace garlic gate glacier goat gravel guitar hammer harbour harvest hedge helmet hinge honey ink
    inn iron ivory jacket jar kettle kiln ladder lamp lantern lathe ledger lever lighthouse lime linen lock loom
    mallet marble market mast meadow mill mirror moss mule nail needle nettle oak oar orchard organ oven paddle
    parchment pasture pebble pepper piano pigeon pillow pipe plough pond pottery press pulley quarry quilt raft
    rail reed ribbon roof rope rudder saddle sail salt sand saw scale shed shovel silk sledge slate soap spade
    spindle stable stove string sugar swan tallow tent thatch thimble tile timber tin tower tram trough trumpet
    tunnel turbine valve vat velvet vine violin wagon walnut wax well wharf wheel whistle willow wire wool yarn
    yeast yoke
    """,
)
_ORDER = re.compile(r"^\d+\. (.+)$", re.MULTILINE)
_ASKED = re.compile(r"\b(?:Write|List) (\d+)\b")


def _nouns(sight: Sight, number: int, *what: str) -> list[str]:
    first = sight.number(*what)
    return [NOUNS[(first + place * (1 + first // len(NOUNS) % 29)) % len(NOUNS)] for place in range(number)]


def _asked(sight: Sight) -> int:
    found = _ASKED.search(sight.prompt)
    return int(found[1]) if found else 3


def tasks(sight: Sight) -> Json:
    """As many tasks as are asked for, one of them twice."""
    found: list[Json] = []
    for place in range(_asked(sight)):
        given, wanted = _nouns(sight, 2, "task", str(place))
        found.append(f"Given a question {place} about a {given}, find a passage on every {wanted}.")
    return {"tasks": [*found[:-1], *found[:1]] if len(found) > 1 else found}


def triple(sight: Sight) -> Json:
    """A row of six words: the query names three, the positive all, the hard negative one of the query's."""
    subject, first, second, third, fourth, fifth = _nouns(sight, 6, "row", sight.text("task"))
    number = sight.number("figure") % 1_000
    return {
        "query": f"which {first} fits the {subject} with a {second}",
        "positive": f"Every {subject} has a {first}. With the {second} it takes {number} turns of the {third}.",
        "hard_negative": f"Every {subject} has a {fourth}. With the {fifth} it takes {number} turns of a {third}.",
    }


def entries(sight: Sight) -> Json:
    """As many entries as are asked for."""
    found: list[Json] = []
    for place in range(_asked(sight)):
        first, second, third = _nouns(sight, 3, "entry", str(place))
        found.append(f"Number {place}, of the {first}, with a {second} and without a {third}.")
    return {"entries": found}


def labelled(sight: Sight) -> Json:
    """A text for each class of the order that is asked for, with words of the class and of its subject."""
    found: list[Json] = []
    subject = keywords(sight.text("subject"), 2)
    for place, label in enumerate(_ORDER.findall(sight.prompt)):
        own = _nouns(Sight(label), 2, "class")
        first, second = _nouns(sight, 2, "text", str(place))
        found.append(
            {"label": label, "text": f"Text {place} of {subject}: {' '.join(own)} beside {first} and {second}."}
        )
    return {"texts": found}


FROM_NOTHING: dict[frozenset[str], Callable[[Sight], Json]] = {
    frozenset({"tasks"}): tasks,
    frozenset({"query", "positive", "hard_negative"}): triple,
    frozenset({"entries"}): entries,
    frozenset({"texts"}): labelled,
}
"""Derivers, by the keys of the answer that they make, of prompts that need show no text."""
