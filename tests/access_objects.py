"""One object of every kind that an address may name, made when first asked for."""

import hashlib
from collections.abc import Callable
from functools import cached_property
from typing import Any
from uuid import uuid4

from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from apps.accounts.models import ApiToken, User
from apps.annotation.models import Annotation, Audience, Change, Comment, Gold, Resolution
from apps.content import services as content
from apps.content.models import ImportJob, Item
from apps.explore.models import SavedView
from apps.feedback.models import IntakeKey, RegressionCase, SavedQueue, Ticket
from apps.learning.models import TrainingRun
from apps.notices.models import Delivery, Notice, Webhook
from apps.projects.models import Membership, Project, Role
from apps.projects.services import invitations
from apps.quality.models import Adjudication, Review, Suspect, SuspectRun
from apps.registry.models import Deployment, ModelVersion
from apps.serving.models import Served
from apps.surveys import services as surveys
from apps.surveys.models import Survey
from apps.trends.models import Alarm, AlarmRule


class Objects:
    def __init__(self, project: Project, owner: User | None = None) -> None:
        self.project, self.owner = project, owner
        # by the beginning of the address's name, the longest that fits; what <pk> or <number> means there
        self.kinds: dict[str, Callable[[User | None], dict[str, Any]]] = {
            "label": lambda user: {"pk": project.labels.all()[0].pk},
            "api_label": lambda user: {"pk": project.labels.all()[0].pk},
            "change": lambda user: {"pk": self.change.pk},
            "api_change": lambda user: {"pk": self.change.pk},
            "member": lambda user: {"pk": self.member.pk},
            "sent_back_insist": lambda user: {"pk": self.review(user).pk},
            "suspect": lambda user: {"pk": self.suspect.pk},
            "api_suspect": lambda user: {"pk": self.suspect.pk},
            "gold_person": lambda user: {"pk": self.member.pk},
            "api_gold_item": lambda user: {"pk": self.gold.pk},
            "api_gold_person": lambda user: {"pk": self.member.pk},
            "api_sent_back_insist": lambda user: {"pk": self.review(user).pk},
            "api_explore_view": lambda user: {"pk": self.view(user).pk},
            "invitation_revoke": lambda user: {"pk": self.invitation[0].pk},
            "invitation_accept": lambda user: {"secret": self.invitation[1]},
            "token": lambda user: {"pk": self.token(user).pk},
            "import": lambda user: {"pk": self.job.pk},
            "api_import": lambda user: {"pk": self.job.pk},
            "item": lambda user: {"pk": self.item.pk},
            "api_item": lambda user: {"pk": self.item.pk},
            "item_comment_remove": lambda user: {"pk": self.item.pk, "comment": self.comment.pk},
            "api_item_comment_remove": lambda user: {"pk": self.item.pk, "comment": self.comment.pk},
            "run": lambda user: {"pk": self.run.pk},
            "api_run": lambda user: {"pk": self.run.pk},
            "version": self._number,
            "api_version": self._number,
            "promote": self._number,
            "rollback": self._number,
            "flips": self._number,
            "api_promote": self._number,
            "api_rollback": self._number,
            "adjudicate": lambda user: {"pk": self.adjudication.pk},
            "api_adjudication": lambda user: {"pk": self.adjudication.pk},
            "audience": lambda user: {"pk": self.audience.pk},
            "api_audience": lambda user: {"pk": self.audience.pk},
            "alarm": lambda user: {"pk": self.alarm.pk},
            "alarm_rule": lambda user: {"pk": self.alarm.rule_id},
            "api_alarm": lambda user: {"pk": self.alarm.pk},
            "api_alarm_rule": lambda user: {"pk": self.alarm.rule_id},
            "notice": lambda user: {"pk": self.notice(user).pk},
            "webhook": lambda user: {"pk": self.delivery.webhook_id, "delivery": self.delivery.pk},
            "api_webhook": lambda user: {"pk": self.delivery.webhook_id, "delivery": self.delivery.pk},
            "survey": lambda user: {"pk": self.survey.pk, "token": self.survey.token},
            "survey_question": lambda user: {"pk": self.survey.pk, "question": self.survey.questions.get().pk},
            "api_survey": lambda user: {"pk": self.survey.pk, "token": self.survey.token},
            "api_rewards": lambda user: {"subject": "user-17"},
            "ticket": lambda user: {"number": self.ticket.number},
            "triage_queue": lambda user: {"pk": self.queue(user).pk},
            "case": lambda user: {"pk": self.case.pk},
            "saved_view": lambda user: {"pk": self.view(user).pk},
            "api_ticket": lambda user: {"number": self.ticket.number},
            "api_case": lambda user: {"pk": self.case.pk},
            "intake_key_revoke": lambda user: {"pk": self.intake_key.pk},
            "api_intake_key": lambda user: {"pk": self.intake_key.pk},
            "api_subject": lambda user: {"key": "maria"},
            "dashboard_csv": lambda user: {"block": "volume"},
            "api_served": lambda user: {"pk": self.served.pk},
            "account_reset_password_from_key": lambda user: {"uidb36": "1", "key": "bad-key"},
        }

    def parameters(self, name: str, wanted: frozenset[str], user: User | None) -> dict[str, Any]:
        found: dict[str, Any] = {"slug": self.project.slug} if "slug" in wanted else {}
        if missing := wanted - set(found):
            fits = [kind for kind in self.kinds if name.startswith(kind)]
            assert fits, f"tests/access_objects.py does not know what {sorted(missing)} of “{name}” means: add a kind"
            found |= self.kinds[max(fits, key=len)](user)
        assert set(found) >= wanted, f"“{name}” wants {sorted(wanted)}, tests/access_objects.py gives {sorted(found)}"
        return {key: value for key, value in found.items() if key in wanted}

    def _number(self, user: User | None) -> dict[str, Any]:
        return {"number": self.version.number, "pk": self.version.pk}

    @cached_property
    def adjudication(self) -> Adjudication:
        return Adjudication.objects.create(project=self.project, item=self.item, why=Adjudication.Why.ASKED)

    @cached_property
    def audience(self) -> Audience:
        return Audience.objects.create(project=self.project, name="experts")

    @cached_property
    def change(self) -> Change:
        return Change.objects.create(project=self.project, kind=Change.Kind.SET)

    @cached_property
    def member(self) -> Membership:
        user = User.objects.create_user("eve@example.org", "correct horse battery")
        return Membership.objects.create(project=self.project, user=user, role=Role.VIEWER)

    @cached_property
    def invitation(self) -> Any:
        by = User.objects.create_user("ivan@example.org", "correct horse battery")
        return invitations.invite(self.project, by=by, email="new@example.org", role=Role.VIEWER)

    def token(self, user: User | None) -> ApiToken:
        owner = user or User.objects.first()
        assert owner
        made, _new = ApiToken.objects.get_or_create(
            user=owner, name="walk", defaults={"prefix": "x", "digest": f"walk-{owner.pk}", "scopes": ["read"]}
        )
        return made

    def notice(self, user: User | None) -> Notice:
        owner = user or User.objects.first()
        assert owner
        return Notice.objects.get_or_create(user=owner, key="walk", defaults={"kind": "walk", "title": "Walk"})[0]

    @cached_property
    def alarm(self) -> Alarm:
        rule = AlarmRule.objects.create(project=self.project, stream="served", direction="stops")
        seen = {"first": "2026-01-05T00:00:00+00:00", "n": [3, 2, 0], "missing": 9.5}
        now = timezone.now()
        return Alarm.objects.create(rule=rule, project=self.project, onset=now, hour=now, evidence=seen)

    @cached_property
    def delivery(self) -> Delivery:
        webhook = Webhook.objects.create(project=self.project, url="https://example.org/", events=["alarm.raised"])
        return Delivery.objects.create(webhook=webhook, event="test", about="a", key="a", payload={}, state="done")

    @cached_property
    def suspect(self) -> Suspect:
        run = SuspectRun.objects.create(project=self.project, state="succeeded", finished_at=timezone.now())
        label = self.project.labels.all()[0]
        return Suspect.objects.create(run=run, item=self.item, label=label, suggested=label, score=0.1, rank=1)

    def review(self, user: User | None) -> Review:
        owner = user or User.objects.first()
        assert owner
        found = Review.objects.filter(annotator=owner, answered_at=None).first()
        if found is None:
            said = Annotation.objects.create(
                project=self.project, item=self.item, annotator=owner, key=uuid4(), outcome="scratch",
                revision=Annotation.objects.filter(item=self.item, annotator=owner).count() + 1,
            )  # fmt: skip
            found = Review.objects.create(
                project=self.project,
                annotation=said,
                annotator=owner,
                by=owner,
                verdict="rejected",
                reason="Look again.",
            )
        return found

    @cached_property
    def comment(self) -> Comment:
        by = User.objects.create_user("cara@example.org", "correct horse battery")
        return Comment.objects.create(item=self.item, by=by, text="Walk")

    @cached_property
    def gold(self) -> Gold:
        """On an item of its own: what is gold can neither be decided nor changed."""
        text = "What is the rate today?"
        item = Item.objects.create(
            project=self.project,
            external_id="gold",
            text=text,
            text_hash=hashlib.sha256(text.encode()).digest(),
            split="pool",
        )
        label = self.project.labels.all()[0]
        Resolution.objects.create(item=item, project=self.project, split="pool", label=label, how="gold")
        return Gold.objects.create(item=item, project=self.project, label=label)

    @cached_property
    def job(self) -> ImportJob:
        by = User.objects.create_user("ines@example.org", "correct horse battery")
        return content.receive(self.project, by, SimpleUploadedFile("a.csv", b"text,label\nWhere is my card?,card\n"))

    @cached_property
    def intake_key(self) -> IntakeKey:
        fields = {"name": "shop", "prefix": "mk_pub_", "digest": "walk"}
        return IntakeKey.objects.create(project=self.project, **fields)

    @cached_property
    def item(self) -> Item:
        text = "Where is my card?"
        digest = hashlib.sha256(text.encode()).digest()
        return Item.objects.create(project=self.project, external_id="1", text=text, text_hash=digest, split="pool")

    @cached_property
    def version(self) -> ModelVersion:
        """The second; the first is in use, so that there is something to compare with and to go back to."""
        first, second = self._version(1), self._version(2)
        Deployment.objects.create(project=self.project, version=first, kind=Deployment.Kind.PROMOTE, sequence=1)
        return second

    def _version(self, number: int) -> ModelVersion:
        return ModelVersion.objects.create(
            project=self.project,
            number=number,
            kind=ModelVersion.Kind.HEAD,
            encoder=self.project.encoder,
            encoder_digest="e",
            label_order=[[label.pk, label.name] for label in self.project.labels.all()],
            snapshot_hash="s",
            seed=0,
            config={},
            path="none",
            digest="d",
        )

    @cached_property
    def served(self) -> Served:
        return Served.objects.create(
            project=self.project, version=self.version, text_hash=b"0" * 32, confidence=0.5, probabilities=[0.5]
        )

    @cached_property
    def run(self) -> TrainingRun:
        return TrainingRun.objects.create(
            project=self.project,
            kind=ModelVersion.Kind.HEAD,
            state=TrainingRun.State.FAILED,
            finished_at=timezone.now(),
        )

    @cached_property
    def survey(self) -> Survey:
        by = User.objects.create_user("sam@example.org", "correct horse battery")
        made = surveys.create(self.project, by=by, title_en="After the chat")
        surveys.add_question(made, kind="rating", wording_en="How good was it?")
        return surveys.open_survey(made)

    @cached_property
    def ticket(self) -> Ticket:
        made, _new = Ticket.objects.get_or_create(
            project=self.project, number=1, defaults={"text": "Where is my card?"}
        )
        return made

    def queue(self, user: User | None) -> SavedQueue:
        made, _new = SavedQueue.objects.get_or_create(project=self.project, owner=user, name="mine", query="reach=2")
        return made

    def view(self, user: User | None) -> SavedView:
        owner = user or User.objects.first()
        made, _new = SavedView.objects.get_or_create(project=self.project, by=owner, name="walk", shared=True)
        return made

    @cached_property
    def case(self) -> RegressionCase:
        label = self.project.labels.all()[0]
        return RegressionCase.objects.create(project=self.project, ticket=self.ticket, item=self.item, label=label)
