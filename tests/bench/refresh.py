"""From the commit of the fifth answer to a rewritten queue: real worker, real broker, made-up vectors."""

import argparse
import hashlib
import os
import statistics
import time
import uuid
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.bench.server import product

CLASSES = 77
DIMENSION = 384
DIGEST = "0" * 64  # of no encoder: nothing here is ever encoded
ANSWERS = 5  # that make a refit due
BLOCK = 20_000

_ITEMS = """
INSERT INTO content_item (project_id, external_id, text, text_hash, split, language, subject, meta, created_at)
SELECT %(project)s, 'r' || n, 'refresh ' || n, sha256(convert_to('refresh ' || n, 'UTF8')),
       CASE WHEN n <= %(held)s THEN 'holdout' ELSE 'pool' END, 'en', '', '{}', now()
FROM generate_series(1, %(items)s + %(held)s) AS n
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--labels", type=int, default=300, help="labelled before the first measurement")
    parser.add_argument("--held", type=int, default=400, help="labelled held-out items to evaluate on")
    parser.add_argument("--rounds", type=int, default=5)


def run(args: argparse.Namespace) -> dict[str, Any]:
    with product() as server:
        os.environ["MARGINALIA_HOME"], os.environ["DJANGO_SETTINGS_MODULE"] = str(server.home), "apps.config.settings"
        import django

        django.setup()
        bench = Bench(args.items, args.labels, args.held)
        first = bench.first_refresh()
        rounds = [bench.round() for _ in range(args.rounds)]
    steps = {step: statistics.median(round_["timing"][step] for round_ in rounds) for step in rounds[0]["timing"]}
    return {
        "items": args.items,
        "seconds": round(statistics.median(round_["seconds"] for round_ in rounds), 3),
        "worst_seconds": round(max(round_["seconds"] for round_ in rounds), 3),
        "first_seconds": round(first["seconds"], 3),
        "first_copy_seconds": first["timing"]["vectors"],
        **{f"{step}_s": round(seconds, 4) for step, seconds in steps.items()},
        "accuracy": rounds[-1]["accuracy"],
    }


class Bench:
    def __init__(self, items: int, labels: int, held: int) -> None:
        from django.utils import timezone

        from apps.accounts.models import User
        from apps.projects.models import Label, Membership, Project, Role

        # archived while it is filled, so that no worker looks at it half done
        self.project = Project.objects.create(
            slug=f"refresh-{uuid.uuid4().hex[:6]}",
            name="Refresh",
            encoder="minilm-l6",
            archived_at=timezone.now(),
            holdout_share=0,
        )
        self.labels = Label.objects.bulk_create(
            Label(project=self.project, name=f"label {n:02}", position=n, color=n % 12 + 1) for n in range(CLASSES)
        )
        self.user = User.objects.create_user(f"{self.project.slug}@example.org", uuid.uuid4().hex)
        Membership.objects.create(project=self.project, user=self.user, role=Role.ANNOTATOR)
        self.truth = np.random.default_rng(0).integers(0, CLASSES, items + held)
        self._fill(items, labels, held)

    def _fill(self, items: int, labels: int, held: int) -> None:
        from django.db import connection
        from psycopg import sql

        from apps.annotation import services
        from apps.content.models import GivenLabel, Item
        from apps.learning import binary

        with connection.cursor() as cursor:
            cursor.execute(_ITEMS, {"project": self.project.pk, "items": items, "held": held})
            self.first = Item.objects.filter(project=self.project).earliest("pk").pk
            # two columns are ready-made binary rows; the third is the same for all
            cursor.execute(f"ALTER TABLE content_vector ALTER encoder_digest SET DEFAULT '{DIGEST}'")
            with cursor.copy(sql.SQL("COPY content_vector (text_hash, vector) FROM STDIN (FORMAT binary)")) as copy:
                for start in range(0, items + held, BLOCK):
                    hashes, rows = self._vectors(start, min(BLOCK, items + held - start))
                    block = binary.vector_rows(hashes, rows)
                    copy.write(block[len(binary.HEADER) if start else 0 : -len(binary.TRAILER)])
                copy.write(binary.TRAILER)
            cursor.execute("ALTER TABLE content_vector ALTER encoder_digest DROP DEFAULT")
        given = Item.objects.filter(project=self.project).order_by("pk")[: held + labels]
        GivenLabel.objects.bulk_create(
            GivenLabel(item=item, label=self.labels[self.truth[item.pk - self.first]].name) for item in given
        )
        services.take_in(self.project)
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE content_item, content_vector, annotation_task, annotation_resolution")

    def _vectors(self, start: int, n: int) -> tuple[list[bytes], NDArray[np.float32]]:
        centres = np.random.default_rng(1).standard_normal((CLASSES, DIMENSION)).astype(np.float32)
        noise = np.random.default_rng([2, start]).standard_normal((n, DIMENSION), dtype=np.float32)
        rows = centres[self.truth[start : start + n]] + 1.8 * noise
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return [hashlib.sha256(f"refresh {start + i + 1}".encode()).digest() for i in range(n)], rows

    def first_refresh(self) -> dict[str, Any]:
        """Cold: the vectors are copied out of the database."""
        from apps.content.models import Item
        from apps.learning.models import Encoding

        Encoding.objects.create(
            project=self.project,
            encoder=self.project.encoder,
            encoder_digest=DIGEST,
            through_item=Item.objects.filter(project=self.project).latest("pk").pk,
        )
        self.project.archived_at = None
        self.project.save()
        return self._wait(0, time.perf_counter(), patience=600)

    def round(self) -> dict[str, Any]:
        """Five answers in a burst, after the pause that the last refresh asked for."""
        from apps.annotation import services
        from apps.learning.models import LiveHead
        from apps.learning.queries import LONGEST_PAUSE

        head = LiveHead.objects.get(project=self.project)
        time.sleep(min(2 * (head.seconds or 0), LONGEST_PAUSE) + 0.5)
        leases = services.claim(self.project, self.user)
        for _ in range(ANSWERS):
            lease = leases[0]
            label = self.labels[self.truth[lease.task.item_id - self.first]].pk
            answer = services.Answer(token=lease.token, key=uuid.uuid4(), label=label, seconds=1.0)
            leases = services.submit(self.project, self.user, answer).next
        return self._wait(head.revision, time.perf_counter(), patience=180)

    def _wait(self, revision: int, started: float, patience: float) -> dict[str, Any]:
        """Until a later revision is there with the queue behind it. Publishing is one transaction, so both come at once."""
        from apps.annotation.models import Task
        from apps.learning.models import CurvePoint, LiveHead

        while not LiveHead.objects.filter(project=self.project, revision__gt=revision).exists():
            if time.perf_counter() - started > patience:
                raise SystemExit("the live head was not refitted in time")
            time.sleep(0.005)
        seconds = time.perf_counter() - started
        head = LiveHead.objects.get(project=self.project)
        tops = Task.objects.filter(project=self.project, rank__lt=Task.TOP, state="open").order_by("rank")
        shown = tops.values_list("suggestion", flat=True).first()
        if shown is None or shown["head"] != head.revision:
            raise SystemExit("the queue was not rewritten with the head")
        while not head.timing and time.perf_counter() - started < patience:  # written just after
            time.sleep(0.01)
            head.refresh_from_db()
        points = CurvePoint.objects.filter(project=self.project, revision=head.revision)
        return {
            "seconds": seconds,
            "timing": head.timing,
            "accuracy": points.values_list("accuracy", flat=True).first(),
        }
