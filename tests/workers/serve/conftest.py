from tests.workers.learning.conftest import toy_encoder

__all__ = ["toy_encoder"]
