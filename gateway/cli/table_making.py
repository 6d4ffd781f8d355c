"""`gateway table …`: how a release comes about: keys and roots, a release that nobody signed yet, signatures, and what was signed apart put
together. These commands work on files alone: each signer uses them on a machine of their own (docs/releases.md).
"""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from securesystemslib.signer import Key, Signer

from gateway.cli import table_words as words
from gateway.cli.output import JsonOption, moment_of, read_secret
from gateway.errors import ConfigurationError
from gateway.policy import signing
from gateway.policy.checks import check_table
from gateway.policy.container import (
    TARGETS,
    Container,
    read_container,
    root_files,
    root_name,
    write_container,
    write_signatures,
)
from gateway.policy.faults import run_checks
from gateway.policy.files import read_directory
from gateway.policy.making import write_new
from gateway.policy.refusals import ReleaseFaulty
from gateway.policy.settings import load_settings
from gateway.policy.table import DecisionSettings, parse_table
from gateway.policy.token import SCHEME, open_token
from gateway.policy.trust import NEWEST

DAY = 86400.0
MAX_DAYS = 3650

ReleaseArgument = Annotated[Path, typer.Argument(metavar="RELEASE", help="An archive (.tar) or a directory.")]
ToOption = Annotated[
    Path,
    typer.Option(
        "--to", metavar="PATH", help="Where it is written: an archive when it ends on .tar, else a directory."
    ),
]
PassphraseOption = Annotated[
    str,
    typer.Option(
        "--passphrase",
        metavar="FILE",
        help="The file with the key's passphrase; - (the default) to type it, or for standard input.",
    ),
]


# --- keys and roots -------------------------------------------------------------------------------------------------------


