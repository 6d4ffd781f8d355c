"""Which fields of one side never reach the other.

**Both ways**, hop-by-hop fields (RFC 9110 section 7.6.1): the fixed list and what `Connection` lists. `Connection` can
only take away what the other side sent: the proxy appends its own fields to what these functions return, so
`Connection: X-Gateway-Assertion` removes a forgery and nothing else (THREATS row 4). The writer sets the framing.

**Towards the origin**, everything by which an origin or a framework might learn who asks, from where, or for what, in
every spelling, also when the gateway has nothing to put in its place (THREATS rows 1 and 3). Underscores and other
aliases never get this far: the reader refuses such names (row 2). The families, and why each is there:

* ours: X-Gateway-, X-Subject-, X-Request-Id, X-Correlation-Id, BelGov-, traceparent, tracestate, baggage: an origin takes them for our word;
* where from: Forwarded, X-Forwarded-, X-Real-IP and the client-address fields that CDNs and proxies invented;
* by which way: Via, X-Scheme, Front-End-Https, X-Envoy- and the like: frameworks build redirects and trust from them;
* what for: X-Original-, X-Rewrite-, X-HTTP-Method-Override and its kin: they make another request of the one decided on;
* who: Remote-User, X-Remote-, SSL client certificate fields, Client-Cert (RFC 9440), and the identity fields of the
  well-known authenticating proxies. Fields by which an application knows its own pages (X-Requested-With, X-CSRF-Token,
  X-Auth-Token, X-Api-Key) stay: they carry what the origin itself gave out;
* Proxy: CGI turns it into HTTP_PROXY (httpoxy, CVE-2016-5385).

Host, Cookie and Authorization do not come through either. What becomes of them is a decision of the proxy (the Host of
the table, the cookies of this session and transaction, `inbound_authorization`), which appends what it decides; should
it forget, the origin gets less, never more. Signature-Agent, which marks a program, is for the decision.

**Towards the client**, what is ours to say for the whole host and not one origin's: Strict-Transport-Security,
Public-Key-Pins, Expect-CT, NEL, Alt-Svc (a way around the gateway), Clear-Site-Data and Service-Worker-Allowed (they
reach the other transactions of the host), request ids, and X-Gateway-/X-Subject- (the proxy reads the latter from the
head first). Server, X-Powered-By and X-AspNet-Version go too: no browser reads them and they tell an attacker versions.
Set-Cookie, Location and whatever else bears a URL or a cookie path pass here; the proxy maps them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from gateway.message.events import InformationalHead, NoBody, RequestHead, ResponseHead
from gateway.message.fields import Fields, Pair

CACHED_NAMES: Final = 2048
"""Field names whose verdict is remembered, as spelt: browsers and applications use some hundreds."""


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _families(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_HOP_BY_HOP: Final = _names(
    "connection keep-alive proxy-connection te trailer transfer-encoding content-length upgrade http2-settings"
    " proxy-authenticate proxy-authorization proxy-authentication-info"
)
_DECIDED_BY_PROXY: Final = frozenset({"host", "cookie", "authorization"})
_WEBSOCKET: Final = [("Connection", "Upgrade"), ("Upgrade", "websocket")]

_FORGEABLE_FAMILIES: Final = _families(
    # ours
    "x-gateway- x-subject- belgov-"
    # where from
    " forwarded- x-forward xforward x-real- x-azure- x-appengine- cf-"
    # by which way
    " x-ssl- x-tls- x-envoy- x-arr- x-amzn- x-amz-cf- x-b3- x-datadog- x-cloud-trace-"
    # what for
    " x-original- x-rewrite- x-accel- x-sendfile"
    # who
    " remote- x-remote- x-auth-request- x-auth-user x-authenticated- x-authentik- x-webauth- x-ldap- x-ms-client-principal"
    " x-ms-token- x-goog-authenticated-user- x-goog-iap- x-pomerium- x-vouch- x-consumer- x-credential- oidc- x-oidc-"
    " x-jwt- shib- x-shib- iv- sm- cas- x-cas- x-sso- tailscale- impersonate- x-impersonate-"
    " client-cert x-client-cert x-client-verify x-client-dn x-client-subject x-client-san ssl-"
)
_FORGEABLE: Final = _names(
    # ours
    "x-gateway x-subject x-request-id x-correlation-id x-trace-id traceparent tracestate baggage"
    # where from
    " forwarded x-realip x-client-ip client-ip true-client-ip x-cluster-client-ip fastly-client-ip wl-proxy-client-ip"
    " proxy-client-ip x-originating-ip x-remote-ip x-remote-addr x-source-ip x-proxyuser-ip x-host x-coming-from"
    " x-custom-ip-authorization"
    # by which way
    " via x-via x-scheme x-url-scheme x-proto x-protocol x-https front-end-https x-ssl x-port proxy b3 uber-trace-id"
    " early-data"
    # what for
    " x-http-method x-http-method-override x-method-override x-http-host-override x-http-path-override x-script-name"
    # who
    " x-user x-username x-user-id x-userid x-user-name x-user-email x-user-groups x-user-role x-user-roles"
    " x-user-info x-userinfo x-user-claims x-proxy-user x-grafana-user auth-user x-identity x-on-behalf-of x-anonymous-consumer"
    " x-token-subject x-serverless-authorization from"
    " x-principal x-login x-email x-groups x-roles x-auth-email x-auth-name x-auth-groups x-auth-roles x-auth-subject"
    " x-authenticated x-id-token x-access-token smuser"
)
_KEPT_FAMILIES: Final = ("x-gateway-", "x-subject-", "belgov-", "public-key-pins")
_KEPT_FROM_CLIENT: Final = _names(
    "strict-transport-security expect-ct nel alt-svc clear-site-data service-worker-allowed x-gateway x-subject"
    " x-request-id traceparent tracestate server via x-powered-by x-aspnet-version x-aspnetmvc-version"
)
# RFC 9110 section 6.5.1: framing, routing, authentication, modifiers, control data and content format are never trailers.
_NEVER_A_TRAILER_FAMILIES: Final = ("accept", "access-control-", "if-", "sec-", "content-security-policy")
_NEVER_A_TRAILER: Final = _names(
    "set-cookie www-authenticate expect max-forwards range cache-control pragma age date expires location retry-after vary"
    " origin referer refresh user-agent content-encoding content-type content-range content-location content-language"
    " content-disposition"
)


@lru_cache(maxsize=CACHED_NAMES)
def _stays_with_gateway(name: str) -> bool:
    lower = name.lower()
    return (
        lower in _HOP_BY_HOP
        or lower in _DECIDED_BY_PROXY
        or lower in _FORGEABLE
        or lower.startswith(_FORGEABLE_FAMILIES)
    )


@lru_cache(maxsize=CACHED_NAMES)
def _stays_with_origin(name: str) -> bool:
    lower = name.lower()
    return lower in _HOP_BY_HOP or lower in _KEPT_FROM_CLIENT or lower.startswith(_KEPT_FAMILIES)


def trailer_changes_meaning(name: str) -> bool:
    """Whether a trailer field of that name could change what was decided on or how a message is read."""
    if _stays_with_gateway(name) or _stays_with_origin(name):
        return True
    lower = name.lower()
    return lower in _NEVER_A_TRAILER or lower.startswith(_NEVER_A_TRAILER_FAMILIES)


def request_to_origin(head: RequestHead) -> list[Pair]:
    """The client's fields that an origin may see, in order, without Host, Cookie, Authorization and framing.

    `Expect: 100-continue` stays only where it means something. A valid websocket handshake gets its hop-by-hop pair anew.
    """
    pairs = [pair for pair in _without_listed(head.fields) if not _stays_with_gateway(pair[0])]
    if "expect" in head.fields and not head.expect_continue:
        pairs = [pair for pair in pairs if pair[0].lower() != "expect"]
    if head.upgrade_websocket:
        pairs += _WEBSOCKET
    return pairs


def response_to_client(head: ResponseHead | InformationalHead) -> list[Pair]:
    """The origin's fields that a client may see, in order, without framing.

    Where no body follows (HEAD, 304), Content-Length describes the representation and stays. A 101 gets its hop-by-hop
    pair anew.
    """
    pairs = [pair for pair in _without_listed(head.fields) if not _stays_with_origin(pair[0])]
    if isinstance(head, InformationalHead):
        return pairs + _WEBSOCKET if head.status == 101 else pairs
    length = head.fields.get("content-length")
    if length is not None and isinstance(head.framing, NoBody) and head.status != 204:
        pairs.append(("Content-Length", length))
    return pairs


def _without_listed(fields: Fields) -> list[Pair]:
    """The pairs that `Connection` does not list."""
    listed = fields.tokens("connection")
    if listed in ([], ["keep-alive"], ["close"]):
        return list(fields)
    return [pair for pair in fields if pair[0].lower() not in listed]
