"""Identities: equal for the gateway's keys, sealed for the auditor alone, silent for everybody else."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast

import orjson
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway.ledger.keys import load_keys, make_keys
from gateway.ledger.pseudonym import INFO, SUITE, Identity, Sealer, network_of


def members(identity: Identity) -> dict[str, Any]:
    return cast(dict[str, Any], orjson.loads(orjson.dumps(identity.fragment)))


def private_key(keys: Path, purpose: str) -> X25519PrivateKey:
    key = load_pem_private_key((keys / "auditor" / f"auditor-{purpose}-private.pem").read_bytes(), None)
    assert isinstance(key, X25519PrivateKey)
    return key


def opened(keys: Path, purpose: str, sealed: str, info: str | None = None) -> Any:
    data = urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
    return json.loads(SUITE.decrypt(data, private_key(keys, purpose), INFO[info or purpose]))


@pytest.fixture
def sealer(keys: Path) -> Sealer:
    return Sealer(load_keys(keys / "auditor.pem", keys / "pseudonym.toml"))


def test_the_auditor_opens_what_was_sealed(keys: Path, sealer: Sealer) -> None:
    person = members(sealer.person("jan.peeters", "85073003328"))
    assert opened(keys, "person", person["sealed"]) == {"user_id": "jan.peeters", "insz": "85073003328"}
    address = members(sealer.address("2001:db8::7"))
    assert opened(keys, "address", address["sealed"]) == {"address": "2001:db8::7"}


def test_a_seal_opens_with_its_own_key_and_purpose_only(keys: Path, sealer: Sealer) -> None:
    person = members(sealer.person("jan.peeters", "85073003328"))
    with pytest.raises(InvalidTag):
        opened(keys, "address", person["sealed"], "person")
    with pytest.raises(InvalidTag):
        opened(keys, "person", person["sealed"], "address")


def test_no_value_stands_in_the_clear(sealer: Sealer) -> None:
    text = orjson.dumps(
        [sealer.person("jan.peeters", "85073003328").fragment, sealer.address("192.0.2.77").fragment]
    ).decode()
    for value in ("peeters", "85073003328", "192.0.2"):  # long enough not to stand in what is sealed by chance
        assert value not in text


def test_pseudonyms_correlate_within_their_field_and_key(keys: Path, sealer: Sealer, tmp_path: Path) -> None:
    one, other = members(sealer.person("a", "85073003328")), members(sealer.person("b", "85073003328"))
    assert one["insz"] == other["insz"]
    assert one["user_id"] != other["user_id"]
    assert members(sealer.subject("85073003328"))["insz"] == one["insz"]
    assert members(sealer.person("85073003328", None))["user_id"] != one["insz"]
    made = make_keys(tmp_path / "a", tmp_path / "p", tmp_path / "private")
    stranger = Sealer(load_keys(made.auditor_public, made.pseudonym))
    assert members(stranger.person("a", "85073003328"))["insz"] != one["insz"]
    assert one["insz"].split(".")[0] == load_keys(keys / "auditor.pem", keys / "pseudonym.toml").person_pseudonym.id


def test_networks_correlate(sealer: Sealer) -> None:
    one, other = members(sealer.address("192.0.2.1")), members(sealer.address("192.0.2.200"))
    assert one["pseudonym"] != other["pseudonym"]
    assert one["network"] == other["network"]
    assert members(sealer.network(network_of(ip_address("192.0.2.9"))))["network"] == one["network"]


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.0/24"),
        ("::ffff:192.0.2.1", "192.0.2.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/48"),
    ],
)
def test_client_networks(address: str, network: str) -> None:
    assert str(network_of(ip_address(address))) == network


def test_the_length_of_a_seal_tells_nothing(sealer: Sealer) -> None:
    lengths = {len(members(sealer.address(text))["sealed"]) for text in ("::1", "192.0.2.1", "198.51.100.100")}
    assert len(lengths) == 1


def test_who_comes_again_is_not_sealed_again(sealer: Sealer) -> None:
    assert sealer.address("192.0.2.1") is sealer.address("192.0.2.1")
    assert sealer.person("a", None) is sealer.person("a", None)


def test_a_hostile_user_id_is_sealed_all_the_same(keys: Path, sealer: Sealer) -> None:
    person = members(sealer.person("\ud800\n", None))
    assert opened(keys, "person", person["sealed"]) == {"user_id": "?\n"}
    person = members(sealer.person("\x01" * 1000, "85073003328"))
    assert opened(keys, "person", person["sealed"]) == {"user_id": "\x01" * 96, "insz": "85073003328"}


def test_an_endless_user_id_makes_no_endless_line(keys: Path, sealer: Sealer) -> None:
    one, other = members(sealer.person("x" * 100_000 + "1", None)), members(sealer.person("x" * 100_000 + "2", None))
    assert opened(keys, "person", one["sealed"]) == {"user_id": "x" * 96}
    assert one["user_id"] != other["user_id"]


def test_a_text_that_is_no_address(sealer: Sealer) -> None:
    with pytest.raises(ValueError, match="does not appear to be"):
        sealer.address("not an address")
