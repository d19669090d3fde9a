from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class InvitedOnlyAdapter(DefaultAccountAdapter):
    """Nobody signs up on their own; an invitation makes the account (projects.services.accept)."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False
