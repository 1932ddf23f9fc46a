"""A plain training loop: InfoNCE over in-batch positives and the rows' own negatives, one epoch."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from sentence_transformers import SentenceTransformer

from training.rows import Row, positives_of


@dataclass(frozen=True)
class Settings:
    """How a model is trained; `length` is in tokens, and the evaluation cuts there too."""

    rows: int = 960
    batch: int = 32
    negatives: int = 2
    length: int = 128
    rate: float = 1e-4
    temperature: float = 0.05
    bfloat16: bool = False


@dataclass(frozen=True)
class Course:
    """How a training went: the mean loss of its first and last quarter, and how far the weights moved.

    `moved` is |after - before| / |before| over all weights.
    """

    first_loss: float
    last_loss: float
    moved: float


def train(model: SentenceTransformer, rows: Sequence[Row], seed: int, settings: Settings) -> Course:
    """Trains a model in place for one epoch over `settings.rows` of the rows, drawn and ordered by the seed."""
    torch.manual_seed(seed)
    draw = random.Random(seed)
    chosen = draw.sample(list(rows), min(settings.rows, len(rows)))
    steps = len(chosen) // settings.batch
    own = positives_of(rows)
    before = _weights(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate_share(step, steps))
    model.max_seq_length = settings.length
    model.train()
    losses: list[float] = []
    for step in range(steps):
        batch = chosen[step * settings.batch : (step + 1) * settings.batch]
        loss = info_nce(model, batch, own, draw, settings)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own annotations
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    quarter = max(1, steps // 4)
    moved = float((_weights(model) - before).norm() / before.norm())
    return Course(sum(losses[:quarter]) / quarter, sum(losses[-quarter:]) / quarter, moved)


def info_nce(
    model: SentenceTransformer,
    batch: Sequence[Row],
    own: dict[str, set[str]],
    draw: random.Random,
    settings: Settings,
) -> torch.Tensor:
    """Returns the loss of a batch: each anchor against all positives and all drawn negatives (InfoNCE).

    `own` holds all positives of each anchor: where another row of the batch brings one, it is masked. Source: van den
    Oord et al. 2018, section 2.3, with cosine similarity over a temperature.
    """
    texts = [row.positive for row in batch]
    for row in batch:
        texts += draw.sample(row.negatives, min(settings.negatives, len(row.negatives)))
    queries, documents = (_embed(model, each, settings) for each in ([row.anchor for row in batch], texts))
    logits = queries @ documents.T / settings.temperature
    masked = [
        [place != n and text in own[row.anchor] for place, text in enumerate(texts)] for n, row in enumerate(batch)
    ]
    logits = logits.masked_fill(torch.tensor(masked, device=logits.device), float("-inf"))
    return torch.nn.functional.cross_entropy(logits, torch.arange(len(batch), device=logits.device))


def _embed(model: SentenceTransformer, texts: Sequence[str], settings: Settings) -> torch.Tensor:
    """Returns unit vectors with gradients, in the order of `texts`."""
    features = {
        name: value.to(model.device) if isinstance(value, torch.Tensor) else value
        for name, value in model.preprocess(list(texts)).items()
    }
    with torch.autocast(model.device.type, dtype=torch.bfloat16, enabled=settings.bfloat16):
        vectors = cast("torch.Tensor", model(features)["sentence_embedding"])
    return torch.nn.functional.normalize(vectors.float(), dim=1)


def _weights(model: SentenceTransformer) -> torch.Tensor:
    return torch.cat([each.detach().flatten().clone() for each in model.parameters()])


def _rate_share(step: int, steps: int) -> float:
    """Linear warm-up over a tenth of the steps, then linear decay to zero."""
    warm = max(1, steps // 10)
    return min(1.0, (step + 1) / warm) * max(0.0, (steps - step) / steps)
