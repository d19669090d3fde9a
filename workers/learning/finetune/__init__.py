"""Training of transformers: one loop, three kinds of task, several methods.

What the web side reads (`config`, `defaults`) is free of torch; training itself starts at `loop.finetune`.
"""

from .config import Config, OnEvent

__all__ = ["Config", "OnEvent"]
