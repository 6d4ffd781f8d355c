"""Whose signatures count: tables of rotations and rollbacks like those of python-tuf's own tests."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.signer import CryptoSigner, SSlibKey
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Delegations, Metadata, Targets
from tuf.api.serialization import SerializationError

from gateway.errors import ConfigurationError
from gateway.policy import signing
from gateway.policy.container import TARGETS, Container, root_name
from gateway.policy.memory import Memory, Seen, admit, recall, remember
from gateway.policy.refusals import ReleaseRefused
from gateway.policy.trust import Verified, content_hash, unfit, verify
from tests.policy.signers import DAY, FILES, changed, first_root, key, keyid, next_root, release, signed, signer

NOW = 1_780_000_000.0
FAR = NOW + 700 * DAY
ROOTS = first_root("ab", FAR)
TRUSTED = ROOTS[root_name(1)]
GOOD = release(ROOTS, "ab", NOW)


def refused(container: Container, trusted: bytes = TRUSTED) -> str:
    with pytest.raises(ReleaseRefused) as error:
        verify(container, trusted)
    assert error.value.faults[0].where == error.value.code
    return error.value.code


def test_a_good_release() -> None:
    verified = verify(GOOD, TRUSTED)
    assert (verified.number, verified.starts, verified.root_version) == (1, NOW, 1)
    assert verified.expires == NOW + 180 * DAY
    assert verified.files == FILES
    assert verified.table == content_hash(FILES)
    assert sorted(one.name for one in verified.signers) == ["a", "b"]


def test_a_root_that_ends_before_the_release_ends_it() -> None:
    roots = first_root("ab", NOW + DAY)
    assert verify(release(roots, "ab", NOW), roots[root_name(1)]).expires == NOW + DAY


# --- the release's signatures -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("by", "code"),
    [
        ("", "unsigned"),
        ("a", "under_threshold"),
        ("ax", "wrong_key"),
        ("xy", "wrong_key"),
        ("ab", None),
        ("abx", None),
    ],
)
def test_who_signs_a_release(by: str, code: str | None) -> None:
    container = release(ROOTS, by, NOW)
    if code is None:
        assert len(verify(container, TRUSTED).signers) == 2
    else:
        assert refused(container) == code


def test_a_threshold_of_three() -> None:
    roots = first_root("abc", FAR, threshold=3)
    assert refused(release(roots, "ab", NOW), roots[root_name(1)]) == "under_threshold"
    assert len(verify(release(roots, "abc", NOW), roots[root_name(1)]).signers) == 3


def test_signing_twice_counts_once() -> None:
    raw = json.loads(release(ROOTS, "a", NOW)[TARGETS])
    raw["signatures"].append(dict(raw["signatures"][0]))
    assert refused({**GOOD, TARGETS: json.dumps(raw).encode()}) == "malformed"  # one key id twice
    raw["signatures"][1]["keyid"] = keyid("b")  # the same signature under another's name
    assert refused({**GOOD, TARGETS: json.dumps(raw).encode()}) == "bad_signature"


@pytest.mark.parametrize("damage", ["", "00", "zz", "0", "00" * 64, "ff" * 10_000])
def test_a_signature_that_is_none(damage: str) -> None:
    raw = json.loads(GOOD[TARGETS])
    raw["signatures"][0]["sig"] = damage
    assert refused({**GOOD, TARGETS: json.dumps(raw).encode()}) == "bad_signature"


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw["signed"].update(version=2),
        lambda raw: raw["signed"].update(expires="2099-01-01T00:00:00Z"),
        lambda raw: raw["signed"]["custom"].update(release=2),
        lambda raw: raw["signed"]["targets"].pop("roles.toml"),
        lambda raw: raw["signed"].update(surprise=1),
    ],
)
def test_what_is_changed_after_it_was_signed(change: Callable[[dict[str, Any]], object]) -> None:
    raw = json.loads(GOOD[TARGETS])
    change(raw)
    assert refused({**GOOD, TARGETS: json.dumps(raw).encode()}) == "bad_signature"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda one: one.unrecognized_fields.pop("custom"), "malformed"),
        (lambda one: one.unrecognized_fields["custom"].update(release=2), "malformed"),
        (lambda one: one.unrecognized_fields["custom"].update({"from": "tomorrow"}), "malformed"),
        (lambda one: one.unrecognized_fields["custom"].update(more=1), "malformed"),
        (lambda one: one.unrecognized_fields["custom"].update(table="0" * 64), "altered_file"),
        (lambda one: setattr(one, "delegations", Delegations({}, {})), "malformed"),
        (lambda one: setattr(one, "version", 2**40), "malformed"),
        (lambda one: setattr(one.targets["roles.toml"], "hashes", {"sha512": "0" * 128}), "malformed"),
        (lambda one: one.targets.pop("roles.toml"), "extra_file"),
        (lambda one: setattr(one.targets["roles.toml"], "length", 1), "altered_file"),
    ],
)
def test_what_signers_must_not_sign(change: Callable[[Targets], object], code: str) -> None:
    assert refused(changed(GOOD, TARGETS, change, "ab")) == code


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (TRUSTED, "wrong_type"),
        (b"", "malformed"),
        (b"[]", "malformed"),
        (b"{" * 100_000, "malformed"),
        (GOOD[TARGETS].replace(keyid("a").encode(), b"x").replace(b'"x"', b"null"), "malformed"),
        (GOOD[TARGETS].replace(b'"hashes":{"sha256"', b'"hashes":{"x":1},"y":{"sha256"'), "malformed"),
        (b'{"signatures": [], "signed": {"_type": "snapshot"}}', "malformed"),
        (GOOD[TARGETS].replace(b'"version":1', b'"version":1.5'), "malformed"),
        (GOOD[TARGETS].replace(b'"version":1', b'"version":true'), "malformed"),
        (GOOD[TARGETS].replace(b'"version":1', b'"version":0'), "malformed"),
        (GOOD[TARGETS].replace(b'"spec_version":"1.', b'"spec_version":"9.'), "malformed"),
    ],
)
def test_metadata_that_is_none(content: bytes, code: str) -> None:
    assert refused({**GOOD, TARGETS: content}) == code


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({TARGETS: None}, "missing_file"),
        ({"table/roles.toml": None}, "missing_file"),
        ({"table/roles.toml": b"[[role]]\n"}, "altered_file"),
        ({"table/regulation/1/nl.md": b"een"}, "altered_file"),
        ({"table/institutions/0000000196.toml": b""}, "extra_file"),
    ],
)
def test_files_that_are_not_those_that_were_signed(change: dict[str, bytes | None], code: str) -> None:
    container = {name: content for name, content in {**GOOD, **change}.items() if content is not None}
    assert refused(container) == code


@given(st.data())
def test_no_byte_can_be_changed(data: st.DataObject) -> None:
    """One byte of anything: it is refused, or it says the very same (white space, the order of signatures)."""
    name = data.draw(st.sampled_from(sorted(GOOD)))
    content = bytearray(GOOD[name])
    if not content:
        content.append(data.draw(st.integers(0, 255)))
    else:
        position = data.draw(st.integers(0, len(content) - 1))
        content[position] ^= data.draw(st.integers(1, 255))
    try:
        verified = verify({**GOOD, name: bytes(content)}, TRUSTED)
    except ReleaseRefused:
        return
    assert verified == verify(GOOD, TRUSTED)


def test_whatever_goes_wrong_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.policy.trust.content_hash", lambda files: files.nothing)
    assert refused(GOOD) == "malformed"


# --- roots ------------------------------------------------------------------------------------------------------------

SECOND = next_root(ROOTS, "abc", FAR, releases=[key("c")], roots=[key("c")], remove=[keyid("a")])
"""c takes a's place: signed by a and b for the old one, by b and c for the new one."""


