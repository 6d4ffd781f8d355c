"""Signing by a key in a security module: SoftHSM, by PKCS#11."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError
from gateway.policy import signing
from gateway.policy.container import TARGETS, root_name
from gateway.policy.token import open_token
from gateway.policy.trust import verify
from tests.end_to_end.signing import done
from tests.policy.signers import DAY, key, release, signed, signer

NOW = 1_780_000_000.0
PIN = "246810"
MODULE = next((path for path in map(Path, ("/usr/lib/softhsm/libsofthsm2.so",)) if path.exists()), None)
pkcs11 = pytest.importorskip("pkcs11", reason="python-pkcs11 is not installed: pip install gateway[pkcs11]")
pytestmark = pytest.mark.skipif(
    MODULE is None or shutil.which("softhsm2-util") is None,
    reason="softhsm2 is not installed: apt-get install softhsm2",
)


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URI of keys on a new token, without the object: `p256`, `p384` and `p521`."""
    directory = tmp_path_factory.mktemp("softhsm")
    (directory / "tokens").mkdir()
    configuration = directory / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {directory}/tokens\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(configuration))
        command = ["softhsm2-util", "--init-token", "--free", "--label", "KSZ", "--so-pin", "9753", "--pin", PIN]
        subprocess.run(command, check=True, capture_output=True)
        from pkcs11 import Attribute, KeyType
        from pkcs11.util.ec import encode_named_curve_parameters

        with pkcs11.lib(str(MODULE)).get_token(token_label="KSZ").open(rw=True, user_pin=PIN) as session:
            for label, curve in (("p256", "secp256r1"), ("p384", "secp384r1"), ("p521", "secp521r1")):
                parameters = session.create_domain_parameters(
                    KeyType.EC, {Attribute.EC_PARAMS: encode_named_curve_parameters(curve)}, local=True
                )
                parameters.generate_keypair(store=True, label=label)
        yield f"pkcs11:token=KSZ;object={{}}?module-path={MODULE}"


@pytest.mark.parametrize("label", ["p256", "p384"])
def test_a_key_on_a_token_signs(token: str, label: str) -> None:
    with open_token(token.format(label), PIN) as there:
        public = signing.read_public(signing.write_public(there.public_key, "Carla"))
        keys = [key("a"), public]
        root = signing.new_root(None, releases=keys, roots=keys, expires=NOW + 700 * DAY)
        roots, _ = signing.sign({root_name(1): signed(root, "a")}, there)
        container, names = signing.sign(release(roots, "a", NOW), there)
    assert names == [TARGETS]
    assert {one.name for one in verify(container, roots[root_name(1)]).signers} == {"a", "Carla"}
    again, _ = signing.sign(release(roots, "", NOW), signer("a"))
    assert signing.pieces(again)[1].missing == 1


@pytest.mark.parametrize(
    ("uri", "pin", "said"),
    [
        ("{p256}", "111111", "did not do it"),
        ("{none}", PIN, "did not do it"),
        ("{p521}", PIN, "none of EC on P-256 or P-384"),
        ("pkcs11:token=other;object=p256?module-path=/usr/lib/softhsm/libsofthsm2.so", PIN, "did not do it"),
        ("pkcs11:token=KSZ;object=p256?module-path=/nowhere.so", PIN, "did not do it"),
        ("pkcs11:token=KSZ;object=p256", PIN, "is named like"),
        ("file.pem", PIN, "is named like"),
    ],
)
def test_what_a_token_does_not_do(token: str, uri: str, pin: str, said: str) -> None:
    if uri.startswith("{"):
        uri = token.format(uri[1:-1])
    with pytest.raises(ConfigurationError, match=said) as error, open_token(uri, pin):
        pass
    assert pin not in str(error.value)


def test_by_the_command_line(token: str, tmp_path: Path) -> None:
    (tmp_path / "pin").write_text(PIN)
    words = ("--passphrase", str(tmp_path / "pin"))
    for label in ("p256", "p384"):
        to = str(tmp_path / label)
        done("new-key", "--name", label.upper(), "--token", token.format(label), "--to", to, *words)
        assert not Path(to).exists()
    keys = [word for label in ("p256", "p384") for word in ("--key", str(tmp_path / f"{label}.pub"))]
    done("rotate-keys", *keys, "--to", str(tmp_path / "roots"))
    for label in ("p256", "p384"):
        said = done("sign", str(tmp_path / "roots"), "--key", token.format(label), *words)
    assert said["complete"] is True
