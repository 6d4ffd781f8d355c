"""One authority and one certificate for the tests of the edge."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.edge.tls import ServerCertificate
from tests.edge.door import certificates


@pytest.fixture(scope="session")
def issued(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[ServerCertificate, ...]]:
    """The authority's file, and the certificate of `NAMES`."""
    return certificates(tmp_path_factory.mktemp("certificates"))
