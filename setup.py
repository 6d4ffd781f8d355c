"""How the package is built; everything about it stands in pyproject.toml but for one choice.

By default nothing is compiled, and an installation needs no compiler. With GATEWAY_COMPILE=1 the modules of the hot path, as they
stand, are compiled by mypyc as well (docs/performance.md says what that is worth). Their Python files stay beside them and are the
only source, but for one function in C (ADR 0021), whose twin in Python says what it must do: `make compiled` builds all of it into
build/compiled, with a profile (ADR 0022), and `make test-compiled` runs the same tests on what was compiled.
"""

from __future__ import annotations

import os
from pathlib import Path

from setuptools import Extension, setup

# What every request goes through. The rest is not worth a compiler. Compiled, a small class with slots is made for a fraction of what a
# named tuple costs, and a constant that is Final is read without a look-up; what tests set to another value cannot be Final.
HOT_PATH = {
    ".": ("address", "identifiers", "model"),
    "decision": ("checks", "criteria", "decide", "evidence", "facts", "paths", "places", "ruling", "snapshot"),
    "edge": ("accept", "admission", "hello", "opening", "peek"),
    "ledger": ("journal", "ledger", "line", "pseudonym", "record", "reference", "repeated", "writer"),
    "message": (
        "body", "buffer", "events", "fields", "host", "hygiene", "reader", "request", "response", "syntax", "target", "writer",
    ),
    "proxy": (
        "activity", "assertion", "client", "cookies", "doorman", "evidence", "exchange", "facts", "forward", "forwarding", "gate", "keys", "mapping",
        "keeping", "moved", "origin", "pacing", "progress", "received", "standing", "wheel",
    ),
    "records": ("index", "values"),
}  # fmt: skip

extensions = []
if os.environ.get("GATEWAY_COMPILE") == "1":
    from mypyc.build import mypycify

    modules = [str(Path("gateway", room, f"{name}.py")) for room, names in HOT_PATH.items() for name in names]
    extensions = mypycify([*modules, "--no-warn-unused-configs"], opt_level="3", debug_level="0")
    for extension in extensions:
        # They call each other, and nobody else does: without this each of these calls goes through a table of the linker.
        extension.extra_compile_args.append("-fvisibility=hidden")
    extensions.append(
        Extension(
            "gateway.ledger._chain",
            ["gateway/ledger/_chain.c"],
            libraries=["crypto", "deflate"],
            extra_compile_args=["-O3", "-g0", "-Wall", "-Wextra", "-Werror=implicit-function-declaration"],
        )
    )

setup(ext_modules=extensions)
