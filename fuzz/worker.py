"""The process that atheris runs in: `python -m fuzz.worker NAME SELF [libFuzzer's options and directories]`. See `fuzz.__main__`.

`SELF` is a program that runs this module again: libFuzzer calls itself when it minimises a corpus.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["gateway"], enable_loader_override=False):
    from fuzz.checks import CHECKS


def main() -> None:
    check = CHECKS[sys.argv[1]]
    atheris.Setup(sys.argv[2:], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
