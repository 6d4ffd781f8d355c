"""Which of a listener's certificates serve which of its names. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.policy.certificates import covers_name


def certificates_of_names(names: Sequence[str], covered: Sequence[Sequence[str]]) -> dict[str, tuple[int, ...]]:
    """For each name the numbers of the certificates that cover it; `covered` are the names in each certificate (RFC 9525)."""
    return {
        name: tuple(
            number for number, patterns in enumerate(covered) if any(covers_name(pattern, name) for pattern in patterns)
        )
        for name in names
    }
