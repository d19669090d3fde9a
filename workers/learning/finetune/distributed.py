"""One run on several GPUs or machines, through Accelerate: `accelerate launch -m workers.learning train …`.

Every process holds all examples and cuts the same batches; each computes the gradient of its share, and the shares are
added up before the step. So the batch size means the same on one process and on many, and so do the results, up to
rounding and the draw of dropout. The first process alone judges, writes and reports.
"""

import os
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from .config import OnEvent

if TYPE_CHECKING:
    import torch

T = TypeVar("T")


def launched() -> bool:
    """Whether a launcher (accelerate launch, torchrun) started this process beside others."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


@lru_cache(maxsize=1)
def parallel(device: str = "auto") -> "Parallel":
    """The processes of this run; joins them on the first call. A process by itself gets a Parallel of one."""
    if not launched():
        return Parallel()
    from accelerate import PartialState

    return Parallel(PartialState(cpu=device == "cpu"))


class Parallel:
    """What a loop needs to run on one process or on many with the same words."""

    def __init__(self, state: Any = None) -> None:
        self._state = state
        self.world: int = state.num_processes if state else 1
        self.rank: int = state.process_index if state else 0

    @property
    def main(self) -> bool:
        return self.rank == 0

    def device(self, wished: str) -> str:
        """The device of this process: its own GPU where there are several."""
        return str(self._state.device) if self._state else wished

    def shard(self, batch: Sequence[T]) -> list[T]:
        """This process's share of a batch: every `world`-th, which spreads long texts evenly. May be empty."""
        return list(batch[self.rank :: self.world])

    def seed(self, seed: int, step: int) -> None:
        """Let dropout fall differently on each process; the first keeps the generator that a single one would have."""
        if not self.main:
            import torch

            torch.manual_seed((seed + 1) * 1_000_003 + step * 1_009 + self.rank)

    def add_gradients(self, parameters: "Iterable[torch.nn.Parameter]") -> None:
        """Replace every gradient by its sum over all processes, in one exchange. Losses must be shares of the whole.

        A parameter without a gradient anywhere stays without: an optimizer would otherwise decay it.
        """
        if self._state is None:
            return
        import torch
        from accelerate.utils import reduce

        wanted = [p for p in parameters if p.requires_grad]
        here = torch.tensor([float(p.grad is not None) for p in wanted], device=wanted[0].device)
        flat = torch.cat([here, *[(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in wanted]])
        flat = reduce(flat, reduction="sum")
        start = len(wanted)
        for p, found in zip(wanted, flat[:start].tolist(), strict=True):
            if found:
                p.grad = flat[start : start + p.numel()].view_as(p).clone()
            start += p.numel()

    def total(self, value: float) -> float:
        """Sum of a number over all processes."""
        if self._state is None:
            return value
        import torch
        from accelerate.utils import reduce

        return float(reduce(torch.tensor(value, dtype=torch.float32, device=self._state.device), reduction="sum"))

    def any(self, flag: bool) -> bool:
        """Whether it is so on any process: nobody stops alone while the others wait for its share."""
        return flag if self._state is None else self.total(float(flag)) > 0

    def from_main(self, value: T) -> T:
        """What the first process says, on every process."""
        if self._state is None:
            return value
        from accelerate.utils import broadcast_object_list

        box = [value]
        broadcast_object_list(box)
        return box[0]

    def wait(self) -> None:
        if self._state is not None:
            self._state.wait_for_everyone()

    def reporter(self, on_event: OnEvent) -> OnEvent:
        """Events of the first process only."""
        return on_event if self.main else lambda event: None
