"""What is taken for a card, from the certificates beside the settings."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509

from gateway.credentials.certificate_chain import key_fingerprint
from gateway.credentials.certificate_profile import ROOTS
from gateway.errors import ConfigurationError
from gateway.policy.cards import MAX_FILE_BYTES, card_faults, card_warnings, read_profile
from gateway.policy.certificates import make_dev_certificates
from gateway.policy.examine import examine
from gateway.policy.settings import Settings, load_settings
from tests.policy.conftest import NOW

LISTENER = """
[[listener]]
channel = "eid"
address = "127.0.0.1:8444"
names = ["eid.localhost"]
certificate = "certs/eid.pem"
"""
TEST_ROOT = Path(__file__).parents[1] / "credentials/eid/test-ec-root-ca.pem"
Edit = Callable[[str, str, str], None]


@pytest.fixture
def eid(config: Path, edit: Edit) -> Callable[..., Settings]:
    """The settings of a gateway with an eID listener and these lines in [eid]."""

    def made(*lines: str) -> Settings:
        moment = dt.datetime.fromtimestamp(NOW, dt.UTC)
        make_dev_certificates(config / "certs/eid-ca.pem", {config / "certs/eid.pem": ["eid.localhost"]}, moment)
        edit("gateway.toml", "\n[eid] ", LISTENER + "\n".join(["\n[eid]", *lines]) + "\n# ")
        return load_settings(config)

    return made


def faults(settings: Settings) -> list[str]:
    return [str(fault) for fault in card_faults(settings)]


def test_without_an_eid_listener_nothing_is_needed(config: Path) -> None:
    shutil.rmtree(config / "certs/eid")
    settings = load_settings(config)
    assert read_profile(settings) is None
    assert faults(settings) == []


def test_the_belgian_roots_and_authorities_are_there_from_the_start(eid: Callable[..., Settings]) -> None:
    settings = eid()
    profile = read_profile(settings)
    assert profile is not None
    assert faults(settings) == list(card_warnings(settings)) == []
    assert len(profile.authorities) >= len(ROOTS)
    assert profile.policies == settings.eid.policies


@pytest.mark.parametrize("left", [None, "README.md", "large.pem"])
def test_an_eid_listener_without_certificates_is_a_fault(
    eid: Callable[..., Settings], config: Path, left: str | None
) -> None:
    shutil.rmtree(config / "certs/eid")
    if left is not None:
        (config / "certs/eid").mkdir()
        (config / "certs/eid" / left).write_text("x" * (MAX_FILE_BYTES + 1))
    settings = eid()
    (fault,) = faults(settings)
    assert fault.startswith("gateway.toml: eid: eid.authorities:")
    assert "An eID listener needs" in fault
    with pytest.raises(ConfigurationError):
        read_profile(settings)
    assert [found.what for found in examine(config, NOW).faults if found.where == "eid"]


def test_a_root_whose_key_is_not_named_is_none(eid: Callable[..., Settings], config: Path) -> None:
    shutil.copy(TEST_ROOT, config / "certs/eid/test.pem")
    (fault,) = faults(eid())
    assert "test.pem: no root that is trusted has issued this" in fault


def test_test_roots_are_a_key_of_their_own_and_warned_of(eid: Callable[..., Settings], config: Path) -> None:
    fingerprint = key_fingerprint(x509.load_pem_x509_certificate(TEST_ROOT.read_bytes()))
    shutil.copy(TEST_ROOT, config / "certs/eid/test.pem")
    colons = ":".join(fingerprint[at : at + 2] for at in range(0, 64, 2)).upper()
    settings = eid(f'unsafe_test_roots = "{colons}"')
    assert settings.eid.unsafe_test_roots == (fingerprint,)
    assert faults(settings) == []
    (warning,) = card_warnings(settings)
    assert "for tests only" in warning
    assert warning in examine(config, NOW).warnings


def test_the_file_that_is_no_certificate_is_named(eid: Callable[..., Settings], config: Path) -> None:
    (config / "certs/eid/broken.der").write_bytes(b"\x30\x03abc")
    (fault,) = faults(eid())
    assert "broken.der: not a certificate in PEM or DER. Take it away or replace it" in fault
