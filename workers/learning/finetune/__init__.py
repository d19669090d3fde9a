"""Training of transformers: one loop, three kinds of task, several methods."""

from .loop import Config, OnEvent, finetune

__all__ = ["Config", "OnEvent", "finetune"]
