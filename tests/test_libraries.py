"""Quiet is over when it is over."""

from __future__ import annotations

import logging
import os
import threading
import warnings

import pytest
from diffusers.utils import logging as diffusers_logging
from transformers.utils import logging as transformers_logging

from sow.utils.libraries import quiet_libraries, quiet_stderr

BARS = (diffusers_logging, transformers_logging)


@pytest.fixture
def as_found():
    shown = [bar.is_progress_bar_enabled() for bar in BARS]
    yield
    for bar, on in zip(BARS, shown, strict=True):
        (bar.enable_progress_bar if on else bar.disable_progress_bar)()


@pytest.mark.parametrize("wanted", [(True, True), (False, True), (False, False)])
def test_progress_bars_are_as_the_user_had_them(as_found, wanted):
    for bar, on in zip(BARS, wanted, strict=True):
        (bar.enable_progress_bar if on else bar.disable_progress_bar)()
    shown = []

    def fail():
        with quiet_libraries():
            shown.extend(bar.is_progress_bar_enabled() for bar in BARS)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert shown == [False, False]  # tests have no terminal
    assert tuple(bar.is_progress_bar_enabled() for bar in BARS) == wanted


def test_levels_and_warnings_too():
    logger = logging.getLogger("diffusers")
    before = logger.level
    logger.setLevel(logging.INFO)
    try:
        with quiet_libraries(), quiet_libraries():
            assert logger.level == logging.CRITICAL
            warnings.warn("nobody hears this", UserWarning, stacklevel=1)
        assert logger.level == logging.INFO
        with pytest.warns(UserWarning, match="heard"):
            warnings.warn("heard", UserWarning, stacklevel=1)
    finally:
        logger.setLevel(before)


def test_those_who_are_quiet_at_once_do_not_wait_and_leave_nothing_behind():
    """The first silences, the last gives back, whatever the order between them."""
    filters, inside = warnings.filters[:], threading.Barrier(3, timeout=60)

    def work(turns):
        for _ in range(turns):
            with quiet_libraries():
                pass
        with quiet_libraries():
            inside.wait()  # all three at the same time: nobody waits for another to end

    threads = [threading.Thread(target=work, args=(n,)) for n in (1, 20, 40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not inside.broken
    assert warnings.filters == filters


def test_lines_from_c_are_heard_again_when_the_last_is_done(capfd):
    with quiet_stderr():
        with quiet_stderr():
            os.write(2, b"nobody hears this")
        os.write(2, b"nor this")
    os.write(2, b"heard")
    assert capfd.readouterr().err == "heard"


def test_without_standard_error_there_is_nothing_to_hold_back():
    """As under a service manager; the number 2 is then another file's, and stays that file's."""
    kept = os.dup(2)
    try:
        os.close(2)
        with quiet_stderr():
            pass
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(2)
    finally:
        os.dup2(kept, 2)
        os.close(kept)
