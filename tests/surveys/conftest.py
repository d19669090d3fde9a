import pytest

from apps.accounts.models import User
from apps.projects.models import Project
from apps.surveys import services
from apps.surveys.models import Survey
from tests.feedback.conftest import _patient  # noqa: F401 - the same limits count here

QUESTIONS = [
    {"kind": "rating", "wording_en": "How good was the answer?", "wording_zh": "回答好不好？", "required": True},
    {"kind": "score", "wording_en": "Would you recommend us?", "wording_zh": "您会推荐我们吗？"},
    {
        "kind": "single",
        "wording_en": "What was it about?",
        "wording_zh": "是关于什么的？",
        "options": [{"en": "A card", "zh": "卡"}, {"en": "A transfer", "zh": "转账"}],
    },
    {
        "kind": "multiple",
        "wording_en": "What did you use?",
        "wording_zh": "您用了什么？",
        "options": [
            {"en": "The app", "zh": "应用"},
            {"en": "The site", "zh": "网站"},
            {"en": "The phone", "zh": "电话"},
        ],
    },
    {"kind": "text", "wording_en": "What should be better?", "wording_zh": "哪里可以更好？"},
]


@pytest.fixture
def draft(project: Project, dana: User) -> Survey:
    return services.create(
        project, by=dana, title_en="After the chat", title_zh="聊天之后", once=True, questions=QUESTIONS
    )


@pytest.fixture
def survey(draft: Survey) -> Survey:
    services.open_survey(draft)
    draft.refresh_from_db()
    return draft
