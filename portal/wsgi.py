"""The WSGI application for gunicorn. It refuses to start on wrong settings, with a sentence and no traceback."""

import os

from django.core.wsgi import get_wsgi_application

from portal.startup import refuse_unless_sound

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
application = get_wsgi_application()
refuse_unless_sound()
