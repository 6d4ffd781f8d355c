"""The ways to prove who one is that lead away from the form of user ID and password: a card at its own door, a provider elsewhere.

Each is one entry here. The pages of sign-in and step-up show its button, and know nothing else of it; its own page, at `path`, begins it,
and what comes of it goes through `sessions.carry_on` like a password.
"""

from __future__ import annotations

from typing import NamedTuple

from gateway.model import Language, Means
from gateway.outbound.oidc import ProviderDesk
from gateway.portal.ask import Ask
from gateway.portal.catalogue import N_
from gateway.portal.sufficiency import owned
from gateway.records import Login


class Way(NamedTuple):
    """One way. `path` on the portal takes, by POST, the form that its button stands in: `csrf`, `user_id`, and the fields of the errand
    (`sessions.Errand`). `means` is what a session by it can be; `leads_to` the `https://host[:port]` that its redirects go to, for the
    page's Content-Security-Policy. `label` and `hint` are messages of the catalogues; `name` is what `%(provider)s` in the label stands for.
    """

    path: str
    means: frozenset[Means]
    label: str
    hint: str
    leads_to: tuple[str, ...] = ()
    name: str = ""


def ways(ask: Ask) -> tuple[Way, ...]:
    """The ways that this gateway offers now, the one that most people use first."""
    card = (_card(ask.settings.eid_doors),) if ask.settings.eid_doors else ()
    return (*card, *(_provider(desk, ask.language) for desk in ask.services.providers.values()))


def _card(doors: tuple[str, ...]) -> Way:
    """The others of the doors are reached by links, never by a redirect."""
    return Way(
        "/eid",
        frozenset({Means.EID}),
        N_("Sign in with your eID"),
        N_("Put your card in the reader first. Its PIN is asked for, and no password."),
        doors[:1],
    )


def _provider(desk: ProviderDesk, language: Language) -> Way:
    provider = desk.provider
    return Way(
        f"/oidc/start/{provider.id}",
        frozenset(provider.acr.values()),
        N_("Sign in with %(provider)s"),
        N_("You go to its page, and come back here."),
        tuple(map(str, desk.hosts)),
        provider.title.in_(language),
    )


def having(ask: Ask, login: Login | None) -> frozenset[Means]:
    """The means that the person can be asked for: those that hang on the user ID, and those of the other ways, which hang on the person."""
    return owned(login).union(*(way.means for way in ways(ask)))
