"""The Celery application: `celery -A portal worker` and `celery -A portal beat`."""

from __future__ import annotations

import os

import django
from celery import Celery
from celery.signals import (
    beat_init,
    celeryd_init,
    heartbeat_sent,
    setup_logging,
    worker_process_init,
    worker_ready,
)
from django_structlog.celery.steps import DjangoStructLogInitStep

from gateways.engine.memory import collect_seldom
from portal.heart import beat_heart
from portal.startup import refuse_unless_sound
from portal.tracing import start_tracing

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("gatehouse")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.steps["worker"].add(DjangoStructLogInitStep)
app.autodiscover_tasks()


@setup_logging.connect
def keep_our_logging(**_: object) -> None:
    """Celery would replace the handlers that settings.LOGGING set up; having this receiver stops it."""


@celeryd_init.connect
@beat_init.connect
def refuse_wrong_settings(**_: object) -> None:
    """Worker and beat do not run on settings that the web refuses."""
    django.setup()
    refuse_unless_sound()


@worker_ready.connect
@heartbeat_sent.connect
def beat_worker_heart(**_: object) -> None:
    """Celery's own heartbeat comes from the loop that takes messages, every two seconds: it stops with it."""
    beat_heart("worker")


@worker_process_init.connect
def prepare_process(**_: object) -> None:
    """Each process that works on tasks sends its own traces, and holds documents of whole gateways."""
    start_tracing("worker")
    collect_seldom()


@beat_init.connect
def trace_beat(**_: object) -> None:
    """What beat rings is where many traces begin."""
    start_tracing("beat")
