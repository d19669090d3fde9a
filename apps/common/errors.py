"""A refusal is a DomainError with a sentence for the user, turned into an answer in one place."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from rest_framework.response import Response
from rest_framework.views import exception_handler


class DomainError(Exception):
    """The request is understood and refused; str(error) says what to do instead."""

    status = 409
    field = ""
    retry_after = 0  # seconds, where asking again later may succeed


class InvalidInput(DomainError):
    """The input itself is wrong (422); `field` names the part to mend."""

    status = 422

    def __init__(self, sentence: str, *, field: str = "") -> None:
        super().__init__(sentence)
        self.field = field


def _headers(error: DomainError) -> dict[str, str]:
    return {"Retry-After": str(error.retry_after)} if error.retry_after else {}


def _body(error: DomainError) -> dict[str, Any]:
    body: dict[str, Any] = {"detail": str(error)}
    if error.field:
        body["field"] = error.field
    return body


class DomainErrorMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, DomainError):
            return None
        if "application/json" in request.headers.get("Accept", ""):
            return JsonResponse(_body(exception), status=exception.status, headers=_headers(exception))
        template = "_refusal.html" if request.headers.get("HX-Request") else "refusal.html"
        response = render(request, template, {"sentence": str(exception)}, status=exception.status)
        if request.headers.get("HX-Request"):
            # the piece goes to the toast region, the page under it stays as it is
            response["HX-Retarget"], response["HX-Reswap"] = "#toasts", "beforeend"
        return response


def api_exception_handler(exception: Exception, context: dict[str, Any]) -> Response | None:
    if isinstance(exception, DomainError):
        return Response(_body(exception), status=exception.status, headers=_headers(exception))
    return exception_handler(exception, context)
