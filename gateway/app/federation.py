"""The providers of the federation, from the settings to the desks at which a worker asks them."""

from __future__ import annotations

import secrets
import time

from gateway.credentials.oidc import Provider, SigningKey
from gateway.errors import ConfigurationError
from gateway.model import Text
from gateway.outbound.hosts import Hosts
from gateway.outbound.http import Client
from gateway.outbound.oidc import ProviderDesk
from gateway.policy.providers import ProviderTable, load_client_key, load_client_secret
from gateway.policy.settings import Settings

ClientSecrets = dict[str, str | SigningKey]
"""What proves to each provider, by id, that it is this gateway that asks."""


def load_client_secrets(settings: Settings) -> ClientSecrets:
    """Raises OSError, ValueError, ConfigurationError; `require_material` has told each of them better."""
    return {table.id: _secret(table) for table in settings.providers}


def _secret(table: ProviderTable) -> str | SigningKey:
    if table.client_secret is not None:
        return load_client_secret(table.client_secret)
    if table.client_key is not None:
        return load_client_key(table.client_key)
    raise ConfigurationError(f"provider {table.id}: neither client_secret nor client_key is named")


def make_desks(settings: Settings, client_secrets: ClientSecrets, client: Client) -> dict[str, ProviderDesk]:
    """A desk for each provider, in the order of the settings: so the buttons stand on the pages."""
    return {
        table.id: ProviderDesk(
            _provider(table), client_secrets[table.id], Hosts(table.places), client, time.time, secrets.token_bytes
        )
        for table in settings.providers
    }


def _provider(table: ProviderTable) -> Provider:
    title = table.title
    return Provider(
        table.id,
        Text(title.nl, title.fr, title.de, title.en),
        table.issuer,
        table.client_id,
        table.scopes,
        table.algorithms,
        table.means,
        table.asked,
        table.max_age,
    )
