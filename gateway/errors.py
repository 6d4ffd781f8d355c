"""One tree of errors. Verifiers and readers raise; the decision returns (a denial is a value, never an exception).

Each branch says whose fault it was, so that a page, a status and a ledger line can tell the client's network, the gateway
and the origin apart (policy clause B2).
"""

from __future__ import annotations


class GatewayError(Exception):
    """Root of all errors that the gateway raises on purpose."""


class MessageError(GatewayError):
    """A message that has no single reading (RFC 9112 section 11).

    `reason` is a code of `decision.reasons`; `detail` says which rule was broken, never repeating hostile bytes unescaped.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class RequestError(MessageError):
    """The client's message was bad: answered with `status` and the connection closed."""

    def __init__(self, reason: str, detail: str, status: int = 400) -> None:
        super().__init__(reason, detail)
        self.status = status


class ResponseError(MessageError):
    """The origin's message was bad: answered to the client with 502, the origin connection closed."""


class WriteError(GatewayError):
    """The gateway itself tried to write a head that could be read as two messages: a fault of ours, nothing was sent."""


class OpeningError(GatewayError):
    """A connection that begins with something else than it should. `why` is a word for the ledger; no byte of it is repeated."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class CredentialError(GatewayError):
    """A credential does not verify. `reason` is a stable word for the ledger, never shown to the person; `detail` what exactly it was,
    where one word does not say it, and never anything of the credential.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


class CertificateRefused(CredentialError):
    """A client certificate that signs nobody in. `reason` is a code of the sign-in attempts, and picks the page's text.

    `step` is the step of `credentials.certificate.verify` that failed, `detail` what it found: words of ours, never the
    certificate's. `issuer`, `serial` and `policy` say which certificate it was, as far as it could be read: for the ledger only.
    """

    def __init__(
        self, reason: str, step: str, detail: str, *, issuer: str = "", serial: str = "", policy: str = ""
    ) -> None:
        super().__init__(reason)
        self.step = step
        self.detail = detail
        self.issuer = issuer
        self.serial = serial
        self.policy = policy


class OutboundError(GatewayError):
    """A request that the gateway makes itself brought no answer. `reason` is a stable word; `place` says whom it was for, never what
    was asked: addresses of a sign-in hold codes.
    """

    def __init__(self, reason: str, place: str = "") -> None:
        super().__init__(f"{reason}: {place}" if place else reason)
        self.reason = reason
        self.place = place


class LedgerError(GatewayError):
    """A line could not be made durable, in time or at all: nothing may be forwarded (clause T1)."""


class RecordsError(GatewayError):
    """The records cannot be read or written: whoever depends on them is refused."""


class SchemaMismatch(RecordsError):
    """The database schema is not the one that this version speaks; the message names the command that mends it."""


class Conflict(RecordsError):
    """An act on records that is not possible as asked (unknown, ended, exists already, outside the grant). Shown to the operator."""


class ChangedMeanwhile(Conflict):
    """Somebody else changed the records between the moment that whoever acts looked at them and the act. Nothing was done."""


class ConfigurationError(GatewayError):
    """Settings, keys or certificates that stop the start. The message says what, where, and what to do."""


class Fault:
    """One fault of a file: where it stands, what is wrong, what to do. `gateway check` prints every one of them."""

    __slots__ = ("file", "mend", "what", "where")

    def __init__(self, file: str, where: str, what: str, mend: str) -> None:
        self.file = file
        self.where = where
        self.what = what
        self.mend = mend

    def __str__(self) -> str:
        place = f"{self.file}: {self.where}" if self.where else self.file
        return f"{place}: {self.what}. {self.mend}"

    def as_dict(self) -> dict[str, str]:
        return {"file": self.file, "where": self.where, "what": self.what, "do": self.mend}


class TableError(GatewayError):
    """A table release that was refused, with every fault found."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults


class OriginError(GatewayError):
    """The origin failed: refused the connection, timed out or broke off (502, 504; clause B2)."""

    def __init__(self, reason: str, detail: str, status: int) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.status = status