@pytest.mark.parametrize(
    ("by", "code"),
    [
        ("bc", None),
        ("bcx", None),
        ("ab", "retired_key"),
        ("b", "under_threshold"),
        ("ac", "retired_key"),
        ("a", "retired_key"),
        ("bx", "wrong_key"),
    ],
)
def test_after_a_rotation_the_new_signers_count(by: str, code: str | None) -> None:
    container = release(SECOND, by, NOW)
    if code is None:
        assert verify(container, TRUSTED).root_version == 2
    else:
        assert refused(container) == code


@pytest.mark.parametrize(
    ("by", "code"),
    [
        ("abc", None),
        ("ab", "root_under_threshold"),  # the old ones alone
        ("bc", "root_not_signed_by_old"),  # the new ones alone
        ("ac", "root_not_signed_by_old"),
        ("", "root_not_signed_by_old"),
        ("xyz", "root_not_signed_by_old"),
        ("a", "root_not_signed_by_old"),
        ("abx", "root_under_threshold"),
    ],
)
def test_who_signs_a_root(by: str, code: str | None) -> None:
    roots = next_root(ROOTS, by, FAR, releases=[key("c")], roots=[key("c")], remove=[keyid("a")])
    container = release(roots, "bc", NOW)
    if code is None:
        assert verify(container, TRUSTED).number == 1
    else:
        assert refused(container) == code


