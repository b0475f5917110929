"""The line: one at a time, owners take turns, everybody may leave at any moment."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sow.errors import SowError, UsageError
from sow.studio.job import Job
from sow.studio.line import MAX_OF_ONE, Line
from sow.studio.session import MAX_EVENTS, MAX_JOBS, MAX_PAGES, Session, Sessions

# What happens: an owner joins (a letter), or the ticket with this number leaves.
EVENTS = st.lists(st.one_of(st.sampled_from("abcd"), st.integers(0, 40)), max_size=60)


class Watched:
    """A line whose tickets are numbered, and what happened in it."""

    def __init__(self):
        self.line, self.tickets, self.left = Line(), [], set()
        self.started = []
        """Owner, and number of the ticket, in the order of their turns."""
        self.passed: dict[int, list[str]] = {}
        """The owners that started while a ticket was its owner's first that waits."""

    def happen(self, event):
        if isinstance(event, str):
            self.tickets.append(self.line.join(event))
        elif event < len(self.tickets):
            self.line.leave(self.tickets[event])
            self.left.add(event)
        self.look()

    def places(self):
        """The places of all tickets that have not left."""
        return {
            number: self.line.place(ticket)
            for number, ticket in enumerate(self.tickets)
            if number not in self.left
        }

    def firsts(self):
        """The first waiting ticket of each owner."""
        found = {}
        for number, place in self.places().items():
            if place:
                found.setdefault(self.tickets[number].owner, number)
        return found

    def look(self):
        known = {number for _, number in self.started}
        for number, place in self.places().items():
            if place == 0 and number not in known:
                owner = self.tickets[number].owner
                self.started.append((owner, number))
                for first in self.firsts().values():
                    self.passed.setdefault(first, []).append(owner)

    def drain(self):
        """Let everybody's job be done, in the order of their turns."""
        while at_work := [number for number, place in self.places().items() if place == 0]:
            self.happen(at_work[0])


@given(EVENTS)
def test_one_at_a_time_and_places_are_those_of_the_line(events):
    watched = Watched()
    for event in events:
        watched.happen(event)
        places = sorted(watched.places().values())
        assert places == list(range(len(places)))  # one is at work, unless nobody is there
    expected = [number for number, _ in sorted(watched.places().items(), key=lambda one: one[1])]
    before = len(watched.started) - (1 if expected else 0)
    watched.drain()
    assert watched.places() == {}
    # If nobody comes or leaves before time, their turns come as they were told.
    assert [number for _, number in watched.started[before:]] == expected


@given(EVENTS)
def test_nobody_starves_and_nobody_is_passed_twice(events):
    watched = Watched()
    for event in events:
        watched.happen(event)
    watched.drain()
    gone = watched.left - {number for _, number in watched.started}
    assert {number for _, number in watched.started} | gone == set(range(len(watched.tickets)))
    for number, owners in watched.passed.items():
        others = [owner for owner in owners if owner != watched.tickets[number].owner]
        assert len(others) == len(set(others)), (number, owners)


@given(EVENTS)
def test_those_of_one_owner_come_in_the_order_in_which_they_came(events):
    watched = Watched()
    for event in events:
        watched.happen(event)
    watched.drain()
    for owner in "abcd":
        theirs = [number for whose, number in watched.started if whose == owner]
        assert theirs == sorted(theirs)


def test_a_second_job_comes_after_everybodys_first():
    watched = Watched()
    for owner in ("a", "a", "a", "b", "c", "b"):
        watched.happen(owner)
    assert watched.places() == {0: 0, 3: 1, 4: 2, 1: 3, 5: 4, 2: 5}
    watched.drain()
    assert "".join(owner for owner, _ in watched.started) == "abcaba"


def test_who_keeps_coming_does_not_starve_a_second_job():
    line = Line()
    first, second = line.join("a"), line.join("a")
    at_work = first
    for number in range(5):
        newcomer = line.join(f"guest {number}")
        line.leave(at_work)
        if line.place(second) == 0:
            break
        at_work = newcomer
    assert number == 1  # after the one guest who came before the first had ended


def test_a_line_that_is_too_long_is_not_joined():
    line = Line(limit=2)
    for _ in range(3):  # one is at work
        line.join("a")
    with pytest.raises(UsageError, match="too many pictures are waiting; try again later"):
        line.join("b")


# ---------------------------------------------------------------------- jobs


class Gate:
    """Work that goes on when it is told to, and what was at work at once."""

    def __init__(self):
        self.open, self.at_work, self.most, self.order = threading.Event(), 0, 0, []

    def work(self, name, report=None):
        from sow.pipeline.calls import Progress

        self.at_work += 1
        self.most = max(self.most, self.at_work)
        self.order.append(name)
        try:
            while not self.open.wait(0.01):
                report(Progress(1, 2))
        finally:
            self.at_work -= 1
        return (name,)

    def job(self, line, name):
        return Job(line, name, lambda report: self.work(name, report))


def stages(job):
    return [moment.stage for moment in job.moments()]


def test_jobs_wait_are_made_and_tell_their_places():
    line, gate = Line(), Gate()
    jobs = [gate.job(line, name) for name in "abc"]
    told = jobs[2].moments()
    assert next(told).place == 2
    jobs[1].cancel()
    assert stages(jobs[1])[-1] == "cancelled"
    assert next(told).place == 1
    gate.open.set()
    assert [list(job.moments())[-1].pictures for job in (jobs[0], jobs[2])] == [("a",), ("c",)]
    assert gate.most == 1
    assert gate.order == ["a", "c"]


