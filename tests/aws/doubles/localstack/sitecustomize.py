"""LocalStack 4.14 takes `warnings.deprecated`, which Python has from 3.13 on. Read by Python before anything else."""

import warnings

from typing_extensions import deprecated

warnings.deprecated = deprecated  # type: ignore[attr-defined]
