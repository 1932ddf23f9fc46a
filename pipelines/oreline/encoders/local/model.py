"""One copy of a sentence-transformers model on a device: batches in, float32 vectors out."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from oreline.encoders.identity import EncoderIdentity
from oreline.encoders.local import attention
from oreline.encoders.local.inputs import Packed, Padded
from oreline.errors import CallError

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers import PreTrainedModel


class Model:
    """A model on `device` that computes its transformer in the identity's precision, and the rest in float32.

    `cuts` says whether it cuts texts at the identity's tokens; some kinds know no limit. Texts come rendered: no
    prompt of the model's own is added.
    """

    def __init__(self, identity: EncoderIdentity, device: str) -> None:
        import sentence_transformers
        import torch
        from transformers.utils import logging

        logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers types it not
        self.device = device
        self.max_tokens = identity.max_tokens
        self.dimension = identity.dimension
        self.whole: SentenceTransformer = sentence_transformers.SentenceTransformer(
            identity.folder, device=device, local_files_only=True
        )
        self.cuts = _cut(self.whole, identity.max_tokens)
        if any(type(module).__name__ == "Router" for module in self.whole):
            raise CallError(
                f"encoder.model: {identity.model} has parts of its own for queries and for documents (Router), which "
                "is not supported; save the part that you need as a model, or serve it and name the server"
            )
        # Only the transformer computes in the lower precision: pooling and what follows keep all digits.
        self.whole[0].to(getattr(torch, identity.precision))
        self.whole.eval()
        config = getattr(self.transformer, "config", None)
        self._attention: str = getattr(config, "_attn_implementation", None) or "eager"

    def use_packed_attention(self, *, packed: bool) -> None:
        """Lets the transformer take texts one behind the other, or again as rows."""
        attention.register()
        cast("PreTrainedModel", self.transformer).set_attn_implementation(attention.NAME if packed else self._attention)

    @property
    def transformer(self) -> "torch.nn.Module":
        """The model of the transformers library, or whatever stands in its place."""
        first = self.whole[0]
        return cast("torch.nn.Module", getattr(first, "auto_model", first))

    def own(self, texts: Sequence[str]) -> "torch.Tensor":
        """Returns the vectors of texts by the model's own way from strings on, texts x dimension."""
        features = self.whole.preprocess(list(texts))
        moved = {name: self._moved(value) for name, value in features.items()}
        return self._after(self.whole[0](moved))

    def padded(self, batch: Padded) -> "torch.Tensor":
        """Returns the vectors of rows of ids."""
        features: dict[str, object] = {"input_ids": batch.ids, "attention_mask": batch.mask, "modality": "text"}
        if batch.types is not None:
            features["token_type_ids"] = batch.types
        return self._after(self.whole[0](features))

    def packed(self, batch: Packed) -> "torch.Tensor":
        """Returns the vectors of texts that stand one behind the other.

        Only the transformer sees them so; pooling and what follows get rows, whose padding costs them little.
        """
        output = self.transformer(
            input_ids=batch.ids,
            position_ids=batch.positions,
            attention_mask=None,
            cu_seq_lens_q=batch.starts,
            cu_seq_lens_k=batch.starts,
            max_length_q=batch.longest,
            max_length_k=batch.longest,
            return_dict=True,
        ).last_hidden_state
        rows = output[0][batch.rows]
        return self._after({"token_embeddings": rows, "attention_mask": batch.mask, "modality": "text"})

    def _moved(self, value: object) -> object:
        import torch

        return value.to(self.device) if isinstance(value, torch.Tensor) else value

    def _after(self, features: Mapping[str, object]) -> "torch.Tensor":
        """Runs the modules behind the transformer."""
        found = {name: _float32(value) for name, value in features.items()}
        for module in list(self.whole)[1:]:
            found = module(found)
        return cast("torch.Tensor", found["sentence_embedding"]).float()


def _cut(model: "SentenceTransformer", max_tokens: int) -> bool:
    try:
        model.max_seq_length = max_tokens
    except AttributeError:
        return False
    return True


def _float32(value: object) -> object:
    import torch

    if isinstance(value, (list, tuple)):
        return [_float32(each) for each in value]
    return value.float() if isinstance(value, torch.Tensor) and value.is_floating_point() else value
