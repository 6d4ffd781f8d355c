#!/usr/bin/env bash
# Where the gateway's CPU time goes in one case of the bench: samples one worker under load, and sums what each function
# used itself and with what it calls.
#
#   bench/profile.sh [SECONDS [CASE]]     15 "small response"; another case is "new connections"; .bench/profile.txt keeps the stacks,
#                                         which speedscope and flamegraph.pl read
#
# Needs what `make bench` installs, and py-spy (put into .bench/venv). Root, or kernel.yama.ptrace_scope = 0. With Debian's linux-perf it
# also says how much of the time OpenSSL, the kernel and so on take.
set -euo pipefail
cd "$(dirname "$0")/.."
exec .venv/bin/python -m bench.profiling "$@"
