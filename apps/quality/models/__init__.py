from apps.quality.models.adjudication import Adjudication
from apps.quality.models.pauses import Pause
from apps.quality.models.review import Review
from apps.quality.models.suspects import Suspect, SuspectRun

__all__ = ["Adjudication", "Pause", "Review", "Suspect", "SuspectRun"]
