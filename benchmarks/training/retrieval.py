"""Retrieval quality of a model: nDCG@10 and MRR@10 per query, and an interval for a gain."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from sentence_transformers import SentenceTransformer

from oreline.encoders.rendering import plain_document

from training.heldout import Labelled

Floats = npt.NDArray[np.float64]
_PADDED_TOKENS = 4096


@dataclass(frozen=True)
class Measured:
    """nDCG@10 and MRR@10, 0 to 1, of each query in the order of their ids."""

    ndcg: Floats
    mrr: Floats


def evaluate(
    model: SentenceTransformer, documents: dict[str, tuple[str, str]], asked: Labelled, *, length: int, bfloat16: bool
) -> Measured:
    """Asks all queries of `asked` over all `documents`; texts are cut at `length` tokens."""
    doc_ids, query_ids = sorted(documents), sorted(asked.positives)
    texts = [plain_document(*documents[each]) for each in doc_ids]
    texts += [asked.queries[each] for each in query_ids]
    vectors = encode(model, texts, length=length, bfloat16=bfloat16)
    scores = vectors[len(doc_ids) :] @ vectors[: len(doc_ids)].T
    ndcg, mrr = [], []
    for query_id, row in zip(query_ids, scores, strict=True):
        top = [doc_ids[place] for place in np.argsort(-row, kind="stable")[:10]]
        found, total = asked.positives[query_id], min(10, len(asked.positives[query_id]))
        gains = [(each in found) / np.log2(place + 2) for place, each in enumerate(top)]
        ndcg.append(sum(gains) / sum(1 / np.log2(place + 2) for place in range(total)))
        mrr.append(next((1 / (place + 1) for place, each in enumerate(top) if each in found), 0.0))
    return Measured(np.array(ndcg), np.array(mrr))


def encode(model: SentenceTransformer, texts: Sequence[str], *, length: int, bfloat16: bool) -> npt.NDArray[np.float32]:
    """Returns unit vectors in the order of `texts`.

    With `bfloat16` a copy of the transformer computes in that format, pooling in float32, as oreline's embed does.
    """
    model.max_seq_length = length
    model.eval()
    transformer = copy.deepcopy(model[0]).to(torch.bfloat16) if bfloat16 else model[0]
    order = sorted(range(len(texts)), key=lambda place: -len(texts[place]))
    out: npt.NDArray[np.float32] = np.empty((len(texts), model.get_embedding_dimension() or 0), np.float32)
    start = 0
    while start < len(order):
        longest = min(length, len(texts[order[start]]) // 3 + 2)
        places = order[start : start + max(1, _PADDED_TOKENS // longest)]
        start += len(places)
        features = {
            name: value.to(model.device) if isinstance(value, torch.Tensor) else value
            for name, value in model.preprocess([texts[place] for place in places]).items()
        }
        with torch.inference_mode():
            features = transformer(features)
            features["token_embeddings"] = features["token_embeddings"].float()
            for module in list(model)[1:]:
                features = module(features)
            unit = torch.nn.functional.normalize(features["sentence_embedding"].float(), dim=1)
        out[places] = unit.cpu().numpy()
    return out


def interval(gains: Floats, component: Sequence[str], seed: int = 1, draws: int = 2000) -> tuple[float, float]:
    """Returns the 95 % interval of the mean gain of queries, components of queries drawn with replacement.

    Source: the percentile bootstrap, clustered, as queries of one page rise and fall together (Efron and Tibshirani
    1993, chapter 13).
    """
    names, inverse = np.unique(np.array(component), return_inverse=True)
    sums, counts = np.bincount(inverse, weights=gains), np.bincount(inverse)
    drawn = np.random.default_rng(seed).integers(len(names), size=(draws, len(names)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)
