"""What is taken for a card: the certificates beside the settings, read into the profile that cards are verified by."""

from __future__ import annotations

from collections.abc import Iterator

# A room of the same floor, and pure: files are read here, and what they hold is judged there.
from gateway.credentials.certificate_profile import Profile
from gateway.errors import ConfigurationError, Fault
from gateway.model import Channel
from gateway.policy.sections import Settings

SUFFIXES = frozenset({".pem", ".crt", ".cer", ".der"})
MAX_FILE_BYTES = 1024 * 1024
"""Of one file of certificates; an authority's certificate has some 2 KiB."""


def read_profile(settings: Settings) -> Profile | None:
    """The profile that cards are verified by; None where no listener asks for cards. Raises ConfigurationError, naming file and key."""
    return profile_of(settings) if settings.names_of(Channel.EID) else None


def profile_of(settings: Settings) -> Profile:
    """The profile that a listener verifies cards by, or would. Raises ConfigurationError as `read_profile` does."""
    directory = settings.eid.authorities
    files: dict[str, bytes] = {}
    try:
        for path in sorted(directory.iterdir()):
            if path.suffix in SUFFIXES and path.stat().st_size <= MAX_FILE_BYTES:
                files[str(path)] = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"eid.authorities: {error.filename} cannot be read ({error.strerror}). An eID listener needs the certificates "
            "of the roots of cards, and of the authorities below them: put them there, or name another directory"
        ) from None
    if not files:
        raise ConfigurationError(
            f"eid.authorities: no certificate in {directory}. An eID listener needs those of the roots of cards, and of "
            "the authorities below them: put them there, or name another directory"
        )
    return Profile.read(files, settings.eid.all_roots, settings.eid.policies)


def card_faults(settings: Settings) -> Iterator[Fault]:
    """The fault that keeps an eID listener from knowing a card, if there is one."""
    try:
        read_profile(settings)
    except ConfigurationError as error:
        what, _, mend = str(error).partition(". ")
        yield Fault("gateway.toml", "eid", what, mend)


def card_warnings(settings: Settings) -> Iterator[str]:
    """What is allowed for tests, and is said at every start."""
    if settings.eid.unsafe_test_roots and settings.names_of(Channel.EID):
        yield "eid.unsafe_test_roots: cards of test roots are accepted, and anybody can make them: for tests only"
