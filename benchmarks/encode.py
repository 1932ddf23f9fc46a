"""How fast are texts encoded, and are the vectors the library's? Strings in, vectors out, tokenisation included.

    python benchmarks/encode.py                                          # MiniLM, on the CPU or the GPU that is there
    python benchmarks/encode.py --texts DATA/medquad-sample/corpus.jsonl
    python benchmarks/encode.py --shape bert-base --documents 20000      # what the bars for a GPU are stated for

The sides are SentenceTransformer.encode as it is called by default (float32, batches of 32), in bfloat16, on a GPU in
batches of 256 too, and oreline's encoder. All run in one process, in turn, several times over; the fastest run counts,
loading and a first call do not. Every side's rows are compared with those of the first.

`--shape bert-base` has random weights and the packaged model's tokenizer: 110 million parameters, 512 tokens. Without
`--texts` the texts are words drawn at random, 146 tokens on average.
"""

import argparse
import datetime as dt
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from transformers import AutoModel, BertConfig, BertModel

from oreline.encoders.devices import devices_of, threads_of
from oreline.encoders.identity import identity
from oreline.encoders.loaded import LoadedEncoder
from oreline.encoders.models import model_folder, packaged_folder
from oreline.encoders.precision import on_gpu
from oreline.recipe.settings import Encoder

from training.machine import machine

Rows = npt.NDArray[np.floating]

MEAN_TOKENS = 146
LIBRARY = "SentenceTransformer.encode"


@dataclass(frozen=True)
class Side:
    """A way to encode: its name in the table and the call, texts in, rows out."""

    name: str
    encode: Callable[[Sequence[str]], Rows]


@dataclass(frozen=True)
class Timed:
    """A side's fastest time in seconds and its rows, scaled to length 1."""

    name: str
    seconds: float
    rows: npt.NDArray[np.float64]


def library(folder: str, device: str, precision: str, batch: int, max_tokens: int) -> Side:
    """Returns the library's encode; `precision` is torch's name of it."""
    model = SentenceTransformer(folder, device=device, local_files_only=True)
    model.max_seq_length = max_tokens
    model.to(getattr(torch, precision))

    def encode(texts: Sequence[str]) -> Rows:
        found = model.encode(list(texts), batch_size=batch, convert_to_tensor=True, show_progress_bar=False)
        rows: Rows = found.float().cpu().numpy()
        return rows

    return Side(f"{LIBRARY}, {precision}, batches of {batch}", encode)


def ours(settings: Encoder, label: str) -> Side:
    """Returns oreline's encoder with a recipe's settings."""
    encoder = LoadedEncoder(identity(settings), settings, threads_of(settings, 1))

    def encode(texts: Sequence[str]) -> Rows:
        rows = np.full((len(texts), encoder.identity.dimension), np.nan, np.float16)
        for places, vectors in encoder.encode(texts, [f"{place:08d}" for place in range(len(texts))]):
            rows[places] = vectors
        return rows

    told = "".join(f" ({fact})" for fact in encoder.facts.values())
    return Side(f"oreline, {label}{told}", encode)


def sides(settings: Encoder) -> list[Side]:
    """Returns the sides that the device can run, the library's default first."""
    folder = model_folder(settings.model)
    device = devices_of(settings)[0]
    one = settings.model_copy(update={"device": device, "compile": "off"})
    tokens = identity(settings).max_tokens
    found = [
        library(folder, device, "float32", 32, tokens),
        library(folder, device, "bfloat16", 32, tokens),
        # On a GPU the kernel for unequal lengths takes no float32.
        ours(one.model_copy(update={"precision": "float32", "attention": "padded"}), "float32, padded"),
        ours(one.model_copy(update={"precision": "bfloat16", "attention": "padded"}), "bfloat16, padded"),
        ours(one.model_copy(update={"precision": "bfloat16", "attention": "packed"}), "bfloat16, packed"),
    ]
    if not on_gpu(settings):
        found.insert(3, ours(one.model_copy(update={"precision": "float32", "attention": "packed"}), "float32, packed"))
    else:
        compiled = one.model_copy(update={"precision": "bfloat16", "attention": "packed", "compile": "on"})
        found.insert(2, library(folder, device, "bfloat16", 256, tokens))
        found.append(ours(compiled, "bfloat16, packed, compiled"))
        if len(devices_of(settings)) > 1:
            all_of_them = compiled.model_copy(update={"device": devices_of(settings)})
            found.append(ours(all_of_them, f"the same on {len(devices_of(settings))} GPUs"))
    return found


