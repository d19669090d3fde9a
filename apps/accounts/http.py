from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from apps.accounts.models import User


class UserRequest(HttpRequest):
    """What a view behind @login_required receives."""

    user: User
    htmx: HtmxDetails
