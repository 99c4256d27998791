"""Functions in Python that really run: the code that was sent, in this process."""

from __future__ import annotations

import importlib.util
import io
import json
import tempfile
import zipfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from tests.aws.fake.lambda_state import Function
from tests.aws.fake.place import Place

type Handler = Callable[[Any, Any], Any]


def run(place: Place, function: Function, event: dict[str, Any]) -> Any:
    """What its handler answers; while an update is under way, that of before."""
    code = function.code if place.now >= function.updated_at else function.code_before
    return _loaded(code, function.configuration["Handler"])(json.loads(json.dumps(event)), None)


@lru_cache(maxsize=200)
def _loaded(code: bytes, handler: str) -> Handler:
    """One running copy of each code."""
    module, _, name = handler.rpartition(".")
    with tempfile.TemporaryDirectory() as folder:
        zipfile.ZipFile(io.BytesIO(code)).extractall(folder)
        spec = importlib.util.spec_from_file_location(module, Path(folder) / f"{module}.py")
        assert spec is not None
        assert spec.loader is not None
        loaded = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(loaded)
        found: Handler = getattr(loaded, name)
        found({}, None)  # what it reads once, it reads while its files are there
    return found
