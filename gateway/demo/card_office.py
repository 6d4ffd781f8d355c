"""The demo's office for cards: authorities of its own, a card for whoever's story has one, and the answers about them.

    STATE/cards/root.pem, citizen.pem, foreigner.pem    the authorities with their keys: nobody else may trust them
    STATE/cards/<name>.pem, <name>.p12                  a card, and the same for a browser's store of certificates
    STATE/cards/<name>.revoked                          that this card was revoked: an empty file is enough

What is there is kept, since a browser was given it; a card that names another place for questions (other ports) is made anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from gateway.demo.card_answers import OcspAnswer, revocation_list
from gateway.demo.cards import Issued, Tree, make_tree
from gateway.demo.files import PKCS12_PASSWORD
from gateway.demo.stories import Person
from gateway.demo.write import write_whole

AGE_SECONDS, HOLDS_SECONDS = 60.0, 60.0
"""How old an answer is, and how long it counts: a card that is marked as revoked is told so within a minute."""
_AUTHORITIES: Final = ("root", "citizen", "foreigner")


def open_tree(directory: Path, revocation: str, now: float) -> Tree:
    """The authorities in `directory`, made when they are missing. `revocation` is where their cards say that one can ask."""
    files = [directory / f"{name}.pem" for name in _AUTHORITIES]
    if not all(file.exists() for file in files):
        made = make_tree(now, revocation)
        for file, authority in zip(files, (made.root, made.citizen, made.foreigner), strict=True):
            write_whole(file, authority.pem())
    root, citizen, foreigner = (Issued.read(file.read_bytes()) for file in files)
    return Tree(root, citizen, foreigner, revocation)


def issue(directory: Path, tree: Tree, person: Person, now: float) -> None:
    """The person's card, unless it is there."""
    file = directory / f"{person.user_id}.pem"
    if file.exists() and tree.revocation.encode() in Issued.read(file.read_bytes()).der:
        return
    given, _, surname = person.name.partition(" ")
    keep(directory, person.user_id, tree.card(person.insz, given, surname, now).signed_by(tree.citizen), tree)


def keep(directory: Path, name: str, card: Issued, tree: Tree) -> Path:
    """Writes a card under a name, and gives the file for a browser. From then on the office answers about it."""
    write_whole(directory / f"{name}.pem", card.pem())
    file = directory / f"{name}.p12"
    write_whole(file, card.pkcs12(f"eID of {name} (demo)", PKCS12_PASSWORD, [tree.citizen, tree.root]))
    return file


def publish(tree: Tree, directory: Path) -> None:
    """The authorities' certificates, for the gateway to know cards by."""
    for name, authority in zip(_AUTHORITIES, (tree.root, tree.citizen, tree.foreigner), strict=True):
        write_whole(directory / f"{name}.pem", authority.certificate.public_bytes(Encoding.PEM))


def answers_app(directory: Path, clock: Callable[[], float]) -> web.Application:
    """The responder (RFC 6960 appendix A.1) and the lists. `clock` gives Unix seconds."""

    async def answer(request: web.Request) -> web.Response:
        try:
            asked = ocsp.load_der_ocsp_request(await request.read())
        except ValueError:
            raise web.HTTPBadRequest from None
        body = _answer(directory, asked, clock())
        return web.Response(body=body, content_type="application/ocsp-response")

    async def listed(request: web.Request) -> web.Response:
        kind, now = request.match_info["kind"], clock()
        issuer = Issued.read((directory / f"{kind}.pem").read_bytes())
        revoked = [card.certificate.serial_number for card, gone in _cards(directory) if gone and _of(card, issuer)]
        body = revocation_list(issuer, revoked, now - AGE_SECONDS, now + HOLDS_SECONDS)
        return web.Response(body=body, content_type="application/pkix-crl")

    app = web.Application()
    app.router.add_post("/ocsp", answer)
    app.router.add_get("/{kind:citizen|foreigner}.crl", listed)
    return app


def _answer(directory: Path, asked: ocsp.OCSPRequest, now: float) -> bytes:
    authorities = [Issued.read((directory / f"{name}.pem").read_bytes()) for name in _AUTHORITIES[1:]]
    for card, revoked in _cards(directory):
        issuer = next((authority for authority in authorities if _of(card, authority)), None)
        if card.certificate.serial_number == asked.serial_number and issuer is not None:
            said = OcspAnswer(
                now - AGE_SECONDS,
                now + HOLDS_SECONDS,
                revoked_at=now - AGE_SECONDS if revoked else None,
                nonce=_nonce(asked),
                hash=asked.hash_algorithm,
            )
            return said.signed(card, issuer, issuer)
    refused = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.UNAUTHORIZED)
    return refused.public_bytes(Encoding.DER)


def _cards(directory: Path) -> Iterator[tuple[Issued, bool]]:
    """Each card, and whether it was revoked."""
    for file in sorted(directory.glob("*.pem")):
        if file.stem not in _AUTHORITIES:
            yield Issued.read(file.read_bytes()), file.with_suffix(".revoked").exists()


def _of(card: Issued, authority: Issued) -> bool:
    return card.certificate.issuer == authority.certificate.subject


def _nonce(asked: ocsp.OCSPRequest) -> bytes | None:
    try:
        return asked.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce
    except x509.ExtensionNotFound:
        return None
