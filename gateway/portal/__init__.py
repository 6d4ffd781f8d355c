"""The gateway's own pages: sign-in, the user regulation, my applications, hand-over, refusals. Served behind the proxy."""
