"""The second look at accepted answers, for machines: thin twins of its pages."""

from typing import Any, cast

from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field, inline_serializer
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.models import User
from apps.annotation.models import Annotation
from apps.common.errors import DomainError, InvalidInput
from apps.common.forms import LARGEST, first_error
from apps.common.pagination import LIMIT, MOST, PageQuery, page_after, page_body
from apps.projects.access import Capability, project_for
from apps.projects.models import Project
from apps.quality import review_queries as queries
from apps.quality.models import Review
from apps.quality.review_forms import SampleForm
from apps.quality.services import reviews as services
from apps.quality.suspect_api import ShareOutput, answer


class EarlierWordOut(serializers.Serializer[Any]):
    verdict = serializers.ChoiceField(choices=Review.Verdict.choices)
    reason = serializers.CharField()
    by = serializers.IntegerField(source="by_id", help_text="user id")


class LookedAtOut(serializers.Serializer[Any]):
    annotation = serializers.IntegerField(source="pk", help_text="what to send with the verdict")
    item = serializers.IntegerField(source="item_id")
    text = serializers.CharField(source="item.text")
    annotator = serializers.IntegerField(source="annotator_id", help_text="user id")
    label = serializers.IntegerField(source="label_id", allow_null=True)  # type: ignore[assignment]
    value = serializers.JSONField(allow_null=True)
    outcome = serializers.CharField()
    note = serializers.CharField()
    flagged = serializers.BooleanField()
    seconds = serializers.FloatField(allow_null=True)
    created_at = serializers.DateTimeField()
    before = serializers.SerializerMethodField(
        help_text="what a reviewer said last of this person's answers to the text before"
    )

    @extend_schema_field(EarlierWordOut(allow_null=True))
    def get_before(self, said: Annotation) -> Any:
        word = self.context["before"].get(said.pk)
        return EarlierWordOut(word).data if word else None


class SampleQuery(serializers.Serializer[dict[str, Any]]):
    limit = serializers.IntegerField(required=False, default=LIMIT, min_value=1, max_value=MOST)


class SampleOut(serializers.Serializer[Any]):
    size = serializers.IntegerField(help_text="answers in the sample")
    looked_at = serializers.IntegerField()
    results = LookedAtOut(many=True, help_text="those that wait, in the order in which they are looked at")


class ReviewOut(serializers.ModelSerializer[Review]):
    item = serializers.IntegerField(source="annotation.item_id")

    class Meta:
        model = Review
        fields = ["id", "annotation", "item", "annotator", "by", "verdict", "reason", "created_at", "answered_at"]
        read_only_fields = fields


class ReviewIn(serializers.Serializer[Any]):
    annotation = serializers.IntegerField(min_value=1, max_value=LARGEST)
    verdict = serializers.ChoiceField(choices=Review.Verdict.choices)
    reason = serializers.CharField(
        default="", allow_blank=True, max_length=services.MOST_WORDS, help_text="why it is rejected"
    )
    label = serializers.IntegerField(  # type: ignore[assignment]  # also an attribute of Field
        required=False, min_value=1, max_value=LARGEST, help_text="fixed: the right label"
    )
    value = serializers.JSONField(required=False, help_text="fixed: the right labels, or spans")


class ReviewedOut(serializers.Serializer[Any]):
    user = serializers.IntegerField(source="user.pk")
    name = serializers.CharField(source="user")
    approved = ShareOutput(source="accuracy", help_text="of all that were looked at")
    fixed = serializers.IntegerField()
    rejected = serializers.IntegerField()
    unanswered = serializers.IntegerField(help_text="sent back, and not looked at again yet")


class SentBackOut(serializers.Serializer[Any]):
    id = serializers.IntegerField(source="pk")
    item = serializers.IntegerField(source="annotation.item_id")
    text = serializers.CharField(source="annotation.item.text")
    label = serializers.IntegerField(source="annotation.label_id", allow_null=True)  # type: ignore[assignment]
    value = serializers.JSONField(source="annotation.value", allow_null=True)
    reason = serializers.CharField()
    by = serializers.CharField(help_text="the reviewer's name")
    created_at = serializers.DateTimeField()


class InsistIn(serializers.Serializer[Any]):
    words = serializers.CharField(default="", allow_blank=True, max_length=services.MOST_WORDS)


def _project(request: Request, slug: str, need: Capability = Capability.REVIEW) -> Project:
    return project_for(cast(User, request.user), slug, need=need)


