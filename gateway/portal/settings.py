"""What the portal needs to know of the settings."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.model import Channel, Language
from gateway.policy.settings import Settings

HTTPS_PORT = 443


@dataclass(frozen=True, slots=True)
class PortalSettings:
    """`public_port` is the one that browsers type, for the portal and for every transaction host. Durations are seconds.

    `help_desk`, `fault_report` and `security_contact` are an e-mail address, a telephone number or an https address. `eid_doors` are the
    addresses of the eID listeners' hosts (`https://host[:port]`), the one that is tried first before the others; none without a listener.
    """

    host: str
    public_port: int
    default_language: Language
    help_desk: str
    fault_report: str
    privacy_url: str
    accessibility_url: str
    idle_seconds: float
    absolute_seconds: float
    warn_before_seconds: float
    hashing_threads: int
    eid_doors: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: Settings, public_port: int) -> PortalSettings:
        """The portal's part of gateway.toml, in its own words."""
        portal, sessions = settings.portal, settings.sessions
        return cls(
            host=portal.host,
            public_port=public_port,
            default_language=portal.default_language,
            help_desk=portal.help_desk,
            fault_report=portal.fault_report,
            privacy_url=portal.privacy_url,
            accessibility_url=portal.accessibility_url,
            idle_seconds=sessions.idle,
            absolute_seconds=sessions.absolute,
            warn_before_seconds=sessions.warn_before,
            hashing_threads=settings.sign_in.hashing_threads,
            eid_doors=tuple(
                _address(name, listener.public_port)
                for listener in settings.listeners_of(Channel.EID)
                for name in listener.names
            ),
        )

    def address_of(self, host: str) -> str:
        """`https://host[:port]`, without a slash at the end; `host` is one of ours, never taken from a request unchecked."""
        return _address(host, self.public_port)

    @property
    def address(self) -> str:
        return self.address_of(self.host)


def _address(host: str, port: int) -> str:
    return f"https://{host}" if port == HTTPS_PORT else f"https://{host}:{port}"
