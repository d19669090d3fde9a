from typing import cast

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.accounts.models import User
from apps.projects import access
from apps.projects.access import Capability


@login_required
def home(request: HttpRequest) -> HttpResponse:
    return render(request, "base.html")


@login_required
def project(request: HttpRequest, slug: str) -> HttpResponse:
    access.project_for(cast(User, request.user), slug, need=Capability.VIEW)
    return render(request, "base.html")
