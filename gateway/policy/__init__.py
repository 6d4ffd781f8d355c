"""Files, checked, become an immutable table: settings, certificates, grants."""
