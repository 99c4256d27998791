"""Errors of an action, shown where they belong in the form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.exceptions import ValidationError
from django.forms import BaseForm

from audit.models import ActionRefused


def tried[T](form: BaseForm, action: Callable[..., T], *args: Any, **values: Any) -> T | None:
    """What `action` returns; None where it refused, with what is wrong put into `form`."""
    try:
        return action(*args, **values)
    except ActionRefused as refused:
        form.add_error(None, refused.message)
    except ValidationError as error:
        add_errors(form, error)
    return None


def add_errors(form: BaseForm, error: ValidationError) -> None:
    """Put what an action refused beside the fields of `form`; what fits no field goes above them."""
    if not hasattr(error, "error_dict"):
        form.add_error(None, error)
        return
    for name, errors in error.error_dict.items():
        form.add_error(name if name in form.fields else None, errors)