def new_key(
    name: Annotated[str, typer.Option("--name", help="Whose key it is; it stands in the root, for everybody to see.")],
    to: Annotated[
        Path, typer.Option("--to", metavar="FILE", help="The private key; the public one beside it, as FILE.pub.")
    ],
    passphrase: PassphraseOption = "-",  # noqa: S107 - where it is read from
    token: Annotated[
        str | None,
        typer.Option(
            "--token",
            metavar="URI",
            help="A key that is on a card or security module (pkcs11:…); FILE.pub alone is written.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a signer's key (Ed25519), under a passphrase. The public half is handed over, and its id compared by another way.

    Examples:
      gateway table new-key --name "An Jansen, KSZ" --to an.pem
      gateway table new-key --name "An Jansen, KSZ" --token "pkcs11:token=KSZ;object=an?module-path=/usr/lib/softhsm/libsofthsm2.so" --to an
    """
    public = to.with_name(f"{to.name}.pub")
    made = [public] if token else [to, public]
    with words.saying(as_json=as_json):
        for path in made:  # before a private key is there that has no public one
            if path.exists():
                raise FileExistsError(errno.EEXIST, "there already", str(path))
        secret = read_secret(passphrase, "passphrase" if token is None else "PIN", new=token is None)
        if token is None:
            private, content = signing.make_key(name, secret)
            write_new(to, private)
        else:
            with open_token(token, secret) as signer:
                content = signing.write_public(signer.public_key, name)
        write_new(public, content, 0o644)
        keyid = signing.read_public(content).keyid
    files = [str(path) for path in made]
    words.say("\n".join([*files, f"key {keyid}"]), {"made": files, "keyid": keyid}, as_json=as_json)


def rotate_keys(
    to: ToOption,
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="PATH", help="The roots until now, or a release; left out for the first root."),
    ] = None,
    keys: Annotated[
        list[Path] | None,
        typer.Option("--key", metavar="PUB", help="A public key that may sign releases from now on; several."),
    ] = None,
    root_keys: Annotated[
        list[Path] | None,
        typer.Option(
            "--root-key",
            metavar="PUB",
            help="One that may sign roots; for the first root, those of releases by default.",
        ),
    ] = None,
    remove: Annotated[
        list[str] | None, typer.Option("--remove", metavar="KEYID", help="A key that may sign nothing more; several.")
    ] = None,
    threshold: Annotated[
        int | None, typer.Option("--threshold", help="How many must sign a release; 2 at first, never less.")
    ] = None,
    root_threshold: Annotated[
        int | None, typer.Option("--root-threshold", help="How many must sign a root; likewise.")
    ] = None,
    days: Annotated[
        int, typer.Option("--days", min=1, max=MAX_DAYS, help="How long the root is good for.")
    ] = signing.ROOT_DAYS,
    as_json: JsonOption = False,
) -> None:
    """Make the next root: who may sign from now on. It counts when enough signers of the last root and enough of its own have signed it.

    Examples:
      gateway table rotate-keys --key an.pem.pub --key bert.pem.pub --to roots
      gateway table rotate-keys --from roots --key carla.pem.pub --root-key carla.pem.pub --remove KEYID --to new-roots
    """
    with words.saying(as_json=as_json):
        before: Container = {} if source is None else read_container(source)
        roots = root_files(before)
        signing.check_roots(roots)
        releases = _public_keys(keys)
        for_roots = _public_keys(root_keys)
        previous = signing.newest_root(roots) if roots else None
        root = signing.new_root(
            previous,
            releases=releases,
            roots=for_roots or (releases if previous is None else []),
            remove=remove or [],
            threshold=threshold,
            root_threshold=root_threshold,
            expires=time.time() + days * DAY,
        )
        container = {**roots, root_name(root.signed.version): root.to_bytes()}
        write_container(container, to)
        pieces = signing.pieces(container)
    words.tell_pieces(to, container, pieces, as_json=as_json)


def _public_keys(paths: Sequence[Path] | None) -> list[Key]:
    return [_public_key(path) for path in paths or []]


def _public_key(path: Path) -> Key:
    try:
        return signing.read_public(path.read_bytes())
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from None


# --- a release ------------------------------------------------------------------------------------------------------------


def new(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="The table's files: institutions/, transactions/, …")
    ],
    roots: Annotated[
        Path, typer.Option("--roots", metavar="PATH", help="The signed roots, or the last release, which holds them.")
    ],
    to: ToOption,
    number: Annotated[
        int | None,
        typer.Option(
            "--number",
            min=1,
            max=NEWEST,
            help="Higher than that of every release before; by default one more than the one in --roots, or 1.",
        ),
    ] = None,
    starts: Annotated[
        str | None,
        typer.Option("--from", metavar="TIME", help="From when it is in force; Europe/Brussels; default: at once."),
    ] = None,
    days: Annotated[
        int, typer.Option("--days", min=1, max=MAX_DAYS, help="How long after that it is good for.")
    ] = signing.RELEASE_DAYS,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="DIR", help="Check it also against this gateway's settings.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Prepare a release from a directory: its files are read and checked, and nobody has signed it yet.

    Then: gateway table sign, by two people on two copies, and gateway table merge.

    Examples:
      gateway table new config --roots roots --to draft
      gateway table new config --roots release-11.tar --from 2027-01-01 --days 180 --to release-12
    """
    with words.saying(as_json=as_json):
        now = time.time()
        before = read_container(roots)
        signing.check_roots(before)
        begins = now if starts is None else moment_of(starts, "--from")
        files = _checked_files(directory, config, begins)
        least = signing.number_of(before) + 1 if TARGETS in before else 1
        if least > NEWEST:
            raise ConfigurationError(f"the release in {roots} has the highest number that there is: none can follow it")
        if number is not None and number < least:
            raise ConfigurationError(f"the release in {roots} has number {least - 1}: this one needs a higher one")
        container = signing.new_release(
            before,
            files,
            number=least if number is None else number,
            starts=begins,
            expires=max(begins, now) + days * DAY,
        )
        write_container(container, to)
        pieces = signing.pieces(container)
        if signing.newest_root(before).signed.expires.timestamp() < max(begins, now) + days * DAY:
            words.warn(
                "the root expires before this release, and ends it: gateway table rotate-keys makes the next one"
            )
    words.tell_pieces(to, container, pieces, as_json=as_json)


def _checked_files(directory: Path, config: Path | None, at: float) -> dict[str, bytes]:
    """Raises ReleaseFaulty with every fault."""
    found = read_directory(directory)
    table, faults = parse_table(found.files, directory, found.unread)
    faults += found.faults
    if config is not None:
        decision = DecisionSettings.of(load_settings(config))
        faults += run_checks((lambda: iter(check_table(table, decision, at)),))
    if faults:
        raise ReleaseFaulty(faults)
    return found.files


def sign(
    release: ReleaseArgument,
    key: Annotated[
        str,
        typer.Option("--key", metavar="FILE", help="Your private key, under its passphrase; or pkcs11:… on a token."),
    ],
    passphrase: PassphraseOption = "-",  # noqa: S107 - where it is read from
    as_json: JsonOption = False,
) -> None:
    """Sign a release, and the newest root when it lacks your signature. Look at it first: show and diff. It is signed in its place.

    Examples:
      gateway table sign release-12 --key an.pem
      gateway table sign release-12 --key "pkcs11:token=KSZ;object=an?module-path=/usr/lib/softhsm/libsofthsm2.so"
    """
    with words.saying(as_json=as_json):
        container = read_container(release)
        with _signer(key, passphrase) as signer:
            signed, names = signing.sign(container, signer)
            keyid = signer.public_key.keyid
        pieces = signing.pieces(signed)
        if not names:
            already = keyid in pieces[-1].signed
            raise ConfigurationError(
                "this key has signed it already" if already else f"no root lets key {keyid} sign anything here"
            )
        write_signatures(signed, release)
    words.tell_pieces(release, signed, pieces, as_json=as_json)


@contextmanager
def _signer(key: str, passphrase: str) -> Iterator[Signer]:
    if key.startswith(SCHEME):
        with open_token(key, read_secret(passphrase, "PIN")) as token:
            yield token
        return
    pem = Path(key).read_bytes()
    try:
        signer = signing.open_key(pem, read_secret(passphrase, "passphrase"))
    except ConfigurationError as error:
        raise ConfigurationError(f"{key}: {error}") from None
    yield signer


def merge(
    releases: Annotated[list[Path], typer.Argument(metavar="RELEASE…", help="The same release, signed apart.")],
    to: ToOption,
    replace: Annotated[
        bool, typer.Option("--replace", help="Put the archive in the place of the one that is there, at once.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Put together what was signed apart; as an archive it is what is published.

    Example: gateway table merge from-an from-bert --to release-12.tar
    """
    with words.saying(as_json=as_json):
        container = signing.merge([read_container(path) for path in releases])
        if replace and to.is_file():
            write_signatures(container, to)
        else:
            write_container(container, to)
        pieces = signing.pieces(container)
    words.tell_pieces(to, container, pieces, as_json=as_json)
