from apps.accounts.models import User
from apps.annotation import services
from apps.annotation.models import Annotation, Lease, Resolution, Task
from apps.projects.models import Label, Project
from tests.annotation import make


def label_of(project: Project, place: int = 0) -> Label:
    return project.labels.all()[place]


def test_an_answer_becomes_the_truth_and_the_next_item_comes_with_it(project: Project, bob: User) -> None:
    make.items(project, 5)
    assert services.take_in(project) == 5
    first, second = services.claim(project, bob)
    done = make.answer_next(project, bob, label_of(project).pk)
    assert done.kept_as == "answer"
    assert done.next[0].pk == second.pk
    assert len(done.next) == 2
    truth = Resolution.objects.get()
    assert (truth.item_id, truth.label_id, truth.how, truth.by_id) == (
        first.task.item_id,
        label_of(project).pk,
        "single",
        bob.pk,
    )
    assert Task.objects.get(pk=first.task_id).state == "done"
    assert Lease.objects.get(pk=first.pk).state == "answered"


def test_undo_gives_the_item_back_and_takes_its_truth_away(project: Project, bob: User) -> None:
    make.items(project, 3)
    services.take_in(project)
    done = make.answer_next(project, bob, label_of(project).pk)
    lease = services.undo(project, bob)
    assert lease is not None
    assert lease.task.item_id == done.annotation.item_id
    assert lease.state == "active"
    assert not Resolution.objects.exists()
    assert [a.retracted for a in Annotation.objects.order_by("revision")] == [False, True]
    assert services.claim(project, bob)[0].pk == lease.pk
    assert services.undo(project, bob) is None
    again = make.answer_next(project, bob, label_of(project, 1).pk)
    assert again.annotation.revision == 3
    assert Resolution.objects.get().label_id == label_of(project, 1).pk
