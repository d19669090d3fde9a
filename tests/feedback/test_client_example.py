"""The example of README runs as it is written."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pytest_django.live_server_helper import LiveServer

from apps.accounts.models import User
from apps.accounts.services import make_token
from apps.feedback import intake_auth
from apps.feedback.models import IntakeKey, Signal
from apps.projects.models import Project
from apps.serving.models import Served
from apps.serving.services import predicting
from tests.feedback import make

EXAMPLE = Path(__file__).with_name("client_example.py")
README = Path(__file__).parents[2] / "README.md"


def test_readme_shows_the_example_that_is_tested() -> None:
    part = README.read_text().split("### From your product", 1)
    assert len(part) == 2, "README has no part “From your product”"
    block = re.search(r"```python\n(.*?)```", part[1], re.DOTALL)
    assert block is not None
    assert block.group(1) == EXAMPLE.read_text()


@pytest.mark.django_db(transaction=True)
def test_the_example_predicts_and_sends_feedback(
    live_server: LiveServer, project: Project, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def predict(
        project: Project, asked: Sequence[Any], *, consent: bool = False, remember: bool = True
    ) -> list[Served]:
        return [make.served(project, text=one.text, consent=consent, subject=one.subject) for one in asked]

    monkeypatch.setattr(predicting, "predict", predict)
    intake_auth.forget_keys()
    Project.objects.filter(pk=project.pk).update(slug="bank-questions")
    _row, token = make_token(alice, name="t", scopes=["predict"], days=1)
    _row, key = make.key(project, IntakeKey.Kind.SECRET)
    told = {"MARGINALIA_URL": live_server.url, "MARGINALIA_TOKEN": token, "MARGINALIA_KEY": key, "no_proxy": "*"}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLE)],
        env=os.environ | told,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first == "card arrival 0.62"
    signal = Signal.objects.get()
    assert signal.event in second
    assert (signal.kind, signal.comment, signal.served) == (
        "thumb",
        "It should know my card is late",
        Served.objects.get(),
    )
