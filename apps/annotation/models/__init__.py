from apps.annotation.models.answers import Annotation, Change, Comment, Gold, PastTruth, Resolution
from apps.annotation.models.queue import Arrival, Audience, Lease, Prediction, Task

__all__ = [
    "Annotation",
    "Arrival",
    "Audience",
    "Change",
    "Comment",
    "Gold",
    "Lease",
    "PastTruth",
    "Prediction",
    "Resolution",
    "Task",
]
