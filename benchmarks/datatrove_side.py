"""datatrove's MinHash deduplication of a folder of JSON lines, run by a Python that has datatrove, not oreline.

    python benchmarks/datatrove_side.py INPUT OUTPUT NGRAM BANDS ROWS WORKERS

INPUT holds *.jsonl files of {"id", "text"}. OUTPUT/kept and OUTPUT/removed get the documents with their cluster's id in
`metadata.minhash_cluster_id`. Prints the seconds of the four stages as a JSON line.
"""

import json
import sys
import time
from pathlib import Path

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupBuckets
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers.jsonl import JsonlWriter


def main() -> None:
    """Runs the four stages, each over all files."""
    source, output = sys.argv[1:3]
    ngram, bands, rows, workers = (int(each) for each in sys.argv[3:])
    config = MinhashConfig(n_grams=ngram, num_buckets=bands, hashes_per_bucket=rows)
    files = len(list(Path(source).glob("*.jsonl")))
    seconds = []
    stages = [
        ([JsonlReader(source), MinhashDedupSignature(output_folder=f"{output}/signatures", config=config)], files),
        ([MinhashDedupBuckets(f"{output}/signatures", f"{output}/buckets", config=config)], bands),
        ([MinhashDedupCluster(f"{output}/buckets", f"{output}/clusters", config=config, save_cluster_id=True)], 1),
        (
            [
                JsonlReader(source),
                MinhashDedupFilter(
                    f"{output}/clusters",
                    exclusion_writer=JsonlWriter(f"{output}/removed", compression=None),
                    load_cluster_ids=True,
                ),
                JsonlWriter(f"{output}/kept", compression=None),
            ],
            files,
        ),
    ]
    for place, (pipeline, tasks) in enumerate(stages):
        begun = time.monotonic()
        logs = f"{output}/logs/{place}"
        # Forked processes are waited for, so that their CPU time can be told.
        LocalPipelineExecutor(
            pipeline=pipeline, tasks=tasks, workers=min(workers, tasks), logging_dir=logs, start_method="fork"
        ).run()
        seconds.append(time.monotonic() - begun)
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
