"""An HTTPS gateway between the internet and transactions hosted by the KSZ (policy "Access to the KSZ network via the internet")."""

__version__ = "0.1.0"
