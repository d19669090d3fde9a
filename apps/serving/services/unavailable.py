from django.utils.translation import gettext_lazy as _

from apps.common.errors import DomainError


class Unavailable(DomainError):
    """Nobody can answer now; the same request may succeed later."""

    status = 503

    def __init__(self, sentence: str = "", *, retry_after: int = 2) -> None:
        super().__init__(sentence or str(_("The inference process does not answer. Try again in a moment.")))
        self.retry_after = retry_after  # seconds
