"""What is live is loaded before anybody asks: after a promotion, and when the inference process has just begun."""

import logging

from apps.serving import queries
from apps.serving.services import inference
from workers.serve.client import Busy, Down, Refused

log = logging.getLogger(__name__)
MOST = 6  # what the process keeps


def warm() -> None:
    """Nobody there is no fault of whoever asks: the next round finds out."""
    wanted = [inference.name_of(version) for version in queries.most_wanted(MOST)]
    try:
        if wanted:
            inference.client().warm(wanted)
    except (Down, Busy, Refused) as error:
        log.debug("nothing was warmed: %s", error)
