"""The WSGI application for gunicorn. It refuses to start on wrong settings, with a sentence and no traceback."""

import os

from django.core.wsgi import get_wsgi_application

from portal.startup import refuse_unless_sound
from portal.tracing import start_tracing

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
start_tracing("web")
application = get_wsgi_application()
refuse_unless_sound()
