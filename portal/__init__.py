"""The composition root: settings, urls, Celery application, home and error pages. Nobody imports it."""

from portal.celery import app as celery_app

__all__ = ["celery_app"]
