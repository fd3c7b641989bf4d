"""How much memory large pictures may take."""

import resource
from threading import Thread

import pytest

from alexnet_tf.data.images import memory


@pytest.fixture
def without_limits(monkeypatch):
    """Have no container bound what there is; tests/test_cgroups.py has those that do."""
    monkeypatch.setattr(memory, "memory_limits", lambda: [])


def test_without_a_limit_all_of_the_machine_may_be_taken(without_limits, monkeypatch):
    pages = {"SC_PHYS_PAGES": 1000, "SC_PAGE_SIZE": 4096}
    monkeypatch.setattr(memory.os, "sysconf", pages.get)
    assert memory.memory() == 4_096_000


def test_a_limit_of_the_process_bounds_the_memory(without_limits, monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda which: (1 << 20, resource.RLIM_INFINITY))
    assert memory.memory() == 1 << 20


def test_a_quarter_of_it_is_lent_and_no_more_than_two_gigabytes():
    assert memory.ROOM.size == min(memory.memory() // 4, 2_147_483_648)


def test_what_just_fits_is_lent_at_once_and_a_byte_more_waits():
    room = memory.Room(100)
    lent = []

    def ask(amount):
        with room.lent(amount):
            lent.append(amount)

    waiting = Thread(target=ask, args=[41], daemon=True)
    with room.lent(60):
        ask(40)
        waiting.start()
        waiting.join(0.2)
        assert lent == [40]
    waiting.join(10)
    assert lent == [40, 41]
