from django import forms
from django.utils.translation import gettext_lazy as _

from apps.notices.models import Event, MailPreference


class MailForm(forms.Form):
    mode = forms.ChoiceField(label=_("Notices by e-mail"), choices=MailPreference.Mode.choices)


class WebhookForm(forms.Form):
    """Whether the address may be reached is the service's decision."""

    url = forms.CharField(
        label=_("Address"),
        max_length=500,
        help_text=_("On the public internet, https if you can. It is sent a POST with a JSON body."),
        widget=forms.URLInput(attrs={"placeholder": "https://", "autocomplete": "off"}),
    )
    events = forms.MultipleChoiceField(
        label=_("Tell it when"), choices=Event.choices, widget=forms.CheckboxSelectMultiple
    )
