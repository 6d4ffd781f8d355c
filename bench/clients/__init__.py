"""Real clients of many kinds against the real gateway: which are refused, and why (docs/person-or-program.md).

    .venv/bin/python -m bench.clients [--tools DIR] [--only NAME ...] [--list]

Starts the demo, runs the clients one after another, reads what the ledger says of each, and writes the tables between the markers
of `docs/person-or-program.md`. Clients that are not installed are skipped, by name; what was found stays in `results.json`, so that
one client can be run again alone. What there is to install: `debian.txt` (apt), `requirements.txt` (pip, in an environment of its
own: DIR/venv) and `package.json` (npm, in DIR/node_modules); nothing of it is needed by the gateway or its tests.
"""
