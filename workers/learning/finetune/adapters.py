"""Few trained weights beside a frozen encoder (through peft), folded into it for serving.

LoRA (Hu et al. 2022), AdaLoRA (Zhang et al. 2023), IA3 (Liu et al. 2022) and prefix tuning (Li & Liang 2021). Where
they go is found by looking at the encoder, not at its name, so any AutoModel with linear attention layers will do.
"""

import inspect
import warnings
from typing import TYPE_CHECKING, Any

from ..types import LearningError
from .config import ADAPTERS, Config

if TYPE_CHECKING:
    import torch

ADAPTER = "default"  # peft's own name for the only adapter
QUERY = {"query", "query_proj", "q_proj", "q_lin", "q"}
KEY = {"key", "key_proj", "k_proj", "k_lin", "k"}
VALUE = {"value", "value_proj", "v_proj", "v_lin", "v"}
FUSED = {"query_key_value", "Wqkv", "qkv_proj", "qkv", "in_proj"}  # all three in one layer
ORTHOGONAL = 0.5  # weight of AdaLoRA's regulariser, as in its paper
WARM, COOL = 0.15, 0.5  # shares of AdaLoRA's steps before pruning starts and after it has ended


def attach(encoder: Any, config: Config, *, steps: int = 0) -> Any:
    """Wrap an AutoModel so that only adapter weights require gradients; methods without adapters return it as it is.

    `steps` is the length of the whole run, which AdaLoRA's budget is spread over. Adapters start as no change, except
    a prefix, which starts small at random. Raises LearningError for an encoder that has no place for them.
    """
    if config.method not in ADAPTERS:
        return encoder
    if config.method == "prefix":
        _check_prefix(encoder, config)
    import peft

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft still asks transformers by an older name
        return peft.get_peft_model(encoder, _peft_config(encoder, config, steps))


def merge(encoder: Any) -> Any:
    """The encoder that answers as the adapted one does, without peft. Same outputs up to rounding.

    A prefix has no place in the weights: a PrefixedEncoder carries it beside them.
    """
    if not _is_adapted(encoder):
        return encoder
    if encoder.peft_type != "PREFIX_TUNING":
        return encoder.merge_and_unload()
    learnt = encoder.get_prompt_embedding_to_save(ADAPTER).detach()
    plain = prefixed(encoder.get_base_model(), len(learnt))
    layers, _, heads, tokens, width = plain.prefix.shape
    plain.prefix.data.copy_(learnt.view(tokens, layers, 2, heads, width).permute(1, 2, 3, 0, 4))
    return plain.to(encoder.device)


def prefixed(encoder: Any, virtual_tokens: int) -> Any:
    """An encoder with room for a prefix of that many tokens; loading a state dict fills it."""
    from .prefix import PrefixedEncoder

    return PrefixedEncoder(encoder, virtual_tokens)


def virtual_tokens(encoder: Any) -> int:
    """How many tokens of prefix an encoder carries after `merge`; 0 for a plain one. What an artefact has to note."""
    return int(getattr(encoder, "virtual_tokens", 0))


def size_bytes(encoder: Any) -> int:
    """What the adapter alone weighs in fp32: trained weights of the encoder, four bytes each."""
    return 4 * sum(int(p.numel()) for p in encoder.parameters() if p.requires_grad)


def penalty(encoder: Any) -> "torch.Tensor | None":
    """AdaLoRA's regulariser ‖PᵀP − I‖ + ‖QQᵀ − I‖, to be added to the loss; None for every other method."""
    if not _is_adalora(encoder):
        return None
    import torch

    terms = []
    for name, p in encoder.named_parameters():
        if "lora_A" in name or "lora_B" in name:
            gram = p @ p.T if "lora_A" in name else p.T @ p
            terms.append(torch.linalg.norm(gram - torch.eye(len(gram), device=gram.device)))
    return ORTHOGONAL * torch.stack(terms).mean()


def update(encoder: Any, step: int) -> None:
    """Move AdaLoRA's rank budget to where gradients say it matters; nothing for every other method.

    To be called after each optimizer step and before the gradients are dropped; `step` counts from 0.
    """
    if _is_adalora(encoder):
        encoder.base_model.update_and_allocate(step)


