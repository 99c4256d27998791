"""What other apps may answer."""

from django.dispatch import Signal

function_uses_asked = Signal()
"""Sent with `function` before it is deleted. Whoever relies on it answers the names of what does, as a list of texts:
an API that calls it, say. As long as there is one, it is not deleted."""
