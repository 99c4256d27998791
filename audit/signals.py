"""The one domain signal. Sent once per AuditEvent, after its transaction has committed."""

from django.dispatch import Signal

event_recorded = Signal()
"""Keyword argument `event`: the committed AuditEvent. A receiver that fails is logged and stops nobody."""
