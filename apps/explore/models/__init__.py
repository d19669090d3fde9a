from apps.explore.models.maps import Projection
from apps.explore.models.views import SavedView

__all__ = ["Projection", "SavedView"]
