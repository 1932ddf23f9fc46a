"""sentence-transformers' mine_hard_negatives under some rules, run by a Python that has it and `datasets`.

    python benchmarks/mining_side.py FOLDER MODEL

FOLDER holds corpus.json (a list of texts), pairs.json (a list of [query, positive]) and rules.json (names with the
function's arguments). FOLDER/mined.json gets, by rule, the rows with all negatives: [query, negatives, scores]. Prints
the seconds of each rule as a JSON line; vectors are made by the first and kept for the others.
"""

import json
import sys
import time
from pathlib import Path

from datasets import Dataset
from sentence_transformers import SentenceTransformer
from sentence_transformers.util import mine_hard_negatives


def main() -> None:
    """Mines under each rule."""
    folder = Path(sys.argv[1])
    model = SentenceTransformer(sys.argv[2], device="cpu")
    corpus, pairs, rules = (json.loads((folder / f"{name}.json").read_text()) for name in ("corpus", "pairs", "rules"))
    rows = Dataset.from_dict({"query": [query for query, _ in pairs], "positive": [text for _, text in pairs]})
    mined, seconds = {}, {}
    for name, arguments in rules.items():
        started = time.monotonic()
        found = mine_hard_negatives(
            rows,
            model,
            corpus=corpus,
            output_format="n-tuple",
            output_scores=True,
            cache_folder=str(folder / "vectors"),
            verbose=False,
            **arguments,
        )
        seconds[name] = round(time.monotonic() - started, 2)
        negatives = [column for column in found.column_names if column.startswith("negative")]
        mined[name] = [
            [row["query"], [row[column] for column in negatives], [float(each) for each in row["scores"]]]
            for row in found
        ]
    (folder / "mined.json").write_text(json.dumps(mined))
    print(json.dumps(seconds))


main()
