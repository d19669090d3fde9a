from allauth.account import views as allauth
from django.urls import URLPattern, path, re_path

from apps.accounts import (
    api as accounts_api,
)
from apps.accounts import (
    schema,  # noqa: F401  registers how OpenAPI names our tokens
    views,
)

# Only these of allauth's pages exist: nobody signs up here, and an address is changed by an administrator.
entrance: list[URLPattern] = [
    path("login/", allauth.login, name="account_login"),
    path("logout/", allauth.logout, name="account_logout"),
    path("inactive/", allauth.account_inactive, name="account_inactive"),
    path("password/change/", allauth.password_change, name="account_change_password"),
    path("password/set/", allauth.password_set, name="account_set_password"),
    path("password/reset/", allauth.password_reset, name="account_reset_password"),
    path("password/reset/done/", allauth.password_reset_done, name="account_reset_password_done"),
    path("password/reset/key/done/", allauth.password_reset_from_key_done, name="account_reset_password_from_key_done"),
    re_path(
        r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        allauth.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
]
pages: list[URLPattern] = [  # below you/
    path("", views.preferences, name="preferences"),
    path("tokens/", views.tokens, name="tokens"),
    path("tokens/<int:pk>/revoke/", views.token_revoke, name="token_revoke"),
    path("keys/", views.keymap, name="keymap"),
]
api: list[URLPattern] = [path("me/", accounts_api.Me.as_view(), name="api_me")]
