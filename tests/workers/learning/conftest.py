import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from workers.learning.encoders import backbone
from workers.learning.types import Example

DEMO = Path(__file__).parents[3] / "apps" / "config" / "demo" / "banking77.csv"
Questions = Callable[[int], tuple[list[str], list[str]]]


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Matrices this small lose more to waiting for a second thread than they win by it."""
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def toy_encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A random two-layer BERT of 16 dimensions with MiniLM's tokeniser: the same code paths in milliseconds."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertModel

    folder = tmp_path_factory.mktemp("toy")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=30_522, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32
    )
    BertModel(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(backbone.spec(backbone.MINILM).folder).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def toys() -> list[Example]:
    """32 texts of two kinds that one word tells apart."""
    return [
        Example(i, f"the {'card' if i % 2 else 'transfer'} number {i} " + "is late " * (i % 5), i % 2)
        for i in range(32)
    ]


@pytest.fixture(scope="session")
def questions() -> Questions:
    """The first n bank questions that the repository ships, with their labels."""

    def first(n: int) -> tuple[list[str], list[str]]:
        with DEMO.open(encoding="utf-8-sig", newline="") as handle:
            rows = list(csv.DictReader(handle))[:n]
        assert len(rows) == n
        return [row["text"] for row in rows], [row["label"] for row in rows]

    return first
