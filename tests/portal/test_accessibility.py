"""WCAG 2.2 as far as a page's text shows it: language, title, landmarks, headings, names, labels, errors tied to fields.

What only a rendered page shows (contrast, 320 px, focus) is looked at in a real browser (tests/browser).
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from gateway.decision import REASONS, Kind
from gateway.model import LANGUAGES, Language
from tests.portal.conftest import DOSSIER, PASSWORD, PENSION, PORTAL, Answer, Page, World
from tests.portal.test_activation import chosen, letter, shown
from tests.portal.test_card import CODES, answered, give_card
from tests.portal.test_methods import NEW, hidden
from tests.portal.test_refusals import decision, page

LANDMARKS = ("header", "main", "footer")


def faults(page: Page, language: Language) -> list[str]:
    """Everything that is wrong with a page."""
    found = [f"{tag} is closed where it is not open" for tag in page.strays] + [
        f"{e.tag} is never closed" for e in page.unclosed
    ]
    ids = [element.attributes["id"] for element in page.elements if "id" in element.attributes]
    found += [f"id {key} stands {count} times" for key, count in Counter(ids).items() if count > 1]
    if page.one("html").attributes.get("lang") != language:
        found.append("the language is not said")
    if len(page.one("title").text.strip()) < 10:
        found.append("the title says nothing")
    found += [f"{tag}: {len(page.all(tag))} times" for tag in LANDMARKS if len(page.all(tag)) != 1]
    found += ["a nav without a name" for nav in page.all("nav") if not nav.attributes.get("aria-label")]
    levels = [int(heading.tag[1]) for heading in page.all("h1", "h2", "h3", "h4", "h5", "h6")]
    if levels.count(1) != 1:
        found.append("not one h1")
    found += [f"h{low} is followed by h{high}" for low, high in pairwise(levels) if high > low + 1]
    found += [
        f"an empty {e.tag}"
        for e in page.all("a", "button", "h1", "h2", "h3", "h4", "summary", "label")
        if not e.text.strip()
    ]
    labelled = {label.attributes.get("for") for label in page.all("label")}
    for field in page.all("input"):
        hidden = field.attributes.get("type") == "hidden" or "hidden" in field.attributes
        if not hidden and field.attributes.get("id") not in labelled:
            found.append(f"field {field.attributes.get('name')} has no label")
    for element in page.elements:
        for name in ("aria-describedby", "aria-labelledby"):
            found += [
                f"{name} {key} leads nowhere" for key in (element.attributes.get(name) or "").split() if key not in ids
            ]
        href = element.attributes.get("href") or ""
        if href.startswith("#") and href[1:] not in ids:
            found.append(f"{href} leads nowhere")
    first = page.all("a")[0]
    if first.attributes.get("href") != "#main" or page.one("main").attributes.get("id") != "main":
        found.append("the first link does not skip to the content")
    found += [
        f"{e.tag} is decoration that is read out" for e in page.all("svg") if e.attributes.get("aria-hidden") != "true"
    ]
    return found


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", [code for code, reason in REASONS.items() if reason.kind is not Kind.PERMIT])
def test_refusal_pages(code: str, language: Language) -> None:
    assert faults(Page.of(page(decision(code), language=language)), language) == []


async def every_page(world: World, language: Language) -> dict[str, Answer]:
    """Each page of ours, errors included, as a person meets it."""
    browser = world.browser(**{"Accept-Language": language})
    pages = {"form": await browser.open_form()}
    fields = {"csrf": pages["form"].csrf, "user_id": "", "password": "", "code": "12"}
    pages["empty"] = await browser.post(f"https://{PORTAL}/sign-in", fields)
    pages["wrong"] = await browser.sign_in(password="wrong")
    answer = await browser.sign_in()
    pages["regulation"] = await browser.follow(answer)
    pages["applications"] = await browser.follow(await browser.accept(answer))
    for name, path in (("step-up", "/pension/"), ("eid", "/careers/")):
        start = browser.challenged(PENSION, path, "means_too_weak")
        pages[name] = await browser.get(f"https://{PORTAL}/step-up?start={start}")
    start = browser.challenged(PENSION, "/pension/", "means_too_weak")
    fields = {"csrf": pages["step-up"].csrf, "start": start, "password": PASSWORD}
    pages["no code"] = await browser.post(f"https://{PORTAL}/step-up", fields)
    pages["not strong enough"] = await browser.follow(await browser.get(f"https://{PORTAL}/methods/app"))
    pages["password"] = await browser.get(f"https://{PORTAL}/methods/password")
    fields = {"csrf": pages["password"].csrf, "password": "", "new_password": "x", "new_password_again": ""}
    pages["password refused"] = await browser.post(f"https://{PORTAL}/methods/password", fields)
    for name in ("methods", "sign-out?other=1"):
        pages[name] = await browser.get(f"https://{PORTAL}/{name}")
    pages |= await with_means(world, language)
    for name in ("help", "privacy", "accessibility", "sign-out", "regulation"):
        pages[f"{name} page"] = await browser.get(f"https://{PORTAL}/{name}")
    pages["nothing"] = await browser.get(f"https://{PORTAL}/nothing")
    start = browser.challenged(DOSSIER, "/dossier/")
    browser.jar[DOSSIER]["__Host-gw-last"] = "somebody else"
    pages["changed"] = await browser.follow(await browser.get(f"https://{PORTAL}/sign-in?start={start}"))
    pages["used"] = await browser.get(f"https://{DOSSIER}/.gateway/enter?code=x")
    gone = await browser.post(f"https://{PORTAL}/sign-out", {"csrf": pages["sign-out page"].csrf})
    pages["signed out"] = await browser.follow(gone)
    return pages


async def with_means(world: World, language: Language) -> dict[str, Answer]:
    """Of somebody who gets a letter and a card, adds an app, and is told of it."""
    await letter(world)
    browser = world.browser(**{"Accept-Language": language})
    pages = {"activation": await shown(browser, code="x")}
    pages["new password"] = await browser.follow(await shown(browser))
    await browser.accept(await chosen(browser, pages["new password"]))
    pages["app"] = await browser.get(f"https://{PORTAL}/methods/app")
    fields = {"csrf": pages["app"].csrf, "key": hidden(pages["app"], "key"), "code": "000000"}
    pages["app refused"] = await browser.post(f"https://{PORTAL}/methods/app", fields)
    world.clock.now += 1
    await give_card(world, "claes01", world.clock.now)
    browser = world.browser(**{"Accept-Language": language})
    pages["card"] = await browser.follow(await browser.sign_in("claes01", NEW))
    pages["card slip"] = await answered(browser, pages["card"], "123456")
    number = int("".join(filter(str.isdecimal, pages["card"].page.one("h1").text)))
    done = await answered(browser, pages["card"], CODES[number - 1])
    pages["changes"] = await browser.follow(done)
    pages["forgotten page"] = await browser.get(f"https://{PORTAL}/forgotten")
    return pages


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_page(world: World, language: Language) -> None:
    pages = await every_page(world, language)
    assert {name: found for name, answer in pages.items() if (found := faults(answer.page, language))} == {}
    assert [name for name, answer in pages.items() if answer.headers["Content-Language"] != language] == []
    titles = Counter(answer.page.one("title").text for name, answer in pages.items() if not name.endswith(" page"))
    assert titles.most_common(1)[0][1] <= 2
    wrong = pages["wrong"].page
    assert wrong.one("title").text.startswith(("Fout", "Erreur", "Fehler", "Error"))
    assert wrong.by_id("errors").attributes["role"] == "alert"
    assert "autofocus" in wrong.by_id("errors").attributes


def test_the_check_finds_what_is_wrong() -> None:
    bad = "<html><title>x</title><body><a href='#z'></a><h3>t</h3><input id='a'><input id='a'><nav></nav><svg></svg><div></body></html>"
    assert len(faults(Page.of(bad), "en")) >= 10