@pytest.mark.parametrize(
    ("steps", "by", "code"),
    [
        # python-tuf, test_updater_key_rotations: rotations of keys and thresholds, one after the other
        ([("abc", {"root_threshold": 2}), ("abc", {"roots": "d", "root_threshold": 3})], "ab", "root_under_threshold"),
        ([("ab", {"roots": "cd", "root_threshold": 2}), ("cd", {"remove": "ab"})], "cd", None),
        ([("ab", {"roots": "cd"}), ("ab", {"remove": "ab"})], "cd", "root_under_threshold"),
        ([("ab", {"roots": "cd"}), ("abcd", {"remove": "ab"}), ("ab", {})], "cd", "root_not_signed_by_old"),
        ([("abc", {"roots": "c", "root_threshold": 3}), ("ab", {})], "ab", "root_not_signed_by_old"),
        ([("ab", {"roots": "c"}), ("ab", {"root_threshold": 3})], "ab", "root_under_threshold"),
        ([("abc", {"roots": "c", "root_threshold": 3}), ("abc", {"root_threshold": 2}), ("ab", {})], "ab", None),
        ([("ab", {})] * 5, "ab", None),
    ],
)
def test_chains_of_roots(steps: list[tuple[str, dict[str, Any]]], by: str, code: str | None) -> None:
    roots: dict[str, bytes] = ROOTS
    for signers, changes in steps:
        kept = dict(changes)
        for role in ("roots", "releases"):
            if role in kept:
                kept[role] = [key(name) for name in kept[role]]
        if "roots" in kept:
            kept["releases"] = kept["roots"]
        if "remove" in kept:
            kept["remove"] = [keyid(name) for name in kept["remove"]]
        roots = next_root(roots, signers, FAR, **kept)
    container = release(roots, by, NOW)
    if code is None:
        assert verify(container, TRUSTED).root_version == len(steps) + 1
    else:
        assert refused(container) == code


def test_gaps_and_other_versions() -> None:
    third = next_root(SECOND, "bc", FAR)
    gap = release(third, "bc", NOW)
    del gap[root_name(2)]
    assert refused(gap) == "root_missing"
    assert verify(gap, SECOND[root_name(2)]).root_version == 3  # who trusts the second needs no first
    jumped = {**third, root_name(2): third[root_name(3)]}
    assert refused(release(jumped, "bc", NOW)) == "root_version"
    again = {**SECOND, root_name(3): SECOND[root_name(2)]}
    assert refused(release(again, "bc", NOW)) == "root_version"
    assert refused({**GOOD, root_name(2): GOOD[TARGETS]}) == "wrong_type"
    assert refused({**GOOD, root_name(2): b"{}"}) == "malformed"


def test_a_release_of_another_world() -> None:
    theirs = first_root("xy", FAR)
    assert refused(release(theirs, "xy", NOW)) == "root_differs"
    without = release(theirs, "xy", NOW)
    del without[root_name(1)]
    assert refused(without) == "wrong_key"
    assert refused(release(ROOTS, "ab", NOW), SECOND[root_name(2)]) == "root_older"


def test_an_expired_root_in_between_is_no_matter() -> None:
    middle = next_root(ROOTS, "ab", NOW - DAY)
    last = next_root(middle, "ab", FAR)
    assert verify(release(last, "ab", NOW), TRUSTED).root_expires == FAR


