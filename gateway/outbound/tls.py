"""How https servers are checked: the system's authorities, or the file that the settings name."""

from __future__ import annotations

import ssl
from pathlib import Path

from gateway.errors import ConfigurationError


def tls_context(ca: Path | None) -> ssl.SSLContext:
    """For connections to others: TLS 1.2 at least, name and chain verified, by the authorities in `ca` if it is given.

    Raises ConfigurationError when that file cannot be read.
    """
    try:
        context = ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"outbound.ca: {ca} is no PEM file of certificates ({error}); correct the path, or leave it out"
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
