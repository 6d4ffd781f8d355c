"""An application that nobody wrote for this gateway, behind `gateway demo --origin`: Jupyter Notebook, from the package index.

It has a form of its own (its own sign-in, with a token against forgery), uploads, downloads, and two kinds of websockets (terminals
and kernels). Long, because it is large: make soak. It is installed into an environment of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from shutil import copytree

import pytest
from playwright.async_api import Page, expect

from tests.browser.harness import chromium, running_demo, screenshot
from tests.browser.person import sign_in

pytestmark = [pytest.mark.soak, pytest.mark.slow, pytest.mark.timeout(1200)]

APPLICATION = "notebook==7.6.5"
TOKEN = "a token of the application's own"
PATIENCE_SECONDS = 60
WORK = {
    "cells": [
        {"cell_type": "code", "execution_count": None, "id": "one", "metadata": {}, "outputs": [], "source": "6 * 7_000_000"}
    ],
    "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}  # fmt: skip


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the application is installed; the test is skipped when the package index cannot be reached."""
    place = tmp_path_factory.mktemp("application") / "environment"
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    install = [str(place / "bin" / "pip"), "install", "--quiet", "--only-binary=:all:", APPLICATION]
    installed = subprocess.run(install, check=False, text=True, capture_output=True)
    if installed.returncode:
        pytest.skip(f"cannot install {APPLICATION}: {installed.stderr.strip().splitlines()[-1]}")
    return place


@contextlib.asynccontextmanager
async def running_application(environment: Path, work: Path) -> AsyncIterator[str]:
    """The application on a port of its own, told nothing of a gateway but that it may be called by another name than localhost."""
    work.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program = environment / "bin" / "jupyter-notebook"
    options = (
        "--no-browser",
        "--ip=127.0.0.1",
        f"--port={port}",
        "--allow-root",
        "--ServerApp.allow_remote_access=True",
    )
    log = (work.parent / "application.log").open("wb")
    with (
        log,
        subprocess.Popen(
            [str(program), *options, f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={work}"],
            env={**os.environ, "HOME": str(work.parent), "JUPYTER_PLATFORM_DIRS": "1", "SHELL": "/bin/sh"},
            cwd=work,
            stdout=log,
            stderr=log,
        ) as process,
    ):
        try:
            await until(lambda: answers(port))
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.terminate()
            process.wait(20)


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110 - a file or a port of another process tells nobody
            await asyncio.sleep(0.2)


async def test_a_notebook_server_works_behind_the_gateway(environment: Path, template: Path, tmp_path: Path) -> None:
    async with (
        running_application(environment, tmp_path / "work") as origin,
        running_demo(copytree(template, tmp_path / "state"), "--origin", origin) as demo,
        chromium(tmp_path / "home", demo.ca) as browser,
    ):
        page = await browser.new_page(viewport={"width": 1280, "height": 900})
        refused: list[str] = []
        page.on("response", lambda answer: refused.append(answer.url) if answer.status >= 400 else None)
        await page.goto(demo.facts["transactions"][0]["url"])
        await sign_in(page, demo.facts["people"][0])
        home = demo.facts["transactions"][0]["url"]
        await use(page, home, tmp_path)
        assert refused == []


async def use(page: Page, home: str, tmp_path: Path) -> None:
    # its own form, and the redirect and cookies that follow
    await page.fill("input[name=password]", TOKEN)
    await page.click("#login_submit")
    await page.wait_for_url(f"{home}tree**")

    # files up, and down again
    sent = tmp_path / "sent.bin"
    sent.write_bytes(bytes(range(256)) * 20_000)
    work = tmp_path / "sum.ipynb"
    work.write_text(json.dumps(WORK))
    async with page.expect_file_chooser() as choosing:
        await page.get_by_text("Upload", exact=True).click()
    await (await choosing.value).set_files([sent, work])
    for name in (sent.name, work.name):
        await expect(page.get_by_text(name, exact=True)).to_be_visible()
    await screenshot(page, "foreign-files")
    arrived = tmp_path / "work" / sent.name
    await until(lambda: arrived.read_bytes() == sent.read_bytes())  # its name is shown before it is there whole
    async with page.expect_download() as downloading:
        await page.evaluate("address => { location = address }", f"{home}files/{sent.name}?download=1")
    assert Path(await (await downloading.value).path()).read_bytes() == sent.read_bytes()

    # a kernel, by a websocket
    await page.goto(f"{home}notebooks/{work.name}")
    await page.locator(".jp-CodeCell .cm-content").click()
    await expect(page.locator("[data-status=idle]").first).to_be_attached(timeout=60_000)
    await page.keyboard.press("Shift+Enter")
    await expect(page.locator(".jp-OutputArea-output").first).to_contain_text("42000000", timeout=60_000)
    await screenshot(page, "foreign-kernel")

    # a terminal, by another
    await page.goto(f"{home}terminals/1")
    answer = tmp_path / "answer.txt"
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not answer.exists() or answer.read_text() != "42\n":  # what is typed before there is a shell is lost
            await page.locator(".xterm-screen").click()
            await page.keyboard.type(f"expr 6 \\* 7 > {answer}\n")
            await page.wait_for_timeout(1000)
    await screenshot(page, "foreign-terminal")
