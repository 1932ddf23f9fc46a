"""Small corpora: where a round trip says little, as nearly every query finds its document among few."""

from collections import Counter

from oreline.job import Job
from oreline.selection.gates import searched_datasets

FEW_DOCUMENTS = 6_000
"""The round trip hurt on NFCorpus (3.6 thousand documents) and SciFact (5.2): Promptagator, section 4."""

MOST_TOLD = 20


def small_corpora(job: Job) -> dict[str, int]:
    """Returns the searched corpora with fewer than `FEW_DOCUMENTS` documents, if the round trip drops queries.

    By dataset of the queries, the smallest first, at most `MOST_TOLD`; `all` where all are searched.
    """
    if job.recipe.select.gates.round_trip.action != "drop" or not job.recipe.select.negatives:
        return {}
    documents: Counter[str] = Counter()
    for rows in job.iterate("documents", ["dataset", "searchable"]):
        searched = rows.filter(rows.column("searchable")).column("dataset")
        for each in searched.value_counts().to_pylist():
            documents[each["values"]] += each["counts"]
    sizes: dict[str, int] = {}
    for dataset in documents:
        among = searched_datasets(job.recipe.mine, dataset)
        name = dataset if job.recipe.mine.within == "dataset" else "all"
        sizes[name] = sum(number for each, number in documents.items() if among is None or each in among)
    few = [(number, name) for name, number in sizes.items() if number < FEW_DOCUMENTS]
    return {name: number for number, name in sorted(few)[:MOST_TOLD]}
