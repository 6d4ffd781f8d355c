#!/usr/bin/env bash
# Where the gateway's CPU time goes on small permitted requests: samples one worker under load, and sums what each function
# used itself and with what it calls.
#
#   bench/profile.sh [SECONDS]     table on standard output; .bench/profile.txt keeps the stacks (flamegraph.pl, speedscope read them)
#
# Needs what `make bench` installs, and py-spy (put into .bench/venv). Root, or kernel.yama.ptrace_scope = 0. For the time below Python
# (OpenSSL, the kernel): apt install linux-perf, then  perf record -g -p PID -- sleep 10; perf report.
set -euo pipefail
cd "$(dirname "$0")/.."
exec .venv/bin/python -m bench.profiling "${1:-15}"
