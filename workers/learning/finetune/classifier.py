"""The fine-tuned model: an encoder and a linear layer on top, on the pooled text or on every word.

Not AutoModelForSequenceClassification, because the same pooled vector is what the live head was fitted on: the linear
layer can start from that head (first probe, then fine-tune: Kumar et al. 2022), so that training begins at the head's
accuracy instead of at chance, and keeps the features that a random layer would distort.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..encoders import backbone
from ..encoders.batches import batches_for
from ..encoders.transformer import pad, resolve_device
from ..types import Floats, LearningError, Progress, Task
from .reader import Piece, Reader, Tagged, assembled

if TYPE_CHECKING:
    import torch

ENCODER_FOLDER = "encoder"  # configuration and tokeniser inside an artefact: no hub is asked at load
SETTINGS = "classifier.json"


class Classifier:
    """Parameters lie in `modules` (a torch ModuleDict) so that saving and optimising see one thing."""

    def __init__(
        self,
        encoder: Any,
        tokenizer: Any,
        *,
        n_classes: int,
        pooling: str,
        max_length: int,
        task: Task = "single",
        prefix: str = "",
    ) -> None:
        import torch

        self.reader = Reader(tokenizer, max_length, prefix)
        self.tokenizer, self.pooling, self.task = tokenizer, pooling, task
        self.n_classes, self.temperature = n_classes, 1.0
        self.thresholds: list[float] = []  # multi
        self.device = "cpu"
        self.half, self.reading_half = False, False  # bf16 inside the encoder: while training, while predicting
        self._drops: list[Any] = []
        self.encoder = encoder
        self.width = 1 + 2 * n_classes if task == "spans" else n_classes  # of the linear layer
        self.head: Any = torch.nn.Linear(encoder.config.hidden_size, self.width)
        self.modules = torch.nn.ModuleDict({"encoder": encoder, "head": self.head})

    @classmethod
    def from_encoder(
        cls, name: str, *, n_classes: int, max_length: int | None = None, task: Task = "single"
    ) -> "Classifier":
        spec = backbone.spec(name)
        model, tokenizer = backbone.open_model(name)
        length = min(max_length or spec.max_length, spec.max_length)
        prefix = spec.prefix if task != "spans" else ""
        return cls(
            model, tokenizer, n_classes=n_classes, pooling=spec.pooling, max_length=length, task=task, prefix=prefix
        )

    def wrap(self, encoder: Any) -> None:
        """Put an encoder with adapters, or a merged one, in the place of the present one."""
        self.encoder = encoder
        self.modules["encoder"] = encoder

    def start_from(self, weights: Floats, bias: Floats) -> None:
        """Give the linear layer (k, d) weights and (k,) biases, those of a head on the same vectors."""
        import torch

        with torch.no_grad():
            self.head.weight.copy_(torch.from_numpy(np.asarray(weights, dtype=np.float32)))
            self.head.bias.copy_(torch.from_numpy(np.asarray(bias, dtype=np.float32)))

    def to(self, device: str) -> "Classifier":
        self.device = resolve_device(device)
        self.modules.to(self.device)
        self.reading_half = self.device.startswith("cuda")
        return self

    def tokenise(self, texts: list[str]) -> list[list[int]]:
        """Token ids of every text, special ones included, cut at the reader's length."""
        return self.reader.tokenise(texts)

    @contextmanager
    def _autocast(self) -> Iterator[None]:
        import torch

        enabled = self.half if self.modules.training else self.reading_half
        with torch.autocast(self.device.split(":")[0], dtype=torch.bfloat16, enabled=enabled):
            yield

    def _states(self, tokens: list[list[int]]) -> "tuple[torch.Tensor, torch.Tensor]":
        """Token states (b, t, d) in fp32 and their mask (b, t)."""
        batch = pad(tokens, self.tokenizer.pad_token_id or 0, self.device)
        with self._autocast():
            states = self.encoder(**batch).last_hidden_state
        return states.float(), batch["attention_mask"]

    def pooled(self, tokens: list[list[int]]) -> "torch.Tensor":
        """Token lists to unit vectors (b, d). bf16 at most inside the encoder, fp32 from the pooling on."""
        import torch

        return torch.nn.functional.normalize(backbone.pool(*self._states(tokens), self.pooling), dim=1)

    def logits(self, tokens: list[list[int]]) -> "torch.Tensor":
        """Token lists to (b, k)."""
        out: torch.Tensor = self.head(self.pooled(tokens))
        return out

    def word_states(self, pieces: Sequence[Piece], tokens: list[list[int]] | None = None) -> "torch.Tensor":
        """(units of all pieces, d): each unit's state at its first sub-word. `tokens` may replace the pieces' own."""
        import torch

        states, _ = self._states(tokens or [p.ids for p in pieces])
        at = [row * states.shape[1] + first for row, piece in enumerate(pieces) for first in piece.firsts]
        return states.flatten(0, 1)[torch.tensor(at, dtype=torch.long, device=states.device)]

    def tag_logits(self, pieces: Sequence[Piece], tokens: list[list[int]] | None = None) -> "torch.Tensor":
        """(units of all pieces, 1 + 2k)."""
        out: torch.Tensor = self.head(self.word_states(pieces, tokens))
        return out

    def predict_logits(self, tokens: list[list[int]], on_progress: Progress | None = None) -> NDArray[np.float32]:
        """(n, k) in evaluation mode, before the temperature."""
        return self._rows(self.logits, tokens, self.n_classes, on_progress)

    def vectors(self, tokens: list[list[int]], on_progress: Progress | None = None) -> NDArray[np.float32]:
        """(n, d) unit rows in evaluation mode."""
        return self._rows(self.pooled, tokens, self.head.in_features, on_progress)

    def predict_tags(self, texts: list[str], on_progress: Progress | None = None) -> list[Tagged]:
        """For every text the logits of its units (u, 1 + 2k), before the temperature, and the units."""
        pieces, units = self.reader.cut(texts)
        return assembled(pieces, units, self.of_pieces(self.tag_logits, pieces, on_progress), self.width)

    def of_pieces(
        self,
        forward: "Callable[[Sequence[Piece]], torch.Tensor]",
        pieces: Sequence[Piece],
        on_progress: Progress | None = None,
    ) -> list[NDArray[np.float32]]:
        """What `tag_logits` or `word_states` say of every piece, in evaluation mode: one (units, …) array each."""
        out: list[Any] = [None] * len(pieces)
        for batch in self._batches([p.ids for p in pieces], on_progress):
            found = forward([pieces[i] for i in batch]).float().cpu().numpy()
            ends = np.cumsum([len(pieces[i].firsts) for i in batch])[:-1]
            for i, part in zip(batch, np.split(found, ends), strict=True):
                out[i] = part
        return out

    def _rows(
        self,
        forward: "Callable[[list[list[int]]], torch.Tensor]",
        tokens: list[list[int]],
        width: int,
        on_progress: Progress | None,
    ) -> NDArray[np.float32]:
        out = np.empty((len(tokens), width), dtype=np.float32)
        for batch in self._batches(tokens, on_progress):
            out[batch] = forward([tokens[i] for i in batch]).float().cpu().numpy()
        return out

    def _batches(self, tokens: list[list[int]], on_progress: Progress | None) -> Iterator[list[int]]:
        """Indexes in batches that suit the device; what runs between two of them runs in evaluation mode."""
        import torch

        self.modules.eval()
        for module in self._drops:
            module.train()
        done = 0
        with torch.inference_mode():
            for batch in batches_for(self.device, [len(t) for t in tokens]):
                yield batch
                done += len(batch)
                if on_progress is not None:
                    on_progress(done)

    @contextmanager
    def dropping(self, seed: int) -> Iterator[None]:
        """Inside, predictions see the dropout of training (Gal & Ghahramani 2016). Generators stay as they were."""
        import torch

        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self._drops = [m for m in self.modules.modules() if isinstance(m, torch.nn.Dropout)]
            try:
                yield
            finally:
                self._drops = []
                self.modules.eval()

    def save(self, folder: Path, weights: str) -> None:
        """Weights, tokeniser and configuration, so that the folder can be opened without the original encoder."""
        from safetensors.torch import save

        from . import adapters

        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in self.modules.state_dict().items()}
        # not save_file: it hides a full disk behind an error of its own
        (folder / weights).write_bytes(save(tensors))
        self.encoder.config.save_pretrained(folder / ENCODER_FOLDER)
        self.tokenizer.save_pretrained(folder / ENCODER_FOLDER)
        settings = {
            "task": self.task,
            "n_classes": self.n_classes,
            "pooling": self.pooling,
            "max_length": self.reader.max_length,
            "prefix": self.reader.prefix,
            "temperature": self.temperature,
            "virtual_tokens": adapters.virtual_tokens(self.encoder),
        }
        (folder / SETTINGS).write_text(json.dumps(settings), encoding="utf-8")

    @classmethod
    def open(cls, folder: Path, weights: str) -> "Classifier":
        """Open what `save` wrote. The caller has verified the digests."""
        from safetensors.torch import load_file
        from transformers import AutoConfig, AutoModel, AutoTokenizer

        from . import adapters

        settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
        temperature, virtual = float(settings.pop("temperature")), int(settings.pop("virtual_tokens", 0))
        config = AutoConfig.from_pretrained(folder / ENCODER_FOLDER, trust_remote_code=False, local_files_only=True)
        tokenizer = AutoTokenizer.from_pretrained(
            folder / ENCODER_FOLDER, trust_remote_code=False, local_files_only=True
        )
        encoder = AutoModel.from_config(config, trust_remote_code=False)
        if virtual:
            encoder = adapters.prefixed(encoder, virtual)
        model = cls(encoder, tokenizer, **settings)
        try:
            model.modules.load_state_dict(load_file(folder / weights), strict=True)
        except RuntimeError as error:
            raise LearningError(f"The weights in “{folder.name}” do not fit its configuration.") from error
        model.temperature = temperature
        return model
