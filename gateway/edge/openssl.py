"""OpenSSL's own settings, which Python 3.11 has no calls for: the groups of the key exchange (`openssl.cnf` beside this).

OpenSSL reads them once, when the process first uses it, from the file that OPENSSL_CONF names. So `configure` comes before anything
that imports `ssl` or `hashlib` (`gateway serve` and `gateway demo` begin with it), and `groups_in_force` looks whether it took. There are
two of it in the process: Python's, and that of `cryptography`, which serves the listeners that ask for a certificate.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

VARIABLE: Final = "OPENSSL_CONF"
FILE: Final = Path(__file__).with_name("openssl.cnf")

GROUPS: Final = (0x001D, 0x0017, 0x0018)
"""X25519, P-256, P-384 (RFC 8446 section 4.2.7), in the order of the file."""


def configure() -> bool:
    """Let OpenSSL read our file. False when it has read another one already: whoever set OPENSSL_CONF, or used OpenSSL before.

    The variable is taken back, so that no other program that is started from here inherits it.
    """
    if VARIABLE in os.environ or "_ssl" in sys.modules or "_hashlib" in sys.modules:
        return False
    os.environ[VARIABLE] = str(FILE)
    try:
        import ssl

        from OpenSSL import SSL

        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        SSL.Context(SSL.TLS_SERVER_METHOD)
    finally:
        del os.environ[VARIABLE]
    return True


def groups_in_force() -> tuple[int, ...]:
    """The groups that a context of this process uses: read from the ClientHello that it would send."""
    import contextlib
    import ssl

    from gateway.edge.hello import offered_groups, read_client_hello

    outgoing = ssl.MemoryBIO()
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    hello = read_client_hello(outgoing.read())
    return () if isinstance(hello, int) else offered_groups(hello)
