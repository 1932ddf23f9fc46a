"""Small sentence-transformers models with random weights, saved as users save theirs."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Transformer
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import AutoConfig, AutoModel, PreTrainedModel, PreTrainedTokenizerFast

Kind = Literal["bert", "xlm-roberta", "modernbert", "qwen3", "deberta-v2"]

MAX_TOKENS = 40
WIDTH = 32
_SIZES = {"hidden_size": WIDTH, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 48}
_WORDS = ["".join(letters) for letters in itertools.product("abcdef", repeat=2)]


def save_model(
    folder: Path,
    kind: Kind,
    pooling: str = "mean",
    after: Sequence[torch.nn.Module] = (),
    *,
    include_prompt: bool = True,
    typed: bool = False,
    bare: bool = False,
) -> str:
    """Saves a model of random weights that takes MAX_TOKENS tokens; its vectors are WIDTH long before `after`.

    With `typed` its tokenizer gives every token of a text the type 1; a `bare` one adds no special tokens.
    """
    torch.manual_seed(len(kind) + len(pooling))
    plain = folder / "plain"
    tokenizer = _tokenizer(causal=kind == "qwen3", typed=typed, bare=bare)
    model = _transformer(kind, len(tokenizer))
    with torch.no_grad():
        for parameter in model.parameters():
            # As initialised, so small a model gives nearly one vector for all texts; much larger, bfloat16 is noise.
            parameter.mul_(4 if kind in {"qwen3", "deberta-v2"} else 12) if parameter.dim() > 1 else parameter.add_(
                0.3 * torch.randn_like(parameter)
            )
    model.save_pretrained(plain)
    tokenizer.save_pretrained(plain)
    first = Transformer(str(plain), max_seq_length=MAX_TOKENS)
    pool = Pooling(WIDTH, pooling_mode=pooling, include_prompt=include_prompt)
    SentenceTransformer(modules=[first, pool, *after], device="cpu").save(str(folder / "model"))
    return str(folder / "model")


def dense() -> list[torch.nn.Module]:
    """Returns what stands behind the pooling of many models: a projection, and vectors of length 1."""
    return [Dense(WIDTH, 24, activation_function=torch.nn.Tanh()), Normalize()]


def texts_of_all_lengths(longest: int = MAX_TOKENS + 5) -> list[str]:
    """Returns texts of 1, 2, ... `longest` words, no two of which begin alike."""
    return [
        " ".join(_WORDS[(7 * size + 5 * place) % len(_WORDS)] for place in range(size))
        for size in range(1, longest + 1)
    ]


_OWN_SIZES: dict[Kind, dict[str, object]] = {
    "bert": {"max_position_embeddings": MAX_TOKENS},
    "xlm-roberta": {"max_position_embeddings": MAX_TOKENS + 2, "type_vocab_size": 1},
    "modernbert": {"local_attention": 8, "global_attn_every_n_layers": 2, "cls_token_id": 0, "sep_token_id": 2},
    "qwen3": {"num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": MAX_TOKENS},
    "deberta-v2": {"relative_attention": True, "max_position_embeddings": MAX_TOKENS},
}


def _transformer(kind: Kind, words: int) -> PreTrainedModel:
    tokens = {"vocab_size": words, "bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2}
    config = AutoConfig.for_model(kind, **_SIZES, **tokens, **_OWN_SIZES[kind])
    found: PreTrainedModel = AutoModel.from_config(config)  # type: ignore[no-untyped-call]  # transformers types it not
    return found


def _tokenizer(*, causal: bool, typed: bool, bare: bool) -> PreTrainedTokenizerFast:
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    vocabulary = {word: place for place, word in enumerate([*special, *_WORDS])}
    found = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    found.normalizer = normalizers.Lowercase()
    found.pre_tokenizer = pre_tokenizers.Whitespace()
    begins, ends = ("" if causal or bare else "<s> "), ("" if bare else " </s>")
    found.post_processor = processors.TemplateProcessing(
        single=f"{begins}$A:{int(typed)}{ends}", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]  # likewise
        tokenizer_object=found,
        pad_token="<pad>",
        unk_token="<unk>",
        cls_token="<s>",
        eos_token="</s>",
        padding_side="left" if causal else "right",
        model_max_length=MAX_TOKENS,
        model_input_names=["input_ids", "attention_mask", *(["token_type_ids"] if typed else [])],
    )
