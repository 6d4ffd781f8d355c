"""Security codes by app: TOTP (RFC 6238) with SHA-1, six digits and steps of 30 seconds, which is what every app speaks.

A code is good once: the caller stores the step that `verify` returns and refuses it, and every earlier one, afterwards
(RFC 6238 section 5.2). That lives in the records, because only they can do it atomically.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from urllib.parse import quote

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from gateway.errors import CredentialError

STEP_SECONDS = 30
DIGITS = 6
DRIFT_STEPS = 1
"""Steps before and after the present one that are accepted: clocks differ, and a person types (RFC 6238 section 5.2)."""

MIN_SECRET_BYTES = 16
"""RFC 4226 section 4, R6: at least 128 bits; 160 are recommended."""
SECRET_BYTES = 20
"""Of a secret that the gateway makes: the 160 bits that RFC 4226 recommends."""
MAX_SECRET_BYTES = 64
"""The block of SHA-1: a longer HMAC key is hashed down first, so it adds nothing."""

_CODE = re.compile(r"[0-9]{6}")


def step_at(now: float) -> int:
    """The number of the step at `now` (Unix seconds)."""
    return int(now // STEP_SECONDS)


def code_at(secret: bytes, step: int) -> str:
    """The code of one step."""
    # SHA-1 is safe inside an HMAC, and the only one that all apps know.
    return TOTP(secret, DIGITS, SHA1(), STEP_SECONDS).generate(step * STEP_SECONDS).decode("ascii")  # noqa: S303 - an HMAC


def verify(secret: bytes, code: str, now: float, last_step: int) -> int:
    """The step whose code this is: the present one or a neighbour, later than `last_step`, which was used already.

    White space inside the code is ignored, as apps show it in groups. All three codes are compared, in constant time each.
    Raises CredentialError: `code_malformed`, `code_wrong` or `code_used`.
    """
    digits = "".join(code.split())
    if not _CODE.fullmatch(digits):
        raise CredentialError("code_malformed")
    present = step_at(now)
    steps = range(max(present - DRIFT_STEPS, 0), present + DRIFT_STEPS + 1)
    matched = [step for step in steps if hmac.compare_digest(code_at(secret, step), digits)]
    if not matched:
        raise CredentialError("code_wrong")
    fresh = [step for step in matched if step > last_step]
    if not fresh:
        raise CredentialError("code_used")
    return fresh[0]


def parse_secret(text: str) -> bytes:
    """The bytes of a secret written in base32, the way apps take it. Raises CredentialError(`secret_malformed`)."""
    compact = "".join(text.split()).upper().rstrip("=")
    try:
        secret = base64.b32decode(compact + "=" * (-len(compact) % 8))
    except (binascii.Error, ValueError):
        raise CredentialError("secret_malformed") from None
    if not MIN_SECRET_BYTES <= len(secret) <= MAX_SECRET_BYTES:
        raise CredentialError("secret_malformed")
    return secret


def enrolment_uri(secret: bytes, user_id: str, issuer: str) -> str:
    """What the QR code of a new secret says to an app: the `otpauth` URI that all of them read. It holds the secret."""
    who, where = quote(user_id, safe=""), quote(issuer, safe="")
    parameters = f"secret={write_secret(secret)}&issuer={where}&digits={DIGITS}&period={STEP_SECONDS}"
    return f"otpauth://totp/{where}:{who}?{parameters}"


def write_secret(secret: bytes) -> str:
    """A secret in base32 without padding, to be typed into an app."""
    return base64.b32encode(secret).decode("ascii").rstrip("=")
