"""The list of people at an institution with 100,000 of them and 1,000,000 designations: how long a page takes.

    .venv/bin/python -m bench.people [--persons N] [--designations-each N]

Rows are put in directly, as they would stand after years of work; what is measured is what the page asks of the records (`find_people`) and
what it makes of the answer (the template), each the median and the slowest of several. Nothing else runs.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sqlite3
import statistics
import tempfile
import time
from pathlib import Path

import sqlalchemy as sa

from gateway.portal.people import PEOPLE_ON_A_PAGE, SHOWN
from gateway.portal.render import Frame, render, switches
from gateway.records import RecordsDesk, RecordsSettings, upgrade_schema
from gateway.records.directory import fill_directory
from gateway.records.search import Only, Portion

KBO, NOW = "0403019261", 1_800_000_000.0
DAY = 86_400.0
ROUNDS = 7
LETTERS = "abcdefghijklmnoprstuvwz"


def fill(path: Path, people: int, each: int) -> None:
    """People, user IDs, two mandates (the second has ended) and designations; one in a thousand under the ended one, or lapsing soon."""
    chance = random.Random(7)
    given = ["".join(chance.choices(LETTERS, k=5)).title() for _ in range(800)]
    family = ["".join(chance.choices(LETTERS, k=7)).title() for _ in range(20_000)]
    with sqlite3.connect(path) as connection:
        common = "valid_from, valid_to, recorded_at, actor, reason"
        numbers = range(1, people + 1)
        names = [f"{chance.choice(given)} {chance.choice(family)}" for _ in numbers]
        ids = [f"{name.lower().replace(' ', '.')}.{number:06}" for number, name in enumerate(names, 1)]
        connection.executemany(
            f"INSERT INTO persons (id, insz, name, {common}) VALUES (?, ?, ?, 1, NULL, 1, 'bench', 'bench')",
            ((number, f"{number:011}", name) for number, name in zip(numbers, names, strict=True)),
        )
        connection.executemany(
            f"INSERT INTO user_ids (user_id, person, institution, language, blocked, {common})"
            f" VALUES (?, ?, '{KBO}', 'nl', ?, 1, NULL, 1, 'bench', 'bench')",
            ((user_id, number, number % 5_000 == 0) for number, user_id in zip(numbers, ids, strict=True)),
        )
        connection.executemany(
            f"INSERT INTO mandates (id, user_id, institution, {common}) VALUES (?, ?, '{KBO}', 1, ?, 1, 'bench', 'bench')",
            ((1, ids[0], None), (2, ids[1], NOW - DAY)),
        )
        made = [(user_id, number) for user_id in ids for number in range(each)]
        chance.shuffle(made)
        connection.executemany(
            f"INSERT INTO designations (user_id, authorisation, uses, mandate, {common})"
            " VALUES (?, ?, 'consultation', ?, 1, ?, 1, 'bench', 'bench')",
            (
                (
                    user_id,
                    f"24/{number:03}",
                    2 if chance.random() < 0.001 else 1,
                    NOW + (5 if chance.random() < 0.001 else 400) * DAY,
                )
                for user_id, number in made
            ),
        )
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        fill_directory(connection, now=NOW)
    engine.dispose()


CASES: tuple[tuple[str, str, Only], ...] = (
    ("first page", "", "all"),
    ("one letter", "a", "all"),
    ("three letters", "abc", "all"),
    ("two words", "a b", "all"),
    ("a whole user ID", "000777", "all"),
    ("nobody", "zzzzzz", "all"),
    *((f"filter: {only}", "", only) for only in SHOWN if only != "all"),
    *((f"filter: {only}, one letter", "e", only) for only in SHOWN if only != "all"),
)


async def measure(directory: Path) -> list[tuple[str, float, float, int]]:
    records = await RecordsDesk.open(RecordsSettings(directory / "records.sqlite", directory / "records.key"))
    found = []
    try:
        for name, search, only in CASES:
            times, portion = [], Portion((), None, None)
            for _ in range(ROUNDS):
                began = time.perf_counter()
                portion = await records.find_people(KBO, search, only, now=NOW, most=PEOPLE_ON_A_PAGE)
                page(portion, search, only)
                times.append(time.perf_counter() - began)
            found.append((name, statistics.median(times), max(times), len(portion.people)))
        times, edge = [], None
        for _ in range(200):
            began = time.perf_counter()
            portion = await records.find_people(KBO, now=NOW, most=PEOPLE_ON_A_PAGE, after=edge)
            times.append(time.perf_counter() - began)
            edge = portion.after
        found.append(("200 pages on, each", statistics.median(times), max(times), PEOPLE_ON_A_PAGE))
    finally:
        await records.close()
    return found


def page(portion: Portion, search: str, only: str) -> str:
    frame = Frame("nl", "", "/administration", switches("nl", "/language?to="), asset=lambda name: name)
    people = [(each, f"/administration/person?user_id={each.user_id}", [("x", "good")]) for each in portion.people]
    context = {"institution": KBO, "search": search, "only": only, "choices": SHOWN, "people": people}
    rest = {"before": portion.before, "after": portion.after, "done": "", "printed": "", "csrf": "", "start": ""}
    return render(frame, "administration.html", {**context, **rest})


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.people", description=__doc__)
    parser.add_argument("--persons", type=int, default=100_000)
    parser.add_argument("--designations-each", type=int, default=10)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "records.key").write_bytes(bytes(range(32)))
        settings = RecordsSettings(directory / "records.sqlite", directory / "records.key")
        upgrade_schema(settings)
        began = time.perf_counter()
        fill(settings.path, asked.persons, asked.designations_each)
        print(f"made in {time.perf_counter() - began:.0f} s, {settings.path.stat().st_size / 1e6:.0f} MB")
        for case, middle, worst, count in asyncio.run(measure(directory)):
            print(f"{case:32} median {middle * 1000:7.1f} ms   slowest {worst * 1000:7.1f} ms   {count} people")


if __name__ == "__main__":
    main()
