"""ONNX Runtime: a torch module becomes a file once, and a session runs it on token lists.

The same three steps serve encoders (vectors) and published models (logits): `export`, `quantise`, `Session`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..types import LearningError
from .batches import padded
from .parity import cpu_flags
from .threads import usable_cores

if TYPE_CHECKING:
    import torch

INPUTS = ("input_ids", "attention_mask")
OUTPUT = "out"  # the only one
OPSET = 17
MOST_BYTES = 1_900_000_000  # one protobuf file ends at 2 GiB
QUANTISED = ("MatMul", "Gemm")
VNNI = {"avx512_vnni", "avx_vnni", "asimddp"}


class Session:
    """One graph on the CPU. Threads do not spin while they wait: other workers share the machine."""

    def __init__(self, file: Path, *, threads: int | None = None) -> None:
        import onnxruntime

        onnxruntime.set_default_logger_severity(3)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or usable_cores()
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # a copy of every weight in the kernel's own layout is made at load; the originals are not kept beside it
        options.add_session_config_entry("session.use_device_allocator_for_initializers", "1")
        try:
            self._session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its errors share no base class
            raise LearningError(f"The ONNX file “{file.name}” cannot be opened: {_first_line(error)}") from error

    def __call__(self, tokens: Sequence[Sequence[int]], pad_id: int = 0) -> NDArray[np.float32]:
        """Token lists to what the graph gives: (b, …), or (b, longest, …) for one that answers per token."""
        ids, mask = padded(tokens, pad_id)
        try:
            out: NDArray[np.float32] = self._session.run(None, dict(zip(INPUTS, (ids, mask), strict=True)))[0]
        except Exception as error:  # its errors share no base class
            raise LearningError(f"The ONNX graph cannot read these texts: {_first_line(error)}") from error
        return out


def export(module: "torch.nn.Module", file: Path, *, per_token: bool = False) -> None:
    """Write `module(input_ids, attention_mask)` as fp32 ONNX with free batch and length.

    Goes through tracing: for encoders it gives the graph that ONNX Runtime runs fastest here, in a tenth of the time.
    Raises LearningError in words for a model that cannot be traced or does not fit one file.
    """
    import torch

    size = sum(p.numel() * p.element_size() for p in module.parameters())
    if size > MOST_BYTES:
        raise LearningError("The encoder is too large for one ONNX file; it runs in torch.")
    axes = {name: {0: "texts", 1: "tokens"} for name in (*INPUTS, OUTPUT)}
    if not per_token:
        axes[OUTPUT] = {0: "texts"}
    # two lengths, so that nothing about a mask without holes is baked in
    ids = torch.ones((2, 7), dtype=torch.long)
    mask = torch.tensor([[1] * 7, [1] * 4 + [0] * 3])
    try:
        with _quiet(), torch.inference_mode():
            torch.onnx.export(
                module.eval(),
                (ids, mask),
                str(file),
                dynamo=False,
                opset_version=OPSET,
                input_names=list(INPUTS),
                output_names=[OUTPUT],
                dynamic_axes=axes,
            )
    except (RuntimeError, ValueError, TypeError, AttributeError, ImportError) as error:
        raise LearningError(f"The model cannot be written as ONNX: {_first_line(error)}") from error


def int8_name() -> str:
    """What int8 means on this processor."""
    return "int8" if VNNI & cpu_flags() else "int8-reduced"


def quantise(source: Path, target: Path, *, tables: bool = False) -> None:
    """Dynamic int8: weights per output channel once, activations as they come. `tables` also takes the word vectors,
    which makes the file four times smaller and nothing faster.

    One scale for a whole MiniLM matrix costs 3 points of cosine and one per channel 0.6, so it is always per channel.
    Without VNNI the 16-bit sums of eight-bit products saturate; seven bits do not.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with _quiet():
        quantize_dynamic(
            source,
            target,
            op_types_to_quantize=[*QUANTISED, *(["Gather"] if tables else [])],
            per_channel=True,
            reduce_range=not VNNI & cpu_flags(),
            weight_type=QuantType.QInt8,
            extra_options={"MatMulConstBOnly": True},
        )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


class _quiet:
    """Exporters talk on every channel there is; what matters reaches us as an exception."""

    def __enter__(self) -> None:
        import logging
        import warnings

        self._warnings = warnings.catch_warnings()
        self._warnings.__enter__()
        warnings.simplefilter("ignore")
        self._level = logging.root.manager.disable
        logging.disable(logging.WARNING)

    def __exit__(self, *error: Any) -> None:
        import logging

        logging.disable(self._level)
        self._warnings.__exit__(*error)
