"""The fine-tuned model: an encoder, the mean of its token states at length one, and a linear layer on top.

Not AutoModelForSequenceClassification, because the same pooled vector is what the live head was fitted on: the linear
layer can start from that head (first probe, then fine-tune: Kumar et al. 2022), so that training begins at the head's
accuracy instead of at chance, and keeps the features that a random layer would distort.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..encoders import backbone
from ..encoders.transformer import BATCH_TOKENS, batches_by_tokens, pad, resolve_device
from ..heads import Head
from ..types import LearningError, Progress

if TYPE_CHECKING:
    import torch

ENCODER_FOLDER = "encoder"  # configuration and tokeniser inside an artefact: no hub is asked at load
SETTINGS = "classifier.json"


class Classifier:
    """Parameters lie in `modules` (a torch ModuleDict) so that saving and optimising see one thing."""

    def __init__(self, encoder: Any, tokenizer: Any, *, n_classes: int, pooling: str, max_length: int) -> None:
        import torch

        self.tokenizer, self.pooling, self.max_length = tokenizer, pooling, max_length
        self.n_classes, self.temperature = n_classes, 1.0
        self.device = "cpu"
        self.encoder = encoder
        self.head: Any = torch.nn.Linear(encoder.config.hidden_size, n_classes)
        self.modules = torch.nn.ModuleDict({"encoder": encoder, "head": self.head})

    @classmethod
    def from_encoder(cls, name: str, *, n_classes: int, max_length: int | None = None) -> "Classifier":
        spec = backbone.spec(name)
        model, tokenizer = backbone.open_model(name)
        length = min(max_length or spec.max_length, spec.max_length)
        return cls(model, tokenizer, n_classes=n_classes, pooling=spec.pooling, max_length=length)

    def wrap(self, encoder: Any) -> None:
        """Put an encoder with adapters, or a merged one, in the place of the present one."""
        self.encoder = encoder
        self.modules["encoder"] = encoder

    def start_from(self, head: Head) -> None:
        import torch

        with torch.no_grad():
            self.head.weight.copy_(torch.from_numpy(head.weights))
            self.head.bias.copy_(torch.from_numpy(head.bias))

    def to(self, device: str) -> "Classifier":
        self.device = resolve_device(device)
        self.modules.to(self.device)
        return self

    def tokenise(self, texts: list[str]) -> list[list[int]]:
        if not texts:
            return []
        ids: list[list[int]] = self.tokenizer(
            texts, truncation=True, max_length=self.max_length, return_attention_mask=False
        )["input_ids"]
        return ids

    def pooled(self, tokens: list[list[int]]) -> "torch.Tensor":
        """Token lists to unit vectors (b, d). bf16 inside the encoder on a GPU, fp32 from the pooling on."""
        import torch

        batch = pad(tokens, self.tokenizer.pad_token_id or 0, self.device)
        with torch.autocast("cuda", dtype=torch.bfloat16, enabled=self.device.startswith("cuda")):
            states = self.encoder(**batch).last_hidden_state
        vectors = backbone.pool(states.float(), batch["attention_mask"], self.pooling)
        return torch.nn.functional.normalize(vectors, dim=1)

    def logits(self, tokens: list[list[int]]) -> "torch.Tensor":
        """Token lists to (b, k)."""
        out: torch.Tensor = self.head(self.pooled(tokens))
        return out

    def predict_logits(self, tokens: list[list[int]], on_progress: Progress | None = None) -> NDArray[np.float32]:
        """(n, k) in evaluation mode, before the temperature."""
        return self._in_batches(self.logits, tokens, self.n_classes, on_progress)

    def vectors(self, tokens: list[list[int]]) -> NDArray[np.float32]:
        """(n, d) unit rows in evaluation mode."""
        return self._in_batches(self.pooled, tokens, self.head.in_features, None)

    def _in_batches(
        self,
        forward: Callable[[list[list[int]]], "torch.Tensor"],
        tokens: list[list[int]],
        width: int,
        on_progress: Progress | None,
    ) -> NDArray[np.float32]:
        import torch

        self.modules.eval()
        out = np.empty((len(tokens), width), dtype=np.float32)
        done = 0
        with torch.inference_mode():
            budget = BATCH_TOKENS[self.device.split(":")[0]]
            for batch in batches_by_tokens([len(t) for t in tokens], budget):
                out[batch] = forward([tokens[i] for i in batch]).float().cpu().numpy()
                done += len(batch)
                if on_progress is not None:
                    on_progress(done)
        return out

    def save(self, folder: Path, weights: str) -> None:
        """Weights, tokeniser and configuration, so that the folder can be opened without the original encoder."""
        from safetensors.torch import save_file

        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in self.modules.state_dict().items()}
        save_file(tensors, folder / weights)
        self.encoder.config.save_pretrained(folder / ENCODER_FOLDER)
        self.tokenizer.save_pretrained(folder / ENCODER_FOLDER)
        settings = {
            "n_classes": self.n_classes,
            "pooling": self.pooling,
            "max_length": self.max_length,
            "temperature": self.temperature,
        }
        (folder / SETTINGS).write_text(json.dumps(settings), encoding="utf-8")

    @classmethod
    def open(cls, folder: Path, weights: str) -> "Classifier":
        """Open what `save` wrote. The caller has verified the digests."""
        from safetensors.torch import load_file
        from transformers import AutoConfig, AutoModel, AutoTokenizer

        settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
        temperature = float(settings.pop("temperature"))
        config = AutoConfig.from_pretrained(folder / ENCODER_FOLDER, trust_remote_code=False, local_files_only=True)
        tokenizer = AutoTokenizer.from_pretrained(
            folder / ENCODER_FOLDER, trust_remote_code=False, local_files_only=True
        )
        encoder = AutoModel.from_config(config, trust_remote_code=False)
        model = cls(encoder, tokenizer, **settings)
        try:
            model.modules.load_state_dict(load_file(folder / weights), strict=True)
        except RuntimeError as error:
            raise LearningError(f"The weights in “{folder.name}” do not fit its configuration.") from error
        model.temperature = temperature
        return model
