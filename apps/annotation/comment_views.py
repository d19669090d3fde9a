"""An item's thread, as a page of its own and as the piece that stands in margins."""

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers

from apps.accounts.http import UserRequest
from apps.annotation.models import Comment
from apps.annotation.services import comments
from apps.common.errors import InvalidInput
from apps.content.models import Item
from apps.projects.access import Capability, project_for
from apps.projects.models import Project


@login_required
@require_http_methods(["GET", "POST"])
@never_cache
@vary_on_headers("HX-Request")
def item_comments(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    need = Capability.ANNOTATE if request.method == "POST" else Capability.VIEW
    project = project_for(request.user, slug, need=need)
    item = get_object_or_404(Item, project=project, pk=pk)
    if request.method != "POST":
        return _thread(request, project, item)
    text = request.POST.get("text", "")
    try:
        said = comments.comment(project, item, request.user, text)
    except InvalidInput as refused:
        return _thread(request, project, item, error=str(refused), text=text)
    if request.htmx:
        return _thread(request, project, item)
    return redirect(f"{reverse('item_comments', args=[slug, pk])}#comment-{said.pk}")


@login_required
@require_POST
def item_comment_remove(request: UserRequest, slug: str, pk: int, comment: int) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.ANNOTATE)
    said = get_object_or_404(Comment.objects.select_related("item"), item__project=project, item=pk, pk=comment)
    comments.remove(project, said, request.user)
    if request.htmx:
        return _thread(request, project, said.item)
    return redirect("item_comments", slug, pk)


def _thread(request: UserRequest, project: Project, item: Item, *, error: str = "", text: str = "") -> HttpResponse:
    context = {"project": project, "item": item, "comment_error": error, "comment_text": text}
    template = "annotation/_comments.html" if request.htmx else "annotation/comments.html"
    return render(request, template, context, status=422 if error else 200)