@pytest.mark.parametrize(
    "change",
    [
        lambda root: setattr(root.roles["targets"], "threshold", 1),
        lambda root: setattr(root.roles["root"], "threshold", 1),
        lambda root: setattr(root.roles["targets"], "threshold", 2.0),
        lambda root: setattr(root.keys[keyid("a")], "scheme", "rsassa-pss-sha256"),
        lambda root: root.keys[keyid("a")].unrecognized_fields.update({"x-name": "\x1b[2J"}),
        lambda root: root.keys[keyid("a")].unrecognized_fields.update({"x-name": 1}),
        lambda root: root.keys[keyid("a")].keyval.update(public="00"),
        lambda root: root.keys[keyid("a")].keyval.update(more="x"),
    ],
)
def test_a_root_that_is_not_fit(change: Callable[[Any], object]) -> None:
    roots = next_root(ROOTS, "ab", FAR)
    metadata: Metadata[Any] = Metadata.from_bytes(roots[root_name(2)])
    change(metadata.signed)
    try:
        bad = {**roots, root_name(2): signed(metadata, "ab")}
    except (RepositoryError, SerializationError):  # what TUF itself does not sign comes from elsewhere
        bad = {**roots, root_name(2): metadata.to_bytes()}
    assert refused(release(bad, "ab", NOW)) in ("root_unfit", "malformed")


def test_one_key_under_two_names_is_one_key() -> None:
    """Else one signer would be two people."""
    twice = SSlibKey("f" * 64, "ed25519", "ed25519", {"public": key("a").keyval["public"]})
    assert unfit(twice) == "its id does not follow from it"
    metadata = signing.new_root(None, releases=[key("a"), twice], roots=[key("a"), twice], expires=FAR)
    metadata.sign(signer("a"), append=True)
    copy = json.loads(metadata.to_bytes())
    copy["signatures"].append({"keyid": "f" * 64, "sig": copy["signatures"][0]["sig"]})
    assert refused(GOOD, json.dumps(copy).encode()) == "no_trusted_root"


def test_kinds_of_keys() -> None:
    for private in (
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP384R1()),
        rsa.generate_private_key(65537, 3072),
    ):
        assert unfit(CryptoSigner(private).public_key) is None
    assert unfit(CryptoSigner(rsa.generate_private_key(65537, 2048)).public_key) == "RSA of 2048 bits"


@pytest.mark.parametrize(
    "trusted",
    [
        b"", b"{}", GOOD[TARGETS], first_root("ab", FAR, by="a")[root_name(1)], first_root("ab", FAR, by="")[root_name(1)],
        TRUSTED.replace(b'"threshold":2', b'"threshold":1'),
    ],
)  # fmt: skip
def test_a_trusted_root_that_is_none(trusted: bytes) -> None:
    assert refused(GOOD, trusted) == "no_trusted_root"


# --- what was seen before ---------------------------------------------------------------------------------------------


def _verified(container: Container) -> Verified:
    return verify(container, TRUSTED)


def _memory(container: Container) -> Memory:
    return Memory(highest=Seen.of(_verified(container)), running=None)


FIFTH = release(SECOND, "bc", NOW, number=5)


@pytest.mark.parametrize(
    ("container", "memory", "now", "code"),
    [
        (FIFTH, None, NOW, None),
        (FIFTH, FIFTH, NOW, None),
        (release(SECOND, "bc", NOW, number=6), FIFTH, NOW, None),
        (release(SECOND, "bc", NOW, number=4), FIFTH, NOW, "older_release"),
        (release(SECOND, "bc", NOW, number=1), FIFTH, NOW, "older_release"),
        (release(SECOND, "bc", NOW + 60, number=5), FIFTH, NOW, "release_differs"),
        (release(ROOTS, "ab", NOW, number=6), FIFTH, NOW, "root_older"),
        (release(next_root(ROOTS, "abd", FAR, roots=[key("d")]), "ab", NOW, number=6), FIFTH, NOW, "root_differs"),
        (FIFTH, None, NOW + 181 * DAY, "expired"),
        (FIFTH, FIFTH, NOW + 181 * DAY, None),  # it was taken while it was good
        (FIFTH, release(SECOND, "bc", NOW, number=4), NOW + 181 * DAY, "expired"),
        (FIFTH, None, NOW + 180 * DAY, "expired"),  # the moment itself is over
        (FIFTH, None, NOW + 180 * DAY - 1, None),
        (FIFTH, None, NOW + 701 * DAY, "root_expired"),
    ],
)
def test_what_is_admitted(container: Container, memory: Container | None, now: float, code: str | None) -> None:
    known = None if memory is None else _memory(memory)
    if code is None:
        admit(_verified(container), known, now)
    else:
        with pytest.raises(ReleaseRefused) as error:
            admit(_verified(container), known, now)
        assert error.value.code == code


