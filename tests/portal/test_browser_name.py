"""A browser's name and system, from what real ones send; nothing of a client's own words comes through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.portal.browser_name import browser_name

CHROMIUM = "AppleWebKit/537.36 (KHTML, like Gecko)"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:144.0) Gecko/20100101 Firefox/144.0", "Firefox, Windows"),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROMIUM} Chrome/142.0.0.0 Safari/537.36", "Chrome, Windows"),
        (f"Mozilla/5.0 (Windows NT 10.0) {CHROMIUM} Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0", "Edge, Windows"),
        (f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {CHROMIUM} Chrome/142.0.0.0 Safari/537.36", "Chrome, ChromeOS"),
        (f"Mozilla/5.0 (Linux; Android 10; K) {CHROMIUM} Chrome/142.0.0.0 Mobile Safari/537.36", "Chrome, Android"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox, Linux"),
        (f"{PHONE} Version/18.1 Mobile/15E148 Safari/604.1", "Safari, iPhone"),
        (f"{PHONE} CriOS/142.0 Mobile/15E148 Safari/604.1", "Chrome, iPhone"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.1 Safari/605.1.15", "Safari, macOS"),
        ("Something (Windows NT 10.0)", "Windows"),
        ("Something else", None),
        ("", None),
        (None, None),
        ("x" * 512 + "Firefox/1", None),
    ],
)
def test_names(user_agent: str | None, name: str | None) -> None:
    assert browser_name(user_agent) == name


@given(st.text(max_size=600))
def test_nothing_of_a_client_comes_through(user_agent: str) -> None:
    known = {"Firefox", "Chrome", "Chromium", "Edge", "Opera", "Samsung Internet", "Vivaldi", "Safari"}
    known |= {"iPhone", "iPad", "Android", "Windows", "ChromeOS", "macOS", "Linux"}
    assert set((browser_name(user_agent) or "Linux").split(", ")) <= known
