"""What base.html shows around every page. Lazy: a piece that is rendered alone never pays for it."""

from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from apps.accounts.keymap import keymap_of
from apps.accounts.models import User
from apps.annotation.models import Task
from apps.feedback.models import Ticket
from apps.learning.models import TrainingRun
from apps.notices import queries as notices
from apps.projects import access
from apps.projects.access import Capability
from apps.projects.models import Project, Role

MOST = 999  # counts stop here: the rail must stay cheap at a million items
PROJECTS_SHOWN = 12


@dataclass(frozen=True)
class Place:
    """One entry of the rail."""

    name: str
    url: str
    icon: str
    current: bool
    count: str = ""
    counts: str = ""  # what is counted, for screen readers
    apart: bool = False


@dataclass
class Frame:
    theme: str = User.Theme.SYSTEM
    density: str = User.Density.COMFORTABLE
    unread: str = ""  # notices, for the bell
    project: Project | None = None
    role: Role | None = None
    can: dict[str, bool] = field(default_factory=dict)
    rail: list[Place] = field(default_factory=list)
    insight: list[Place] = field(default_factory=list)  # tabs of the pages that look over everything
    explore: list[Place] = field(default_factory=list)
    quality: list[Place] = field(default_factory=list)
    settings: list[Place] = field(default_factory=list)  # tabs of the pages that set things up
    projects: list[Project] = field(default_factory=list)
    script: dict[str, Any] = field(default_factory=dict)


# url name, words, icon, capability, and the url names that light it up too; a name that does not exist yet is left out
_PLACES: tuple[tuple[str, Any, str, Capability, frozenset[str]], ...] = (
    ("project", gettext_lazy("Overview"), "project", Capability.VIEW, frozenset()),
    (
        "label",
        pgettext_lazy("to do", "Label"),
        "label",
        Capability.ANNOTATE,
        frozenset({"label_history", "label_summary", "sent_back", "my_work"}),
    ),
    ("triage", gettext_lazy("Triage"), "triage", Capability.TRIAGE, frozenset({"ticket", "cases", "signals"})),
    (
        "items",
        gettext_lazy("Explore"),
        "items",
        Capability.VIEW,
        frozenset({"item", "item_comments", "map", "similar", "saved_views", "item_bulk", "changes"}),
    ),
    (
        "agreement",
        gettext_lazy("Quality"),
        "quality",
        Capability.REVIEW,
        frozenset({"adjudicate", "review", "gold", "gold_item", "suspects", "suspect", "people_work"}),
    ),
    (
        "dashboard",
        gettext_lazy("Insight"),
        "insight",
        Capability.VIEW,
        frozenset(
            {
                *("trends", "opinion", "behaviour", "surveys", "survey", "survey_new", "survey_results"),
                *("alarms", "alarm", "alarm_rule", "rewards"),
            }
        ),
    ),
    (
        "content",
        gettext_lazy("Content"),
        "content",
        Capability.MANAGE,
        frozenset({"import_detail", "import_rejected"}),
    ),
    (
        "train",
        gettext_lazy("Train"),
        "train",
        Capability.MANAGE,
        frozenset({"run", "run_new", "train_setup", "version", "version_card", "version_compare", "flips"}),
    ),
    ("export", gettext_lazy("Export"), "export", Capability.REVIEW, frozenset()),
    (
        "project_labels",
        gettext_lazy("Labels"),
        "labels",
        Capability.MANAGE,
        frozenset({"label_edit", "label_rename", "label_merge", "label_split", "label_retire"}),
    ),
    ("project_members", gettext_lazy("People"), "people", Capability.MANAGE, frozenset()),
    (
        "project_settings",
        gettext_lazy("Settings"),
        "settings",
        Capability.MANAGE,
        frozenset(
            {
                "labelling_settings",
                "audiences",
                "audience",
                "serving_settings",
                "intake_keys",
                "intake_key",
                "feedback_settings",
                "webhooks",
                "webhook",
            }
        ),
    ),
)

# tabs, as {% include "_tabs.html" with tabs=frame.insight %}: url name, words, capability, further url names of it
_INSIGHT: tuple[tuple[str, Any, Capability, frozenset[str]], ...] = (
    ("dashboard", gettext_lazy("Dashboard"), Capability.VIEW, frozenset()),
    ("trends", gettext_lazy("Trends"), Capability.VIEW, frozenset()),
    ("opinion", gettext_lazy("Public opinion"), Capability.VIEW, frozenset()),
    ("behaviour", gettext_lazy("Behaviour"), Capability.VIEW, frozenset()),
    ("surveys", gettext_lazy("Surveys"), Capability.TRIAGE, frozenset({"survey", "survey_new", "survey_results"})),
    ("alarms", gettext_lazy("Alarms"), Capability.TRIAGE, frozenset({"alarm", "alarm_rule"})),
    ("rewards", gettext_lazy("Thanks"), Capability.TRIAGE, frozenset()),
)
_EXPLORE: tuple[tuple[str, Any, Capability, frozenset[str]], ...] = (
    ("items", gettext_lazy("Items"), Capability.VIEW, frozenset({"item", "item_bulk", "item_comments"})),
    ("map", gettext_lazy("Map"), Capability.VIEW, frozenset()),
    ("similar", gettext_lazy("Similar items"), Capability.ANNOTATE, frozenset()),
    ("changes", gettext_lazy("Changes"), Capability.REVIEW, frozenset()),
)
_QUALITY: tuple[tuple[str, Any, Capability, frozenset[str]], ...] = (
    ("agreement", gettext_lazy("Agreement"), Capability.REVIEW, frozenset()),
    ("adjudicate", gettext_lazy("Adjudicate"), Capability.REVIEW, frozenset()),
    ("review", gettext_lazy("Review"), Capability.REVIEW, frozenset()),
    ("gold", gettext_lazy("Gold items"), Capability.REVIEW, frozenset({"gold_item"})),
    ("suspects", gettext_lazy("Label errors"), Capability.REVIEW, frozenset({"suspect"})),
    ("people_work", gettext_lazy("People's work"), Capability.MANAGE, frozenset()),
)
_SETTINGS: tuple[tuple[str, Any, Capability, frozenset[str]], ...] = (
    ("project_settings", gettext_lazy("Project"), Capability.MANAGE, frozenset()),
    ("labelling_settings", gettext_lazy("Labelling"), Capability.MANAGE, frozenset()),
    ("audiences", gettext_lazy("Groups"), Capability.MANAGE, frozenset({"audience"})),
    ("serving_settings", gettext_lazy("Serving"), Capability.MANAGE, frozenset()),
    ("intake_keys", gettext_lazy("Feedback keys"), Capability.MANAGE, frozenset({"intake_key"})),
    ("feedback_settings", gettext_lazy("Feedback rules"), Capability.MANAGE, frozenset()),
    ("webhooks", gettext_lazy("Webhooks"), Capability.MANAGE, frozenset({"webhook"})),
)


