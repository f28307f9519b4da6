"""A model of some thirty thousand random weights over bytes, for tests of what is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

START, STOP, PAD = "<|im_start|>", "<|im_end|>", "<|endoftext|>"


def tiny_tokenizer(*added: str) -> Any:
    """One token a byte, three control tokens, and further ones that are added as Qwen adds `<tool_call>`: not special, but never cut."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    symbols = [PAD, START, STOP, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    made = Tokenizer(models.BPE(vocab={symbol: number for number, symbol in enumerate(symbols)}, merges=[]))
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False), decoders.ByteLevel()
    made.add_special_tokens(symbols[:3])
    made.add_tokens(list(added))
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token=STOP, pad_token=PAD)


def save_tiny(folder: Path) -> None:
    """Write the model and its tokenizer, which has no chat template."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    tokenizer = tiny_tokenizer()
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        max_position_embeddings=8192,
        eos_token_id=2,
        pad_token_id=0,
        bos_token_id=None,
        tie_word_embeddings=True,
    )
    Qwen3ForCausalLM(config).save_pretrained(folder)


def weights(folder: Path) -> dict[str, Any]:
    """A saved model's weights by name."""
    from safetensors.torch import load_file

    return dict(load_file(folder / "model.safetensors"))
