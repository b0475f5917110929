"""The queue: one job at a time, and owners take turns."""

from __future__ import annotations

import threading
from itertools import zip_longest

from sow.errors import UsageError

MAX_WAITING, MAX_OF_ONE = 100, 60
"""Jobs that may wait, and those of one owner: nobody keeps all others out."""


class Ticket:
    """A place in the line; whoever has one leaves the line when the job is done or given up."""

    def __init__(self, owner: str) -> None:
        self.owner = owner


class Line:
    """Whose turn it is; threads may share it.

    Owners take turns: while an owner waits, no other starts twice. So the second job of one comes
    after the first of everybody who was there when the first ended, and nobody starves.
    """

    def __init__(self, limit: int = MAX_WAITING) -> None:
        self._limit = limit
        self._waiting: dict[str, list[Ticket]] = {}
        """The tickets of each owner; the owner whose turn is next comes first."""
        self._current: Ticket | None = None
        self._changed = threading.Condition()

    def join(self, owner: str) -> Ticket:
        """Stand in the line.

        Raises:
            UsageError: if it is too long, or too much of it is this owner's.
        """
        with self._changed:
            if len(self._waiting.get(owner, ())) >= MAX_OF_ONE:
                raise UsageError("your other pictures are waiting", "wait for them, or cancel them")
            if sum(map(len, self._waiting.values())) >= self._limit:
                raise UsageError("too many pictures are waiting", "try again later")
            ticket = Ticket(owner)
            self._waiting.setdefault(owner, []).append(ticket)
            self._next()
            return ticket

    def leave(self, ticket: Ticket) -> None:
        """Give up a place; one that is not in the line any more may leave again."""
        with self._changed:
            theirs = self._waiting.get(ticket.owner, [])
            if ticket is self._current:
                self._current = None
                if theirs:  # their turn comes again after everybody else's
                    self._waiting[ticket.owner] = self._waiting.pop(ticket.owner)
            elif ticket in theirs:
                theirs.remove(ticket)
                if not theirs:
                    del self._waiting[ticket.owner]
            self._next()

    def place(self, ticket: Ticket) -> int | None:
        """Return how many are before a ticket, 0 if it is its turn, None if it has left."""
        with self._changed:
            return self._place(ticket)

    def wait(self, ticket: Ticket, place: int | None) -> int | None:
        """Wait until a ticket is not at a place any more, and return where it is now."""
        with self._changed:
            self._changed.wait_for(lambda: self._place(ticket) != place)
            return self._place(ticket)

    def _next(self) -> None:
        """Let the next one start if nobody is at it, and tell everybody."""
        if self._current is None and self._waiting:
            self._current = self._order()[0]
            theirs = self._waiting[self._current.owner]
            theirs.remove(self._current)
            if not theirs:
                del self._waiting[self._current.owner]
        self._changed.notify_all()

    def _order(self) -> list[Ticket]:
        """Return who waits, in the order of their turns: everybody's first, then their second …"""
        at_work = self._current and self._current.owner
        owners = sorted(self._waiting, key=lambda owner: owner == at_work)
        rounds = zip_longest(*(self._waiting[owner] for owner in owners))
        return [ticket for one in rounds for ticket in one if ticket is not None]

    def _place(self, ticket: Ticket) -> int | None:
        if ticket is self._current:
            return 0
        order = self._order()
        return 1 + order.index(ticket) if ticket in order else None
