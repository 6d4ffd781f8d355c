"""What somebody proves who they are for, as it travels: read, written again, and never longer than it can be."""

from __future__ import annotations

from gateway.portal.errand import Errand
from gateway.portal.hand_over import MAX_START_CHARACTERS


def test_what_a_form_says_comes_back() -> None:
    errand = Errand.of({"errand": "step-up", "transaction": "dossier", "use": "consultation", "page": "", "csrf": "x"})
    assert errand == Errand(True, {"transaction": "dossier", "use": "consultation"})
    assert Errand.of(errand.fields) == errand


def test_what_is_longer_than_a_start_is_left_out() -> None:
    """A form holds 64 KiB, and what goes on elsewhere is kept in memory that everybody shares."""
    start = "s" * MAX_START_CHARACTERS
    assert Errand.of({"start": start, "page": start + "s"}) == Errand(False, {"start": start})
