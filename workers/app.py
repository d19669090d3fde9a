"""The Celery app: queues, routes, schedule. Tasks live in apps/*/tasks.py: an id in, one call, nothing out."""

import os

from celery import Celery
from kombu.entity import Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "apps.config.settings")

app = Celery("marginalia")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(
    task_queues=[Queue("default"), Queue("gpu")],
    task_default_queue="default",
    task_routes={
        "learning.encode": {"queue": "gpu"},
        "learning.train": {"queue": "gpu"},
        "learning.repredict": {"queue": "gpu"},
        "explore.draw": {"queue": "gpu"},
        "explore.index_vectors": {"queue": "gpu"},
    },
    # a message is only a wake-up: rows hold the state, and sweepers find rows whose message was lost
    task_ignore_result=True,
    task_acks_late=False,
    task_serializer="json",
    accept_content=["json"],
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    worker_cancel_long_running_tasks_on_connection_loss=True,
    worker_soft_shutdown_timeout=10,
    broker_connection_retry_on_startup=True,
    broker_transport_options={"socket_connect_timeout": 1, "socket_timeout": 5},
    task_publish_retry=False,
    beat_schedule={
        "sweep": {"task": "annotation.sweep", "schedule": 15.0},
        "take-in": {"task": "annotation.take_in_due", "schedule": 1.0},
        "follow-overlap": {"task": "annotation.follow_overlap_due", "schedule": 2.0},
        "refresh": {"task": "learning.refresh_due", "schedule": 1.0},
        "index-search": {"task": "content.index_search", "schedule": 2.0},
        "resume-imports": {"task": "content.resume_imports", "schedule": 15.0},
        "encode": {"task": "learning.encode_due", "schedule": 2.0},
        "fold-behaviour": {"task": "learning.fold_behaviour", "schedule": 30.0},
        "revive-runs": {"task": "learning.revive_runs", "schedule": 10.0},
        "follow-promotions": {"task": "learning.follow_promotions", "schedule": 5.0},
        "warm": {"task": "serving.warm", "schedule": 5.0},
        "forget-served": {"task": "serving.forget", "schedule": 600.0},
        "group": {"task": "feedback.group_due", "schedule": 1.0},
        "follow": {"task": "feedback.follow", "schedule": 2.0},
        "reward": {"task": "feedback.reward", "schedule": 30.0},
        "read-tickets": {"task": "feedback.read_tickets", "schedule": 10.0},
        "webhooks": {"task": "notices.deliver", "schedule": 5.0},
        "mail": {"task": "notices.mail", "schedule": 30.0},
        "count": {"task": "trends.count", "schedule": 60.0},
        "recount": {"task": "trends.recount", "schedule": 6 * 3600.0},
        "look-for-alarms": {"task": "trends.look", "schedule": 120.0},
        "read-topics": {"task": "trends.read", "schedule": 600.0},
        "settle-answers": {"task": "quality.settle", "schedule": 15.0},
        "follow-suspects": {"task": "quality.follow_suspects", "schedule": 10.0},
        "watch-gold": {"task": "quality.watch", "schedule": 30.0},
        "draw-maps": {"task": "explore.draw_due", "schedule": 15.0},
        "index-vectors": {"task": "explore.index_vectors", "schedule": 60.0},
        "forget-deliveries": {"task": "notices.forget", "schedule": 3600.0},
    },
)
for _entry in app.conf.beat_schedule.values():
    # what piled up while no worker listened is worth one run, not thousands; a minute forgives clocks that differ
    _entry["options"] = {"expires": 60}
_APPS = (
    "notices",
    "content",
    "serving",
    "annotation",
    "feedback",
    "surveys",
    "learning",
    "quality",
    "explore",
    "trends",
)
app.autodiscover_tasks([f"apps.{name}" for name in _APPS])
