"""A worker leaves connections to one that has fewer."""

from __future__ import annotations

import os

from gateway.edge.share import Shares


def test_who_has_more_than_another_is_ahead() -> None:
    shares = Shares(3)
    one, two, three = (shares.of(number) for number in range(3))
    one.begin()
    one.tell(1000)
    assert not one.ahead()  # the others are not there yet
    two.begin()
    assert one.ahead()
    two.tell(1000)
    assert not one.ahead()
    three.begin()
    assert one.ahead()
    assert two.ahead()
    assert not three.ahead()
    three.leave()
    three.tell(0)  # its last connection, while it drains
    assert not one.ahead()


def test_the_numbers_are_seen_across_a_fork() -> None:
    shares = Shares(2)
    mine = shares.of(0)
    mine.begin()
    mine.tell(5)
    child = os.fork()
    if child == 0:
        shares.of(1).begin()
        os._exit(0)
    os.waitpid(child, 0)
    assert mine.ahead()
    shares.of(1).leave()  # as the supervisor does for one that died
    assert not mine.ahead()
