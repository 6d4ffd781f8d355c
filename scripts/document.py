"""Write the documentation pages that are made from the code:  .venv/bin/python scripts/document.py"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from gateway.decision.document import reasons_page  # noqa: E402 - the path comes first
from gateway.policy.refusals import refusals_page  # noqa: E402 - the same

PAGES = {"docs/reasons.md": reasons_page, "docs/refused-releases.md": refusals_page}


def main() -> None:
    for name, page in PAGES.items():
        path = ROOT / name
        path.parent.mkdir(exist_ok=True)
        draft = path.with_suffix(".tmp")
        draft.write_text(page(), encoding="utf-8")
        draft.replace(path)
        print(f"document: wrote {name}")


if __name__ == "__main__":
    main()
