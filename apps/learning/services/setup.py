"""How a project's queue is ordered and its texts are read: sampling strategy, encoder, what computes the vectors."""

from django.db import transaction
from django.utils.translation import gettext as _

from apps.common.errors import InvalidInput
from apps.projects.models import Project
from workers.learning import sampling
from workers.learning.encoders import naming
from workers.learning.types import LearningError

Runtime = Project.EncoderRuntime


@transaction.atomic
def change(project: Project, *, strategy: str = "", encoder: str = "", runtime: str = "") -> bool:
    """Empty means unchanged. Whether the vectors have to be computed anew; the old ones serve until they are there."""
    if strategy and strategy not in sampling.offered(project.task_kind):  # type: ignore[arg-type]
        raise InvalidInput(_("There is no such way of choosing for this kind of project."), field="strategy")
    if runtime and runtime not in Runtime.values:
        raise InvalidInput(_("There is no such way of computing vectors."), field="encoder_runtime")
    encoder = _known(encoder) if encoder else project.encoder
    anew = encoder != project.encoder or bool(runtime and runtime != project.encoder_runtime)
    project.strategy = strategy or project.strategy
    project.encoder = encoder
    project.encoder_runtime = runtime or project.encoder_runtime
    project.save(update_fields=["strategy", "encoder", "encoder_runtime"])
    return anew


def _known(encoder: str) -> str:
    try:
        name = naming.parse(encoder.strip())
    except LearningError as error:
        raise InvalidInput(str(error), field="encoder") from error
    if ".." in name.base:
        raise InvalidInput(_("A folder is named by its full path."), field="encoder")
    return encoder.strip()
