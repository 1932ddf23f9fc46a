"""Texts as token ids, each text once, by the tokenizer's own library without padding."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_PROBES = (
    "",
    " ",
    "a",
    "Two  words\nand\ta tab ",
    "Crème BRÛLÉE — straße, İstanbul",
    "日本語のテキスト と 한국어 🙂",
    "x_y = f(z)[0] != None  # code",
)


@dataclass(frozen=True)
class Tokens:
    """The ids of several texts, one text behind the other: text i has `ids[offsets[i]:offsets[i + 1]]`."""

    ids: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int64]

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """The number of tokens of each text."""
        return np.diff(self.offsets)

    def take(self, places: Sequence[int]) -> "Tokens":
        """Returns the texts at `places`, in that order."""
        rows = [self.ids[self.offsets[place] : self.offsets[place + 1]] for place in places]
        return tokens_of(rows)


def tokens_of(rows: Sequence[npt.NDArray[np.int32]]) -> Tokens:
    """Returns texts, each given by its ids, as one."""
    offsets = np.zeros(len(rows) + 1, np.int64)
    np.cumsum([len(row) for row in rows], out=offsets[1:])
    return Tokens(np.concatenate(rows) if rows else np.zeros(0, np.int32), offsets)


class Tokenizing:
    """A model's tokenizer, cutting at `max_tokens`; it may be used on another thread than the model.

    `typed` says whether the model is given token types, which are all 0.
    """

    def __init__(self, model: "SentenceTransformer", max_tokens: int) -> None:
        from tokenizers import Tokenizer

        tokenizer = model.tokenizer
        # A copy: sentence-transformers sets padding on its own at every call.
        self._tokenizer: Tokenizer = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_tokens, direction=tokenizer.truncation_side)
        self.pad_left = tokenizer.padding_side == "left"
        self.pad_id: int = tokenizer.pad_token_id or 0
        self.typed = False

    def tokens(self, texts: Sequence[str]) -> Tokens:
        """Returns the ids that the model is given, special tokens included."""
        found = self._tokenizer.encode_batch_fast(list(texts))
        return tokens_of([np.array(each.ids, np.int32) for each in found])


def tokenizing_of(model: "SentenceTransformer", max_tokens: int) -> Tokenizing | str:
    """Returns the model's tokenizer, or why the model's texts are to go through its own `preprocess`.

    Both are asked about texts of many kinds, one of them over-long; a model that makes anything else of a text than the
    same ids (a chat template, other inputs) keeps its own way.
    """
    tokenizer = getattr(model, "tokenizer", None)
    if not getattr(tokenizer, "is_fast", False):
        return "its tokenizer is not one of the library tokenizers"
    found = Tokenizing(model, max_tokens)
    # Some tokenizers split special tokens that stand in a text, by a setting that is no part of their saved form.
    special = "a " + " b ".join(str(each) for each in model.tokenizer.all_special_tokens[:16])
    texts = [*_PROBES, special, "retrieval of documents " * (max_tokens // 3 + 4)]
    features = model.preprocess(texts)
    known = {"input_ids", "attention_mask", "token_type_ids", "modality"}
    if not {"input_ids", "attention_mask"} <= features.keys() <= known:
        return f"it is given {', '.join(sorted(features.keys() ^ known))} beside or in place of tokens"
    types = features.get("token_type_ids")
    if types is not None and bool(types.any()):
        return "its tokens have types"
    found.typed = types is not None
    own = [
        row[mask.bool()].numpy() for row, mask in zip(features["input_ids"], features["attention_mask"], strict=True)
    ]
    ours = found.tokens(texts)
    if not all(np.array_equal(row, ours.take([place]).ids) for place, row in enumerate(own)):
        return "its own preprocessing makes other tokens of a text than its tokenizer"
    return found
