"""Every connection the gateway makes itself, except to origins: revocation of cards, federal sign-in. One client, lists of hosts."""