def test_one_more_signature_is_the_same_release() -> None:
    roots = first_root("abc", FAR)
    trusted = roots[root_name(1)]
    two, three = (verify(release(roots, by, NOW, number=5), trusted) for by in ("ab", "abc"))
    assert two.signed == three.signed
    admit(three, Memory(highest=Seen.of(two)), NOW)


def test_the_memory_only_rises(tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    assert recall(path, tmp_path / "releases", TRUSTED, NOW) is None
    fifth = _verified(FIFTH)
    remember(path, fifth, fifth.signed)
    memory = recall(path, tmp_path / "releases", TRUSTED, NOW)
    assert memory == Memory(highest=Seen.of(fifth), running=fifth.signed)
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ReleaseRefused) as error:
        remember(path, _verified(release(SECOND, "bc", NOW, number=4)), None)
    assert error.value.code == "older_release"
    sixth = _verified(release(SECOND, "bc", NOW, number=6, starts=NOW + DAY))
    remember(path, sixth, None)  # it waits: the fifth serves on
    memory = recall(path, tmp_path / "releases", TRUSTED, NOW)
    assert memory is not None
    assert (memory.highest.number, memory.running) == (6, fifth.signed)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"highest": {"number": 0}}', b"\xff"])
def test_a_damaged_memory_is_not_guessed_at(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "table.json"
    path.write_bytes(content)
    for act in (lambda: recall(path, tmp_path, TRUSTED, NOW), lambda: remember(path, _verified(GOOD), None)):
        with pytest.raises(ReleaseRefused) as error:
            act()
        assert error.value.code == "memory_damaged"
    assert path.read_bytes() == content


# --- signing apart ----------------------------------------------------------------------------------------------------


def test_two_sign_apart_and_it_is_put_together() -> None:
    draft = release(ROOTS, "", NOW)
    mine, names = signing.sign(draft, signer("a"))
    theirs, _ = signing.sign(draft, signer("b"))
    assert names == [TARGETS]
    together = signing.merge([mine, theirs])
    assert len(verify(together, TRUSTED).signers) == 2
    assert signing.merge([theirs, mine, draft]) == together
    assert signing.sign(mine, signer("a"))[1] == []
    assert signing.sign(draft, signer("x"))[1] == []
    assert [piece.missing for piece in signing.pieces(mine)] == [0, 1]


def test_a_root_is_signed_by_the_old_and_the_new() -> None:
    metadata = signing.new_root(
        signing.newest_root(ROOTS), releases=[key("c")], roots=[key("c")], remove=[keyid("a")], expires=FAR
    )
    draft = {**ROOTS, root_name(2): metadata.to_bytes()}
    assert signing.pieces(draft)[1].missing == 2
    for name, missing in (("b", 1), ("c", 1), ("a", 0)):
        draft, names = signing.sign(draft, signer(name))
        assert names == [root_name(2)]
        assert signing.pieces(draft)[1].missing == missing
    signing.check_roots(draft)
    assert signing.sign(draft, signer("x"))[1] == []


def test_what_is_not_the_same_is_not_put_together() -> None:
    for other in (
        release(ROOTS, "b", NOW, number=2),
        release(ROOTS, "b", NOW, files={**FILES, "roles.toml": b"# other\n"}),
        release(first_root("ab", FAR + 5), "b", NOW),
    ):
        with pytest.raises(ReleaseRefused):
            signing.merge([GOOD, other])


def test_nobody_signs_what_its_files_are_not() -> None:
    draft = release(ROOTS, "", NOW)
    with pytest.raises(ReleaseRefused) as error:
        signing.sign({**draft, "table/roles.toml": b"[[role]]"}, signer("a"))
    assert error.value.code == "altered_file"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"threshold": 1}, "at least 2 people"),
        ({"root_threshold": 3}, "3 must sign and only 2 may"),
        ({"remove": ["f" * 64]}, "names no key"),
        ({"remove": [keyid("a")]}, "2 must sign and only 1 may"),
    ],
)
def test_roots_that_could_not_be_used_are_not_made(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        signing.new_root(signing.newest_root(ROOTS), expires=FAR, **changes)


def test_a_key_is_under_a_passphrase() -> None:
    private, public = signing.make_key("An Jansen", "a long passphrase")
    assert b"ENCRYPTED" in private
    opened = signing.open_key(private, "a long passphrase")
    assert opened.public_key.keyid == signing.read_public(public).keyid
    for pem, passphrase in (
        (private, "another passphrase"),
        (private, ""),
        (b"", "x"),
        (b"ENCRYPTED PRIVATE KEY", "x"),
    ):
        with pytest.raises(ConfigurationError) as error:
            signing.open_key(pem, passphrase)
        assert "another passphrase" not in str(error.value)
    with pytest.raises(ConfigurationError, match="12 characters"):
        signing.make_key("An", "short")
    with pytest.raises(ConfigurationError, match="needs a name"):
        signing.make_key(" ", "a long passphrase")
    plain = base64.b64encode(Ed25519PrivateKey.generate().private_bytes_raw())
    with pytest.raises(ConfigurationError, match="no private key under a passphrase"):
        signing.open_key(plain, "a long passphrase")
    for content in (
        b"",
        b"[]",
        b"{}",
        public.replace(b'"public": "', b'"public": "0'),
        public.replace(b'"keyid": "', b'"keyid": "0'),
    ):
        with pytest.raises(ConfigurationError, match="no public key of a signer"):
            signing.read_public(content)


# --- hostile metadata -------------------------------------------------------------------------------------------------

odd = st.sampled_from(
    [None, True, 0, -1, 2**70, 1.5, "", "x", "\x00", "é" * 300, [], {}, [[]], {"a": 1}, ["a", "a"], "2099-01-01T00:00:00Z", "9" * 5000]
)  # fmt: skip


def _places(value: object, here: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = [here] if here else []
    if isinstance(value, dict):
        for name in value:
            found += _places(value[name], (*here, name))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            found += _places(one, (*here, number))
    return found


def _verdict(container: Container, trusted: bytes) -> str | None:
    """The code of the refusal, if it is one; any other error fails the test."""
    try:
        verify(container, trusted)
    except ReleaseRefused as refusal:
        return refusal.code if str(refusal).isprintable() else "unprintable"
    return None


@pytest.mark.timeout(900)  # of the long rounds
@given(st.data())
def test_odd_metadata_is_refused_and_nothing_else_happens(data: st.DataObject) -> None:
    """Whatever stands in it, also under good signatures: a refusal with a code, never another error."""
    container: dict[str, bytes] = dict(release(SECOND, "bc", NOW))
    name = data.draw(st.sampled_from([TARGETS, root_name(2)]))
    raw = json.loads(container[name])
    for _ in range(data.draw(st.integers(1, 3))):
        *way, last = data.draw(st.sampled_from(_places(raw)))
        place = raw
        try:
            for step in way:
                place = place[step]
            kind = data.draw(st.sampled_from(["set", "delete", "add"]))
            if kind == "set":
                place[last] = copy.deepcopy(data.draw(odd))
            elif kind == "delete":
                del place[last]
            elif isinstance(place, dict):
                place[data.draw(st.sampled_from(["custom", "delegations", "x", "hashes", keyid("a")]))] = copy.deepcopy(
                    data.draw(odd)
                )
        except (KeyError, IndexError, TypeError):
            continue  # an earlier step took the place away
        if not raw:
            break
    changed_ = json.dumps(raw).encode()
    if data.draw(st.booleans()):
        try:
            metadata: Metadata[Any] = Metadata.from_bytes(changed_)
            changed_ = signed(metadata, "abc" if name != TARGETS else "bc")
        except Exception:  # noqa: BLE001 - what TUF itself cannot read or sign goes as it is
            changed_ = json.dumps(raw).encode()
    assert _verdict({**container, name: changed_}, TRUSTED) != "unprintable"


@pytest.mark.timeout(900)  # of the long rounds
@given(st.data())
def test_odd_trusted_roots_are_refused_and_nothing_else_happens(data: st.DataObject) -> None:
    raw = json.loads(TRUSTED)
    *way, last = data.draw(st.sampled_from(_places(raw)))
    place = raw
    for step in way:
        place = place[step]
    place[last] = copy.deepcopy(data.draw(odd))
    assert _verdict(GOOD, json.dumps(raw).encode()) in (None, "no_trusted_root", "root_differs")
