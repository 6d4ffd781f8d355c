"""Every connection the gateway makes itself, except to origins: revocation of cards, federal sign-in. One client, one list of hosts."""

from gateway.outbound.hosts import Hosts, Place, Url, parse_url
from gateway.outbound.http import Answer, Client
from gateway.outbound.settings import OutboundSettings

__all__ = ["Answer", "Client", "Hosts", "OutboundSettings", "Place", "Url", "parse_url"]