def memory(encoder: Any) -> "dict[str, torch.Tensor]":
    """What AdaLoRA remembers besides weights (importance averages, kept ranks), for a checkpoint. Empty otherwise."""
    if not _is_adalora(encoder):
        return {}
    import torch

    allocator = encoder.base_model.rankallocator
    kept = encoder.peft_config[ADAPTER].rank_pattern or {}
    out = {f"importance.{name}": value for name, value in allocator.exp_avg_ipt.items()}
    out |= {f"uncertainty.{name}": value for name, value in allocator.exp_avg_unc.items()}
    return out | {f"kept.{name}": torch.tensor(mask, dtype=torch.uint8) for name, mask in kept.items()}


def remember(encoder: Any, tensors: "dict[str, torch.Tensor]") -> None:
    """Take up what `memory` gave."""
    if not _is_adalora(encoder):
        return
    allocator, device = encoder.base_model.rankallocator, encoder.device
    importance = _below(tensors, "importance.")
    allocator.exp_avg_ipt = {name: t.to(device) for name, t in importance.items()}
    allocator.exp_avg_unc = {name: t.to(device) for name, t in _below(tensors, "uncertainty.").items()}
    allocator.ipt = dict(allocator.exp_avg_ipt)  # only asked whether a name is known
    kept = {name: t.bool().tolist() for name, t in _below(tensors, "kept.").items()}
    encoder.peft_config[ADAPTER].rank_pattern = kept or None


def attention_layers(encoder: Any, names: set[str]) -> list[str]:
    """Full names of the linear layers that bear one of these names, or of the fused ones when there are none."""
    import torch

    linear = [name for name, module in encoder.named_modules() if isinstance(module, torch.nn.Linear)]
    return [n for n in linear if _leaf(n) in names] or [n for n in linear if _leaf(n) in FUSED]


def feedforward_outputs(encoder: Any) -> list[str]:
    """Full names of the layers that bring the wide inner states of a block back to the model's width."""
    import torch

    width = encoder.config.hidden_size
    return [
        name
        for name, module in encoder.named_modules()
        if isinstance(module, torch.nn.Linear) and module.out_features == width < module.in_features
    ]


def _peft_config(encoder: Any, config: Config, steps: int) -> Any:
    import peft

    kind = peft.TaskType.FEATURE_EXTRACTION
    if config.method == "prefix":
        return peft.PrefixTuningConfig(task_type=kind, num_virtual_tokens=config.virtual_tokens)
    if config.method == "ia3":
        inner = feedforward_outputs(encoder)
        targets = _found(encoder, KEY | VALUE) + inner
        return peft.IA3Config(task_type=kind, target_modules=targets, feedforward_modules=inner)
    given: dict[str, Any] = {
        "task_type": kind,
        "target_modules": _found(encoder, QUERY | VALUE),
        "lora_alpha": config.alpha,
        "lora_dropout": config.dropout,
    }
    if config.method == "lora":
        return peft.LoraConfig(r=config.rank, **given)
    steps = max(steps, 4)
    return peft.AdaLoraConfig(
        init_r=config.rank + -(-config.rank // 2),  # half as much again to choose from, as in the paper
        target_r=config.rank,
        total_step=steps,
        tinit=int(steps * WARM),
        tfinal=int(steps * COOL),
        orth_reg_weight=ORTHOGONAL,
        **given,
    )


def _found(encoder: Any, names: set[str]) -> list[str]:
    layers = attention_layers(encoder, names)
    if not layers:
        raise LearningError("This encoder has no attention layers that adapters fit on. Choose full fine-tuning.")
    return layers


def _check_prefix(encoder: Any, config: Config) -> None:
    if "past_key_values" not in inspect.signature(encoder.forward).parameters:
        raise LearningError("This encoder takes no prefix. Choose LoRA or full fine-tuning.")
    if config.gradient_checkpointing:
        raise LearningError("Prefix tuning does not work with gradient checkpointing. Switch one of them off.")


def _is_adapted(encoder: Any) -> bool:
    return hasattr(encoder, "peft_config")


def _is_adalora(encoder: Any) -> bool:
    return _is_adapted(encoder) and encoder.peft_type == "ADALORA"


def _leaf(name: str) -> str:
    return name.rsplit(".", 1)[-1]


def _below(tensors: "dict[str, torch.Tensor]", prefix: str) -> "dict[str, torch.Tensor]":
    return {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