class ReviewSample(APIView):
    """A sample of accepted answers to look at again. The same filters draw the same sample."""

    @extend_schema(
        operation_id="reviews_sample",
        parameters=[
            OpenApiParameter("annotator", int, description="Only this user's answers."),
            OpenApiParameter("label", int, description="Only answers with this label."),
            OpenApiParameter(
                "confidence", str, enum=list(queries.BANDS), description="The model's: <50, 50–90, ≥90 %."
            ),
            OpenApiParameter("each", int, description="Of each person, 1 to 500; 20 without."),
            SampleQuery,
        ],
        responses=SampleOut,
    )
    def get(self, request: Request, slug: str) -> Response:
        project, user = _project(request, slug), cast(User, request.user)
        query = SampleQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        form = SampleForm(project, request.query_params)
        if not form.is_valid():
            raise InvalidInput(first_error(form), field=next(iter(form.errors)))
        sample = queries.sample(project, user, form.sampling())
        shown = queries.looked_at(project, sample.waiting[: query.validated_data["limit"]])
        results = LookedAtOut(shown, many=True, context={"before": queries.earlier_words(shown)}).data
        return Response({"size": sample.size, "looked_at": sample.looked_at, "results": results})


class Reviews(APIView):
    """What reviewers said, newest first."""

    @extend_schema(
        operation_id="reviews",
        parameters=[PageQuery],
        responses=inline_serializer(
            "ReviewPage", {"results": ReviewOut(many=True), "next": serializers.CharField(allow_null=True)}
        ),
    )
    def get(self, request: Request, slug: str) -> Response:
        project = _project(request, slug)
        query = PageQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        found = Review.objects.filter(project=project).select_related("annotation")
        page = page_after(found, newest_first=True, **query.validated_data)
        return Response(page_body(page, lambda review: dict(ReviewOut(review).data)))

    @extend_schema(operation_id="review_say", request=ReviewIn, responses={201: ReviewOut})
    def post(self, request: Request, slug: str) -> Response:
        """`approved`; `fixed` with the right answer; `rejected` with a reason, which its author is told."""
        project, user = _project(request, slug), cast(User, request.user)
        given = ReviewIn(data=request.data)
        given.is_valid(raise_exception=True)
        wanted = given.validated_data
        annotations = Annotation.objects.select_related("item", "annotator")
        said = get_object_or_404(annotations, project=project, pk=wanted["annotation"])
        match wanted["verdict"]:
            case Review.Verdict.APPROVED:
                review = services.approve(project, said, user)
            case Review.Verdict.REJECTED:
                review = services.reject(project, said, user, wanted["reason"])
            case _:
                review = services.fix(project, said, user, answer(project, wanted))
        return Response(ReviewOut(review).data, status=status.HTTP_201_CREATED)


class ReviewUndo(APIView):
    @extend_schema(operation_id="review_undo", request=None, responses=LookedAtOut)
    def post(self, request: Request, slug: str) -> Response:
        """Takes back your last word: its answer waits again, and its text stands as it did before."""
        project = _project(request, slug)
        again = services.undo(project, cast(User, request.user))
        if again is None:
            raise DomainError(_("There is no decision of yours to take back."))
        return Response(LookedAtOut(again, context={"before": queries.earlier_words([again])}).data)


class ReviewAuthors(APIView):
    """How often each person's answers were found right."""

    @extend_schema(
        operation_id="reviews_authors",
        responses=inline_serializer("ReviewedList", {"results": ReviewedOut(many=True)}),
    )
    def get(self, request: Request, slug: str) -> Response:
        return Response({"results": ReviewedOut(queries.by_author(_project(request, slug)), many=True).data})


class SentBack(APIView):
    """Your answers that came back, oldest first; at most 200. Answer again with `revise`, or insist."""

    @extend_schema(
        operation_id="sent_back", responses=inline_serializer("SentBackList", {"results": SentBackOut(many=True)})
    )
    def get(self, request: Request, slug: str) -> Response:
        project = _project(request, slug, Capability.ANNOTATE)
        found = queries.sent_back(project, cast(User, request.user))[:200]
        return Response({"results": SentBackOut(found, many=True).data})


class SentBackInsist(APIView):
    scopes = {"POST": "annotate"}

    @extend_schema(operation_id="sent_back_insist", request=InsistIn, responses={204: None})
    def post(self, request: Request, slug: str, pk: int) -> Response:
        """You stand by your answer: a third person decides."""
        project, user = _project(request, slug, Capability.ANNOTATE), cast(User, request.user)
        given = InsistIn(data=request.data)
        given.is_valid(raise_exception=True)
        mine = Review.objects.select_related("annotation__item").filter(project=project, annotator=user)
        services.insist(project, get_object_or_404(mine, pk=pk), user, given.validated_data["words"])
        return Response(status=status.HTTP_204_NO_CONTENT)
