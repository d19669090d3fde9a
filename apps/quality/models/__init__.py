from apps.quality.models.adjudication import Adjudication
from apps.quality.models.review import Review
from apps.quality.models.suspects import Suspect, SuspectRun

__all__ = ["Adjudication", "Review", "Suspect", "SuspectRun"]
