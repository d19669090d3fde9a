from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from apps.accounts import queries, services
from apps.accounts.forms import KeymapForm, PreferencesForm, TokenForm
from apps.accounts.http import UserRequest
from apps.common.errors import InvalidInput


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def preferences(request: UserRequest) -> HttpResponse:
    form = PreferencesForm(request.POST or None, instance=request.user)
    if request.method == "POST" and form.is_valid():
        form.save()
        with translation.override(request.user.language or translation.get_language()):
            messages.success(request, _("Saved."))  # in the language that was just chosen
        return redirect("preferences")
    request.user.refresh_from_db()  # a refused form must not colour the frame around it
    return render(request, "accounts/preferences.html", {"form": form}, status=422 if form.errors else 200)


@login_required
@never_cache
@sensitive_variables("secret")
@require_http_methods(["GET", "HEAD", "POST"])
def tokens(request: UserRequest) -> HttpResponse:
    form, secret = TokenForm(request.POST or None), ""
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        _row, secret = services.make_token(request.user, name=given["name"], scopes=given["scopes"], days=given["days"])
        form = TokenForm()
    context = {"form": form, "secret": secret, "tokens": queries.tokens_of(request.user)}
    # no redirect: the secret is in this one answer and nowhere else, neither in the session nor in an address
    return render(request, "accounts/tokens.html", context, status=422 if form.errors else 200)


@login_required
@require_POST
def token_revoke(request: UserRequest, pk: int) -> HttpResponse:
    if not services.revoke_token(request.user, pk):
        raise Http404
    messages.success(request, _("Revoked. Whatever used this token is refused from now on."))
    return redirect("tokens")


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def keymap(request: UserRequest) -> HttpResponse:
    form = KeymapForm(request.POST or None, user=request.user)
    if request.method == "POST" and "standard" in request.POST:
        services.set_keymap(request.user, {})
        messages.success(request, _("Every action has its standard key again."))
        return redirect("keymap")
    if request.method == "POST" and form.is_valid():
        try:
            services.set_keymap(request.user, form.cleaned_data)
        except InvalidInput as refusal:
            form.add_error(refusal.field, str(refusal))
        else:
            messages.success(request, _("Saved."))
            return redirect("keymap")
    return render(request, "accounts/keymap.html", {"form": form}, status=422 if form.errors else 200)
