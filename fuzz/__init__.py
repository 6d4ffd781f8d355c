"""Fuzzing of everything that reads hostile bytes (docs/fuzzing.md). `fuzz.checks` are the invariants, `python -m fuzz` looks for a breach."""
