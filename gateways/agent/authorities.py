"""The certificate authorities that upstreams are checked against."""

from __future__ import annotations

from pathlib import Path

CA_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
)


def system_ca_file(wanted: str) -> str:
    """The file of certificate authorities: `wanted`, or where systems keep it; empty when there is none."""
    if wanted:
        return wanted
    return next((path for path in CA_FILES if Path(path).exists()), "")