def frame(request: HttpRequest) -> dict[str, Any]:
    return {"frame": SimpleLazyObject(lambda: _frame(request))}


def _frame(request: HttpRequest) -> Frame:
    user = getattr(request, "user", AnonymousUser())
    if not isinstance(user, User):
        return Frame(script={"words": _words()})
    made = Frame(theme=user.theme, density=user.density, unread=_unread(user))
    match = request.resolver_match
    slug = match.kwargs.get("slug") if match else None
    if slug:
        made.project = access.projects_of(user).filter(slug=slug).first()
    if made.project:
        made.role = access.role_in(user, made.project)
        capabilities = access.CAN[made.role] if made.role else frozenset()
        made.can = {capability.value: capability in capabilities for capability in Capability}
        made.projects = list(access.projects_of(user).only("pk", "slug", "name").order_by("name")[:PROJECTS_SHOWN])
        here = match.url_name if match else ""
        made.rail = _rail(made.project, capabilities, here)
        made.insight = _tabs(_INSIGHT, made.project, capabilities, here)
        made.explore = _tabs(_EXPLORE, made.project, capabilities, here)
        made.quality = _tabs(_QUALITY, made.project, capabilities, here)
        made.settings = _tabs(_SETTINGS, made.project, capabilities, here)
    made.script = {
        "keymap": keymap_of(user),
        "singleKeys": user.single_keys,
        "places": [{"name": place.name, "url": place.url} for place in made.rail]
        + [
            {"name": _("All projects"), "url": reverse("home")},
            {"name": _("Notices"), "url": reverse("notices")},
            {"name": _("Preferences"), "url": reverse("preferences")},
        ],
        "words": _words(),
    }
    return made


def _rail(project: Project, capabilities: frozenset[Capability], here: str | None) -> list[Place]:
    places = []
    for name, words, icon, need, also in _PLACES:
        url = _url(name, project)
        if need not in capabilities or url is None:
            continue
        count, counts = _count(name, project)
        current = here == name or here in also
        apart = name == "project_settings"
        places.append(Place(str(words), url, icon, current, count, counts, apart))
    return places


def _tabs(
    entries: tuple[tuple[str, Any, Capability, frozenset[str]], ...],
    project: Project,
    capabilities: frozenset[Capability],
    here: str | None,
) -> list[Place]:
    found = [
        (words, _url(name, project), here == name or here in also)
        for name, words, need, also in entries
        if need in capabilities
    ]
    return [Place(str(words), url, "", current) for words, url, current in found if url is not None]


def _url(name: str, project: Project) -> str | None:
    try:
        return reverse(name, args=[project.slug])
    except NoReverseMatch:
        return None


def _count(name: str, project: Project) -> tuple[str, str]:
    if name == "label":
        return _capped(Task.objects.filter(project=project, state=Task.State.OPEN)[: MOST + 1].count()), _("waiting")
    if name == "triage":
        waiting = Ticket.objects.filter(project=project, state__in=Ticket.WAITING)
        return _capped(waiting[: MOST + 1].count()), _("waiting")
    if name == "train":
        return _capped(TrainingRun.objects.filter(project=project, state__in=TrainingRun.LIVE).count()), _("running")
    return "", ""


def _unread(user: User) -> str:
    number = notices.unread(user)
    return f"{notices.MOST_UNREAD}+" if number > notices.MOST_UNREAD else str(number or "")


def _capped(number: int) -> str:
    if number > MOST:
        return f"{MOST}+"
    return str(number) if number else ""


def _words() -> dict[str, str]:
    """Sentences that scripts say; kept here so that one catalogue translates everything."""
    return {
        "offline": _("No connection. What you have not sent is kept here; it goes out when the server answers again."),
        "offlineShort": _("offline"),
        "connected": _("connected"),
        "forbidden": _("Your role in this project does not allow this."),
        "missing": _("This is not here any more. Reload the page."),
        "broken": _(
            "The server could not do this. Nothing was changed; try again, and tell your administrator if it stays."
        ),
        "slowDown": _("Too many requests at once. Wait a moment, then try again."),
        "signedOut": _("You are signed out. Sign in again in another tab, then repeat this."),
        "close": _("Close"),
        "keysHere": _("Keys that work here"),
        "noKeys": _("One-letter keys are switched off in your preferences."),
        "goTo": _("Go to or do"),
        "nothing": _("Nothing is called that here."),
        "found": _("{n} found"),
        "percent": _("%(n)s %%") % {"n": "{n}"},
        "nextTime": _("{name}: next time press {key}"),
    }
