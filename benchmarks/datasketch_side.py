"""datasketch's MinHash and LSH over a folder of JSON lines, as its documentation shows it, on several processes.

    python benchmarks/datasketch_side.py INPUT OUTPUT NGRAM BANDS ROWS WORKERS

Words are those of datatrove's normal form: lower case, no punctuation, white space. Clusters are the components of all
pairs that share a band. OUTPUT gets a JSON line {"id", "cluster"} per document.
"""

import json
import multiprocessing
import string
import sys
from collections.abc import Iterator
from pathlib import Path

from datasketch import MinHash, MinHashLSH
from datasketch.hashfunc import sha1_hash32

_DROPPED = str.maketrans("", "", string.punctuation)


def signed(task: tuple[str, int, int]) -> list[tuple[str, MinHash | None]]:
    """Returns the signatures of a file's documents; None for one shorter than a shingle."""
    path, ngram, permutations = task
    found: list[tuple[str, MinHash | None]] = []
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        document = json.loads(line)
        words = document["text"].lower().translate(_DROPPED).split()
        shingles = {" ".join(words[place : place + ngram]).encode() for place in range(len(words) - ngram + 1)}
        if not shingles:
            found.append((document["id"], None))
            continue
        minhash = MinHash(num_perm=permutations, hashfunc=sha1_hash32)
        minhash.update_batch(shingles)
        found.append((document["id"], minhash))
    return found


def pieces(source: str, number: int) -> Iterator[str]:
    """Yields the files of the folder; there are at least as many as processes."""
    files = sorted(Path(source).glob("*.jsonl"))
    if len(files) < number:
        raise ValueError(f"{source}: {len(files)} files for {number} processes")
    yield from map(str, files)


def main() -> None:
    """Signs in parallel, then inserts and asks the index document by document."""
    source, output = sys.argv[1:3]
    ngram, bands, rows, workers = (int(each) for each in sys.argv[3:])
    index = MinHashLSH(num_perm=bands * rows, params=(bands, rows))
    parents: dict[str, str] = {}

    def root(name: str) -> str:
        while parents[name] != name:
            parents[name] = parents[parents[name]]
            name = parents[name]
        return name

    tasks = [(path, ngram, bands * rows) for path in pieces(source, workers)]
    with multiprocessing.Pool(workers) as pool:
        for found in pool.imap(signed, tasks):
            for own, minhash in found:
                parents[own] = own
                if minhash is not None:
                    for other in index.query(minhash):
                        one, two = sorted((root(own), root(other)))
                        parents[two] = one
                    index.insert(own, minhash, check_duplication=False)
    Path(output).mkdir(parents=True, exist_ok=True)
    with (Path(output) / "clusters.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps({"id": name, "cluster": root(name)}) + "\n" for name in parents)


if __name__ == "__main__":
    main()
