"""What apps above are asked before something is decided here."""

from django.dispatch import Signal

label_asked = Signal()
"""Before a label moves to another interface, with `prompt` and `name`: a receiver returns, in words, who promises the
interface that the label has now, and "" for nobody."""
