"""A learnt prefix served without peft: keys and values that every token of every layer may look at.

Prefix tuning (Li & Liang 2021; P-tuning v2, Liu et al. 2022) cannot be merged into weights. This module holds the
encoder and the prefix side by side as plain tensors, so that an artefact needs nothing but its own files.
"""

from typing import Any

import torch
from transformers import DynamicCache


class PrefixedEncoder(torch.nn.Module):
    """Looks like the encoder it holds: same arguments, same states (b, t, d), no state for the prefix itself."""

    def __init__(self, encoder: Any, virtual_tokens: int) -> None:
        super().__init__()
        self.encoder, self.config = encoder, encoder.config
        heads = int(encoder.config.num_attention_heads)
        width = int(encoder.config.hidden_size) // heads
        layers = int(encoder.config.num_hidden_layers)
        # keys and values of each layer: (layers, 2, heads, virtual tokens, width of a head)
        self.prefix = torch.nn.Parameter(torch.zeros(layers, 2, heads, virtual_tokens, width))

    @property
    def virtual_tokens(self) -> int:
        return int(self.prefix.shape[3])

    def get_input_embeddings(self) -> Any:
        return self.encoder.get_input_embeddings()

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **more: Any) -> Any:
        rows = len(input_ids)
        cache = DynamicCache([(k.expand(rows, -1, -1, -1), v.expand(rows, -1, -1, -1)) for k, v in self.prefix])
        seen = attention_mask.new_ones(rows, self.virtual_tokens)
        mask = torch.cat((seen, attention_mask), dim=1)
        return self.encoder(input_ids=input_ids, attention_mask=mask, past_key_values=cache, **more)
