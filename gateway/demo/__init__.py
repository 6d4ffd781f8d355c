"""The demo: a small world to try the gateway in, and a real application behind it (DESIGN section 7)."""
