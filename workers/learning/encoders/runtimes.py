"""Which engine computes the vectors: torch or ONNX Runtime, in fp32, bf16 or int8, and why that one.

A precision in the encoder's *name* is a promise: it is part of the digest under which vectors are kept, and a host that
cannot keep it refuses in words. A runtime in the *call* is a wish: where the parity gate says no, fp32 is used, the
report says why, and the digest is that of fp32. So vectors of two precisions never share a cache. fp32 is one digest
whatever computes it: ONNX Runtime and torch agree to five digits, and a GPU's TF32 to four.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from ..types import LearningError
from . import backbone, modules, onnx, parity, store
from .batches import padded
from .naming import Precision
from .parity import Held, Parity

if TYPE_CHECKING:
    import torch

Kind = Literal["torch", "torch-bf16", "onnx-fp32", "onnx-int8"]
KINDS: tuple[str, ...] = ("auto", *get_args(Kind))
PRECISION: dict[str, Precision] = {"torch": "fp32", "torch-bf16": "bf16", "onnx-fp32": "fp32", "onnx-int8": "int8"}
BF16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}
SAME = 0.9999  # cosine of every text when torch and ONNX Runtime both compute in fp32
GPU_MULTIPLE = 8  # tensor cores like lengths that eight divides


class Forward(Protocol):
    """Token lists to unit rows (b, d): an array, or a tensor that is still being computed."""

    def __call__(self, tokens: Sequence[Sequence[int]]) -> "NDArray[np.float32] | torch.Tensor": ...


Encode = Callable[[Forward, Sequence[str]], NDArray[np.float32]]  # texts through one of them


@dataclass(frozen=True, slots=True)
class Runtime:
    """What computes the vectors here and why; for the page."""

    asked: str
    kind: Kind
    device: str
    reason: str
    parity: Parity | None = None

    @property
    def precision(self) -> Precision:
        return PRECISION[self.kind]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"precision": self.precision}


class TorchForward:
    """On a CPU in fp32 or bf16; on a GPU in bf16, or fp32 through TF32."""

    def __init__(self, module: Any, pad_id: int, device: str, precision: Precision) -> None:
        import torch

        self._device, self._pad_id = device, pad_id
        self._gpu = device.startswith("cuda")
        if self._gpu:
            torch.set_float32_matmul_precision("high")
        self._module = module.to(device)
        if precision == "bf16":
            self._module.encoder.bfloat16()

    def __call__(self, tokens: Sequence[Sequence[int]]) -> "NDArray[np.float32] | torch.Tensor":
        import torch

        arrays = padded(tokens, self._pad_id, multiple=GPU_MULTIPLE if self._gpu else 1)
        ids, mask = (torch.from_numpy(array) for array in arrays)
        with torch.inference_mode():
            if self._gpu:  # from pinned memory the copy runs beside the computation
                ids, mask = (t.pin_memory().to(self._device, non_blocking=True) for t in (ids, mask))
            out: torch.Tensor = self._module(ids, mask)
            return out if self._gpu else out.numpy()


class OnnxForward:
    def __init__(self, session: onnx.Session, pad_id: int) -> None:
        self._session, self._pad_id = session, pad_id

    def __call__(self, tokens: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        return self._session(tokens, self._pad_id)


def pooled(model: Any, spec: backbone.Spec) -> Any:
    """The whole encoder as one torch module: (ids, mask), each (b, t), to unit rows (b, d) in fp32."""
    import torch

    class Pooled(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = model
            self.dense = modules.open_dense(spec.dense)

        def _apply(self, fn: Any, recurse: bool = True) -> Any:
            self.dense = [(fn(w), None if b is None else fn(b), a) for w, b, a in self.dense]
            return super()._apply(fn, recurse)  # type: ignore[no-untyped-call]

        def forward(self, ids: "torch.Tensor", mask: "torch.Tensor") -> "torch.Tensor":
            states = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
            vectors = backbone.pool(states.float(), mask, spec.pooling)
            return torch.nn.functional.normalize(modules.apply_dense(vectors, self.dense), dim=1)

    return Pooled().eval()


def open_forward(  # one choice after the other, each with its reason
    name: str,
    *,
    device: str,
    runtime: str,
    threads: int | None,
    cache: Path | None,
    held: Held | None,
    pad_id: int,
    encode: Encode,
) -> tuple[Forward, Runtime]:
    """Open the runtime that was asked for, or fp32 where the gate refuses it; `encode` runs texts through one."""
    if runtime not in KINDS:
        raise LearningError(f"There is no runtime “{runtime}”; there are {', '.join(KINDS)}.")
    promised = backbone.spec(name).precision
    kind, reason = _kind(promised, runtime, device, cache)
    opener = _Opener(name, device=device, threads=threads, cache=cache, pad_id=pad_id, encode=encode)
    try:
        if PRECISION[kind] == "fp32":
            return opener.open_fp32(kind, runtime, reason)
        refusal, found = _gate(opener, kind, held)
        if not refusal:
            return opener.open(kind), Runtime(runtime, kind, device, reason, found)
        if promised != "fp32":
            raise LearningError(f"The encoder “{name}” cannot run in {promised} on this machine: {refusal}.")
        plain, _ = _kind("fp32", "auto", device, cache)
        return opener.open_fp32(plain, runtime, f"{kind} was refused: {refusal}.", found)
    finally:
        opener.close()


def _kind(promised: Precision, runtime: str, device: str, cache: Path | None) -> tuple[Kind, str]:
    gpu = device.startswith("cuda")
    asked = next((kind for kind in get_args(Kind) if kind == runtime), None)
    if asked is not None:
        if gpu and asked.startswith("onnx"):
            raise LearningError("ONNX Runtime computes on the CPU here; choose torch or torch-bf16 on a GPU.")
        if promised not in ("fp32", PRECISION[asked]):
            raise LearningError(
                f"The encoder's name asks for {promised}, the runtime {asked} gives {PRECISION[asked]}."
            )
        return asked, "As asked for."
    if promised == "int8":
        return "onnx-int8", "The encoder's name asks for int8."
    if promised == "bf16":
        return "torch-bf16", "The encoder's name asks for bf16."
    if gpu:
        return "torch", "fp32 through TF32, whose vectors are those of a CPU to four digits."
    if cache is None:
        return "torch", "There is no folder to keep an ONNX file in."
    return "onnx-fp32", "Fastest way to fp32 on a CPU."


def _gate(opener: "_Opener", kind: Kind, held: Held | None) -> tuple[str, Parity | None]:
    """(why not, the comparison). The first answer for a host, an encoder and a depth stays: another set of texts could
    tip it either way, and every tip would cost all vectors."""
    if kind == "torch-bf16" and not opener.on_gpu and not BF16_FLAGS & parity.cpu_flags():
        return "this processor has no bf16 arithmetic and would be a hundred times slower", None
    held = held or Held()
    where = f"{parity.host()}{'-gpu' if opener.on_gpu else ''}"
    key = f"{PRECISION[kind]}-{opener.digest[: store.SHOWN]}-{where}-{held.depth}"
    found = store.verdict(opener.cache, key) if opener.cache else None
    if found is None:
        fp32, other = (opener.encode(opener.open(one), held.texts) for one in ("torch", kind))
        found = parity.compare(fp32, other, held.labels)
        if opener.cache:
            store.keep_verdict(opener.cache, key, found)
    return found.refusal, found


class _Opener:
    """Opens the runtimes of one encoder; weights are read at most once for each precision."""

    def __init__(
        self, name: str, *, device: str, threads: int | None, cache: Path | None, pad_id: int, encode: Encode
    ) -> None:
        self.name, self.device, self.cache, self.encode = name, device, cache, encode
        self.on_gpu = device.startswith("cuda")
        self._threads, self._pad_id = threads, pad_id
        self.digest = backbone.fingerprint(backbone.in_precision(name, "fp32"))
        self._exits = ExitStack()
        self._folder: Path | None = None

    def open(self, kind: Kind) -> Forward:
        if kind.startswith("torch"):
            return TorchForward(self._module(), self._pad_id, self.device, PRECISION[kind])
        backbone.check_weights(self.name)  # a graph from the cache would not notice
        return OnnxForward(onnx.Session(self._graph(kind), threads=self._threads), self._pad_id)

    def open_fp32(self, kind: Kind, asked: str, reason: str, found: Parity | None = None) -> tuple[Forward, Runtime]:
        """Not every model can be traced, and not every disk be written to; torch gives the same vectors."""
        try:
            return self.open(kind), Runtime(asked, kind, self.device, reason, found)
        except LearningError as error:
            if kind in ("torch", asked):
                raise
            return self.open("torch"), Runtime(asked, "torch", self.device, f"{reason} {error}", found)

    def close(self) -> None:
        self._exits.close()

    def _module(self) -> Any:
        return pooled(backbone.open_model(self.name)[0], backbone.spec(self.name))

    def _export(self, file: Path) -> None:
        """Tracing may bake in what was only true of the texts it saw, so the graph has to read others like torch."""
        module = self._module()
        onnx.export(module, file)
        traced = OnnxForward(onnx.Session(file, threads=self._threads), self._pad_id)
        plain = TorchForward(module, self._pad_id, "cpu", "fp32")
        found = parity.compare(self.encode(plain, parity.PROBES), self.encode(traced, parity.PROBES))
        if not found.least_cosine >= SAME:
            raise LearningError("Its ONNX graph gives other vectors than torch does.")

    def _graph(self, kind: Kind) -> Path:
        if self._folder is None:
            self._folder = self._exits.enter_context(store.folder(self.cache))
        folder = self._folder
        fp32 = store.graph(folder, "fp32", self.digest, self._export)
        if kind == "onnx-fp32":
            return fp32
        return store.graph(folder, onnx.int8_name(), self.digest, lambda file: onnx.quantise(fp32, file))