def measure(chosen: Sequence[Side], texts: Sequence[str], rounds: int) -> list[Timed]:
    """Runs all sides in turn, `rounds` times, after a first call each that is not timed."""
    for side in chosen:
        side.encode(texts[: max(64, len(texts) // 20)])
    fastest = dict.fromkeys((side.name for side in chosen), float("inf"))
    rows: dict[str, Rows] = {}
    for _ in range(rounds):
        for side in chosen:
            started = time.perf_counter()
            rows[side.name] = side.encode(texts)
            fastest[side.name] = min(fastest[side.name], time.perf_counter() - started)
    return [Timed(name, fastest[name], _units(found)) for name, found in rows.items()]


def _units(rows: Rows) -> npt.NDArray[np.float64]:
    wide = rows.astype(np.float64)
    units: npt.NDArray[np.float64] = wide / np.linalg.norm(wide, axis=1, keepdims=True)
    return units


def operations(folder: str, lengths: Sequence[int]) -> float:
    """Returns about how many floating point operations the texts need, without padding.

    Two per token and weight of a layer, and the attention's own; embeddings are looked up.
    """
    transformer = AutoModel.from_pretrained(folder, local_files_only=True)
    weights = sum(parameter.numel() for parameter in transformer.encoder.parameters())
    width, layers = transformer.config.hidden_size, transformer.config.num_hidden_layers
    tokens = np.asarray(lengths, np.float64)
    return float(2 * weights * tokens.sum() + 4 * layers * width * (tokens * tokens).sum())


def bert_base(folder: Path) -> str:
    """Saves a model of BERT-base's shape with random weights; returns its folder."""
    torch.manual_seed(0)
    BertModel(BertConfig()).save_pretrained(folder / "plain")
    packaged = SentenceTransformer(packaged_folder(), device="cpu", local_files_only=True)
    packaged.tokenizer.save_pretrained(folder / "plain")
    first = Transformer(str(folder / "plain"), max_seq_length=512)
    SentenceTransformer(modules=[first, Pooling(768, pooling_mode="mean")], device="cpu").save(str(folder / "model"))
    return str(folder / "model")


def synthetic(number: int) -> list[str]:
    """Returns texts of words drawn at random; lengths follow a gamma distribution, most between 30 and 400 tokens."""
    draw = np.random.default_rng(0)
    words = np.array(["disease", "the", "of", "patient", "treatment", "is", "and", "cell", "common", "blood", "rare"])
    lengths = np.clip(draw.gamma(2.5, (MEAN_TOKENS - 2) / 2.5, number).astype(int), 1, 510)
    return [" ".join(draw.choice(words, length)) for length in lengths]


def read_texts(path: Path, number: int) -> list[str]:
    """Returns the texts of a BEIR corpus, titles in front, from the first line on."""
    with path.open(encoding="utf-8") as file:
        rows = [json.loads(line) for line, _ in zip(file, range(number), strict=False)]
    return [f"{row.get('title') or ''} {row['text']}".strip() for row in rows]


def report(timed: Sequence[Timed], lengths: Sequence[int], work: float, told: str) -> str:
    """Returns the table as Markdown; ratios are to the first row."""
    first = timed[0]
    heading = (
        f"{told} {len(lengths):,} texts, {np.mean(lengths):.0f} tokens on average, at most {max(lengths)}. Strings in, "
        "vectors out, tokenisation included; sides in turn in one process, the fastest run counts."
    )
    lines = [
        "# Encoding",
        "",
        heading,
        "",
        "| side | documents/s | ratio | TFLOP/s | smallest cosine to the first row |",
        "| --- | --- | --- | --- | --- |",
    ]
    for each in timed:
        cosine = float((each.rows * first.rows).sum(axis=1).min())
        lines.append(
            f"| {each.name} | {len(lengths) / each.seconds:,.0f} | {first.seconds / each.seconds:.2f} | "
            f"{work / each.seconds / 1e12:.2f} | {cosine:.6f} |"
        )
    return "\n".join(lines) + "\n"


GPU_OPEN = """
## On a GPU

Open: no GPU was at hand. The same script measures it, and its figures are stated for a model of BERT-base's shape:

```
python benchmarks/encode.py --shape bert-base --documents 20000 --write benchmarks/results/encode_gpu.md
```

The bars there: 20 times the library's default and 4 times its bfloat16 with batches of 256, in one run.
"""


def main() -> None:
    """Measures and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="minilm", help="minilm, a folder or a hub id")
    parser.add_argument("--shape", choices=["bert-base"], help="a model of this shape with random weights instead")
    parser.add_argument("--texts", type=Path, help="a BEIR corpus.jsonl; without it, texts are made")
    parser.add_argument("--documents", type=int, help="how many texts; default 20,000 on a GPU, 400 on a CPU")
    parser.add_argument("--rounds", type=int, default=3, help="how often each side runs; default 3")
    parser.add_argument("--device", default="auto", help="as encoder.device in a recipe")
    parser.add_argument("--threads", type=int, help="CPU threads; default all cores")
    parser.add_argument("--write", type=Path, help="a file for the table")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        model = bert_base(Path(scratch)) if options.shape else options.model
        settings = Encoder(model=model, device=options.device, threads=options.threads)
        number = options.documents or (20_000 if on_gpu(settings) else 400)
        texts = read_texts(options.texts, number) if options.texts else synthetic(number)
        torch.set_num_threads(threads_of(settings, 1))
        chosen = sides(settings)
        timed = measure(chosen, texts, options.rounds)
        tokenizer = SentenceTransformer(model_folder(model), device="cpu", local_files_only=True).tokenizer
        longest = identity(settings).max_tokens
        lengths = [len(ids) for ids in tokenizer(texts, truncation=True, max_length=longest)["input_ids"]]
        name = f"{options.shape} (random weights)" if options.shape else str(model)
        source = options.texts.parent.name if options.texts else "made"
        told = f"{name}, texts: {source}. {dt.datetime.now(tz=dt.UTC):%Y-%m-%d}, "
        told += machine(devices_of(settings)[0], f"{threads_of(settings, 1)} threads")
        table = report(timed, lengths, operations(model_folder(model), lengths), told)
    if not on_gpu(settings):
        table += GPU_OPEN
    print(table)
    if options.write:
        options.write.write_text(table, encoding="utf-8")


if __name__ == "__main__":
    main()
