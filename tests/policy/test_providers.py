"""`[[provider]]`: what is read, what is refused, and the files beside it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.model import Means
from gateway.outbound.hosts import parse_place
from gateway.policy.examine import examine
from gateway.policy.providers import load_client_key, load_client_secret
from gateway.policy.settings import load_settings, settings_from
from tests.policy.conftest import NOW
from tests.policy.test_settings import MINIMAL

PROVIDER = """
[[provider]]
id = "csam"
title = { nl = "a", fr = "b", de = "c", en = "d" }
issuer = "https://fas.example/realm"
client_id = "ksz"
client_secret = "keys/csam.secret"
acr = { "urn:500" = "eid", "urn:450" = "itsme" }
"""


def read(text: str) -> tuple[Any, list[tuple[str, str]]]:
    settings, faults = settings_from(tomllib.loads(MINIMAL + text), Path("/c"))
    return settings, [(fault.where, fault.what) for fault in faults]


def test_none_is_the_default() -> None:
    settings, faults = read("")
    assert (settings.providers, faults) == ((), [])


def test_defaults() -> None:
    settings, faults = read(PROVIDER)
    assert faults == []
    (provider,) = settings.providers
    assert provider.client_secret == Path("/c/keys/csam.secret")
    assert provider.scopes == ("openid", "profile", "egovnrn")
    assert provider.algorithms == ("RS256",)
    assert provider.asked == ("urn:500", "urn:450")
    assert provider.means == {"urn:500": Means.EID, "urn:450": Means.ITSME}
    assert provider.max_age == 900
    assert provider.places == (parse_place("https://fas.example"),)


def test_what_is_asked_and_where_it_leads() -> None:
    settings, faults = read(
        PROVIDER + 'acr_values = "urn:450"\nhosts = ["https://login.example:8443", "https://fas.example"]'
    )
    assert faults == []
    (provider,) = settings.providers
    assert provider.asked == ("urn:450",)
    assert [str(place) for place in provider.places] == ["https://fas.example", "https://login.example:8443"]


@pytest.mark.parametrize(
    ("old", "new", "where", "what"),
    [
        ("https://fas.example/realm", "http://fas.example", "provider[1].issuer", "plain http to another machine"),
        ("https://fas.example/realm", "fas.example", "provider[1].issuer", "it is not the address of an issuer"),
        ("https://fas.example/realm", "https://fas.example/?a=b", "provider[1].issuer", "an issuer has no query"),
        ("https://fas.example/realm", "https://a@fas.example/", "provider[1].issuer", "it is not the address of an issuer"),
        ('id = "csam"', 'id = "CSAM"', "provider[1].id", "it does not have the right form"),
        ('"eid"', '"fingerprint"', "provider[1].acr.urn:500", "fingerprint is not known here"),
        ('acr = { "urn:500" = "eid", "urn:450" = "itsme" }', "acr = {}", "provider[1].acr", "it is empty"),
        ("\n[[provider]]", '\n[[provider]]\nscopes = ["profile"]', "provider[1].scopes", "without openid it is no sign-in"),
        ("\n[[provider]]", '\n[[provider]]\nalgorithms = ["HS256"]', "provider[1].algorithms[1]", "HS256 is not known here"),
        ("\n[[provider]]", '\n[[provider]]\nalgorithms = ["none"]', "provider[1].algorithms[1]", "none is not known here"),
        ("\n[[provider]]", "\n[[provider]]\nalgorithms = []", "provider[1].algorithms", "it is empty"),
        ("\n[[provider]]", '\n[[provider]]\nmax_age = "2d"', "provider[1].max_age", "input should be less than"),
        ("\n[[provider]]", '\n[[provider]]\nacr_values = ["urn:400"]', "provider[1].acr_values", "acr does not say which means"),
        ("\n[[provider]]", '\n[[provider]]\nclient_key = "k.pem"', "provider[1].client_secret", "client_key is there as well"),
        ('client_secret = "keys/csam.secret"', "", "provider[1]", "nothing proves to the provider"),
        ("\n[[provider]]", '\n[[provider]]\nhosts = ["https://a/b"]', "provider[1].hosts[1]", "it is not a place"),
        ("\n[[provider]]", '\n[[provider]]\nhosts = ["https://a", "http://b"]', "provider[1].hosts[2]", "plain http to another machine"),
        ("\n[[provider]]", "\n[[provider]]\nuserinfo = true", "provider[1].userinfo", "this key is unknown"),
    ],
)  # fmt: skip
def test_a_fault_says_what_and_where(old: str, new: str, where: str, what: str) -> None:
    _, faults = read(PROVIDER.replace(old, new))
    assert [fault for fault in faults if fault[0] == where and fault[1].startswith(what)], faults


def test_two_of_one_name() -> None:
    _, faults = read(PROVIDER + PROVIDER)
    assert faults == [("provider[2].id", "provider[1] has it as well")]


def test_a_plain_provider_on_this_machine_is_for_a_demo() -> None:
    settings, faults = read(PROVIDER.replace("https://fas.example/realm", "http://127.0.0.1:9400"))
    assert (faults, settings.providers[0].issuer) == ([], "http://127.0.0.1:9400")


# --- secrets and keys ----------------------------------------------------------------------------------------------------


def faults_of(config: Path) -> list[tuple[str, str]]:
    return [(fault.file, fault.what) for fault in examine(config, NOW).faults]


def with_provider(config: Path, text: str = PROVIDER) -> Path:
    with (config / "gateway.toml").open("a") as file:
        file.write(text)
    return config / "keys/csam.secret"


def write(path: Path, content: bytes, mode: int = 0o600) -> None:
    path.write_bytes(content)
    path.chmod(mode)


def pem(key: Any) -> bytes:
    content: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return content


def test_a_secret_is_one_line(config: Path) -> None:
    path = with_provider(config)
    assert faults_of(config) == [("keys/csam.secret", "the client's secret is missing")]
    write(path, b"s3cret\n")
    assert faults_of(config) == []
    assert load_client_secret(load_settings(config).providers[0].client_secret) == "s3cret"  # type: ignore[arg-type]


@pytest.mark.parametrize("content", [b"", b"\n", b"two\nlines\n", "gehe\u00efm".encode(), b"x" * 5000])
def test_a_secret_that_is_none_is_not_repeated(config: Path, content: bytes) -> None:
    write(with_provider(config), content)
    assert faults_of(config) == [("keys/csam.secret", "the client's secret is not one line of printable ASCII")]


def test_a_secret_that_others_can_read(config: Path) -> None:
    write(with_provider(config), b"s3cret", 0o640)
    assert faults_of(config) == [("keys/csam.secret", "others can read the client's secret (mode 0640)")]


@pytest.mark.parametrize("key", [ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)])
def test_a_key_instead(config: Path, key: Any) -> None:
    path = with_provider(config, PROVIDER.replace("client_secret", "client_key"))
    write(path, pem(key))
    assert faults_of(config) == []
    assert load_client_key(path).private_numbers() == key.private_numbers()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"s3cret",
        pem(ec.generate_private_key(ec.SECP384R1())),
        pem(rsa.generate_private_key(65537, 1024)),
        pem(ed25519.Ed25519PrivateKey.generate()),
    ],
)
def test_a_key_that_does_not_do(config: Path, content: bytes) -> None:
    write(with_provider(config, PROVIDER.replace("client_secret", "client_key")), content)
    ((file, what),) = faults_of(config)
    assert file == "keys/csam.secret"
    assert what.startswith("the client's key is not an RSA key")