def test_a_job_that_is_cancelled_while_it_is_made_lets_the_next_one_start():
    line, gate = Line(), Gate()
    first, second = gate.job(line, "a"), gate.job(line, "b")
    assert next(first.moments()).stage in ("waiting", "making")
    first.cancel()
    assert stages(first)[-1] == "cancelled"
    gate.open.set()
    assert stages(second)[-1] == "done"
    assert gate.most == 1


def test_what_goes_wrong_is_one_sentence_and_details_only_in_the_log(caplog):
    def broken(report):
        raise ZeroDivisionError("a secret path: /home/user/key")

    def refused(report):
        raise SowError("the box is too small", "draw a larger one")

    line = Line()
    [failed] = [one for one in Job(line, "a", broken).moments() if one.stage == "failed"]
    assert failed.message == "something went wrong; the server's log says what"
    assert "a secret path" in caplog.text
    [failed] = [one for one in Job(line, "a", refused).moments() if one.stage == "failed"]
    assert failed.message == "the box is too small; draw a larger one"


def test_many_jobs_at_once_with_some_that_leave():
    line, gate = Line(), Gate()
    gate.open.set()
    jobs = [gate.job(line, f"{number % 7}") for number in range(40)]
    for job in jobs[::3]:
        job.cancel()
    ends = [list(job.moments())[-1].stage for job in jobs]
    assert gate.most == 1
    assert set(ends[1::3] + ends[2::3]) == {"done"}
    assert set(ends[::3]) <= {"done", "cancelled"}


# ---------------------------------------------------------------------- sessions


class Held:
    """A picture of a size."""

    def __init__(self, side):
        self.width = self.height = side


def test_a_session_has_so_many_jobs():
    session, line, gate = Session("a"), Line(), Gate()
    for _ in range(MAX_JOBS):
        session.start(lambda: gate.job(line, "a"))
    with pytest.raises(UsageError, match="your other pictures are waiting"):
        session.start(lambda: gate.job(line, "a"))
    session.cancel()
    assert {stages(job)[-1] for job in session.jobs} == {"cancelled"}
    gate.open.set()
    assert stages(session.start(lambda: gate.job(line, "a")))[-1] == "done"
    assert len(session.jobs) == 1


def test_sessions_end_when_they_are_idle_but_not_while_something_is_made():
    sessions, line, gate = Sessions(idle=0.05), Line(), Gate()
    idle, busy = sessions.get("idle"), sessions.get("busy")
    job = busy.start(lambda: gate.job(line, "a"))
    time.sleep(0.1)
    sessions.end_idle()
    assert len(sessions) == 1
    assert sessions.get("busy") is busy
    assert sessions.get("idle") is not idle
    sessions.end("busy")
    assert stages(job)[-1] == "cancelled"


def test_there_are_so_many_sessions_and_so_many_pixels():
    sessions = Sessions(limit=2)
    one, two = sessions.get("one"), sessions.get("two")
    with pytest.raises(UsageError, match="too many people are here"):
        sessions.get("three")
    one.picture = Held(30_000)
    sessions.check_room(one, (30_000, 30_000))  # instead of its own
    with pytest.raises(UsageError, match="too many pictures are here"):
        sessions.check_room(two, (30_000, 30_000))
    sessions.end("one")
    sessions.check_room(two, (30_000, 30_000))


def test_nobody_keeps_all_others_out():
    line = Line()
    for _ in range(MAX_OF_ONE + 1):  # one is at work
        line.join("a")
    with pytest.raises(UsageError, match="your other pictures are waiting"):
        line.join("a")
    line.join("b")
    sessions = Sessions()
    first, second = sessions.get("0", "a"), sessions.get("1", "a")
    job = first.start(lambda: Gate().job(line, "b"))
    for number in range(2, 300):
        sessions.get(str(number), "a")
    assert len(sessions) == MAX_PAGES
    assert sessions.get("0", "a") is first  # something is made for it
    assert sessions.get("1", "a") is not second
    sessions.get("someone", "b")
    sessions.end_all()
    assert stages(job)[-1] == "cancelled"


def test_one_person_has_so_many_events_and_large_pictures_wait_for_each_other():
    sessions, hold, began, order = Sessions(), threading.Event(), threading.Semaphore(0), []

    def wait(session):
        with sessions.event_of(session):
            began.release()
            hold.wait(60)

    threads = [
        threading.Thread(target=wait, args=(sessions.get(str(n), "a"),)) for n in range(MAX_EVENTS)
    ]
    for thread in threads:
        thread.start()
        began.acquire()
    with (
        pytest.raises(UsageError, match="too much is being done for you"),
        sessions.event_of(sessions.get("0", "a")),
    ):
        pass
    with sessions.event_of(sessions.get("b", "b")):
        pass
    hold.set()
    for thread in threads:
        thread.join()
    with sessions.event_of(sessions.get("0", "a")), sessions.work_on((9000, 9000)):

        def other():
            with sessions.work_on((9000, 9000)):
                order.append("large")

        waiting = threading.Thread(target=other)
        waiting.start()
        with sessions.work_on((100, 100)):  # is not kept waiting
            order.append("small")
    waiting.join()
    assert order == ["small", "large"]
