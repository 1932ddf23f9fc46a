"""A corpus of any size with known duplicates, made by editing a sample corpus; the benchmarks of dedup share it.

Seven in ten documents are windows of the sample's words, of which every fourth word is drawn anew, so that no two
windows are alike even where they overlap. One in ten is an exact copy of an earlier document, up to case; two in ten
are copies of which one to six words were changed.
"""

import json
import random
from collections.abc import Iterator
from pathlib import Path

WORDS = 88
RECENT = 50_000


def sample_words(source: Path) -> list[str]:
    """Returns the words of a BEIR folder's documents, in order."""
    lines = (source / "corpus.jsonl").read_text(encoding="utf-8").splitlines()
    return " ".join(json.loads(line)["text"] for line in lines).split()


def documents(source: Path, number: int, seed: int = 13) -> Iterator[dict[str, str]]:
    """Yields `number` documents of `WORDS` words as {"id", "text"}, the same for the same seed."""
    draw = random.Random(seed)
    words = sample_words(source)
    made: list[list[str]] = []
    for place in range(number):
        kind = draw.random()
        if not made or kind < 0.7:
            start = draw.randrange(len(words) - WORDS)
            text = [draw.choice(words) if draw.random() < 0.25 else word for word in words[start : start + WORDS]]
        else:
            text = list(draw.choice(made))
            if kind < 0.8:
                text = [word.upper() for word in text]
            else:
                for _ in range(draw.randint(1, 6)):
                    text[draw.randrange(WORDS)] = draw.choice(words)
        if len(made) < RECENT:
            made.append(text)
        yield {"id": f"d{place:08}", "text": " ".join(text)}


def write(source: Path, number: int, path: Path) -> None:
    """Writes the corpus as JSON lines."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(each, ensure_ascii=False) + "\n" for each in documents(source, number))
