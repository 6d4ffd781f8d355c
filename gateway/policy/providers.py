"""`[[provider]]` of gateway.toml: a provider of the federation, by OpenID Connect, and what proves to it that it is this gateway that asks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import AfterValidator, Field

from gateway.errors import Fault, OutboundError
from gateway.model import Means
from gateway.outbound.hosts import Place, parse_url
from gateway.policy.faults import FileModel, readable
from gateway.policy.kinds import Duration, Many, OneOrMany, OptionalFilePath, PlaceText, Words
from gateway.policy.schema import DAY, Identifier, Languages, is_loopback

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""By a key pair. HS256 is none of them: whoever knows the secret, or takes the public key for one, could sign."""
LEAST_RSA_BITS = 2048
MAX_SECRET_BYTES = 4096


def _issuer(text: str) -> str:
    try:
        url = parse_url(text)
    except OutboundError:
        raise ValueError("it is not the address of an issuer. Write https://name[:port][/path]") from None
    if url.query is not None:
        raise ValueError("an issuer has no query. Take it out")
    _confidential(url.place)
    return text


def _confidential(place: Place) -> Place:
    if place.scheme == "http" and not is_loopback(urlsplit(str(place))):
        raise ValueError("plain http to another machine is not confidential. Use https, or a provider on loopback")
    return place


def _scopes(found: tuple[str, ...]) -> tuple[str, ...]:
    if "openid" not in found:
        raise ValueError("without openid it is no sign-in. Add it")
    return found


class ProviderTable(FileModel):
    """One provider. `acr` says which means each of its words for a way of signing in stands for; `acr_values` are those of them that a
    sign-in asks for (all, when left out); `hosts` are places beside the issuer's to which its addresses lead."""

    id: Identifier
    title: Languages
    issuer: Annotated[str, AfterValidator(_issuer)]
    client_id: Words
    client_secret: OptionalFilePath = None
    client_key: OptionalFilePath = None
    scopes: Annotated[tuple[Words, ...], Many, AfterValidator(_scopes)] = ("openid", "profile", "egovnrn")
    algorithms: Annotated[tuple[Algorithm, ...], OneOrMany, Field(min_length=1)] = ("RS256",)
    acr: Annotated[dict[str, Literal["password", "token", "itsme", "eid"]], Field(min_length=1)]
    acr_values: Annotated[tuple[str, ...], OneOrMany] = ()
    max_age: Annotated[Duration, Field(ge=0, le=DAY)] = 900.0
    hosts: Annotated[tuple[Annotated[PlaceText, AfterValidator(_confidential)], ...], OneOrMany] = ()

    @property
    def asked(self) -> tuple[str, ...]:
        """The words that a sign-in asks for, the preferred one first."""
        return self.acr_values or tuple(self.acr)

    @property
    def means(self) -> dict[str, Means]:
        return {word: Means(means) for word, means in self.acr.items()}

    @property
    def places(self) -> tuple[Place, ...]:
        """Where it may lead, for us and for a browser: the issuer's own place first."""
        return tuple(dict.fromkeys((parse_url(self.issuer).place, *self.hosts)))


def check_providers(providers: tuple[ProviderTable, ...]) -> Iterator[Fault]:
    """What one key of a provider alone cannot tell."""
    seen: dict[str, int] = {}
    for number, provider in enumerate(providers, 1):
        where = f"provider[{number}]"
        if readable(provider.id) and (first := seen.setdefault(provider.id, number)) != number:
            yield _fault(f"{where}.id", f"provider[{first}] has it as well", "Give each a name of its own")
        if readable(provider.client_secret) and readable(provider.client_key):
            if provider.client_secret is None and provider.client_key is None:
                what = "nothing proves to the provider that it is this gateway that asks"
                yield _fault(where, what, "Name the file of client_secret, or of client_key")
            elif provider.client_secret is not None and provider.client_key is not None:
                yield _fault(f"{where}.client_secret", "client_key is there as well", "Leave one of them out")
        if readable(provider.acr) and readable(provider.acr_values):
            for word in provider.acr_values:
                if word not in provider.acr:
                    what = f"acr does not say which means {word} stands for"
                    yield _fault(f"{where}.acr_values", what, "Add it to acr, or leave it out here")


def _fault(where: str, what: str, mend: str) -> Fault:
    return Fault("gateway.toml", where, what, mend)


def load_client_secret(path: Path) -> str:
    """The secret that the provider gave, in a file of its own; a line end is no part of it. Raises OSError, ValueError."""
    text = path.read_bytes()[: MAX_SECRET_BYTES + 1].decode("ascii").rstrip("\r\n")
    if not text or not text.isprintable() or len(text) > MAX_SECRET_BYTES:
        raise ValueError("a client's secret is one line of printable ASCII")
    return text


def load_client_key(path: Path) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    """The private key whose public half the provider has. Raises OSError, ValueError."""
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (TypeError, UnsupportedAlgorithm) as error:
        raise ValueError(str(error)) from None
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= LEAST_RSA_BITS:
        return key
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise ValueError("a client's key is RSA with 2048 bits or more, or EC P-256")
