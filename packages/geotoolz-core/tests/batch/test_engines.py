"""Every engine of core against the contract of engines; Ray and dask are checked in geotoolz-nextgen."""

from __future__ import annotations

from collections import deque

import pytest

from geotoolz.batch import Completion, InlineEngine, ProcessEngine, engine_options, get_engine
from geotoolz.batch.testing import CHECKS, ISOLATED, EngineBrokenError, check_engine
from geotoolz.core import BatchError, ParameterError


@pytest.mark.parametrize("name", sorted(set(CHECKS) - ISOLATED))
def test_inline(name):
    assert check_engine(InlineEngine, isolated=False, only=(name,)) == (name,)


@pytest.mark.parametrize("name", CHECKS)
def test_process(name):
    assert check_engine(lambda: ProcessEngine(2), only=(name,)) == (name,)


def test_checks_that_would_end_the_caller_are_left_out():
    assert check_engine(InlineEngine, isolated=False, only=("killed", "protocol")) == ("protocol",)


class _Sloppy(InlineEngine):
    """An engine of somebody else, with one fault."""

    fault = ""

    def wait(self, timeout):
        found = list(super().wait(timeout))
        if self.fault == "twice":
            return found * 2
        if self.fault == "mute":
            return [Completion(c.ticket, c.value, None, c.seconds, c.worker) for c in found]
        if self.fault == "early":
            return found or [Completion(0, None, None, 0.0, "inline")]
        return found

    def start(self, fn):
        if self.fault != "once" or self._fn is None:
            super().start(fn)


@pytest.mark.parametrize(
    ("fault", "check", "told"),
    [
        ("twice", "results", "ended twice"),
        ("mute", "exceptions", "exceptions: "),
        ("early", "protocol", "nothing was submitted"),
        ("once", "again", "again: "),
    ],
)
def test_an_engine_with_a_fault_does_not_pass(fault, check, told):
    def make():
        engine = _Sloppy()
        engine.fault = fault
        return engine

    with pytest.raises(EngineBrokenError, match=told):
        check_engine(make, isolated=False, only=(check,))


def test_an_engine_that_loses_a_task_does_not_pass(monkeypatch):
    from geotoolz.batch.testing import _checks

    class Forgetful(InlineEngine):
        def submit(self, ticket, payload, timeout=None):
            if ticket != 3:
                super().submit(ticket, payload, timeout)

    monkeypatch.setattr(_checks, "PATIENCE", 0.2)
    with pytest.raises(EngineBrokenError, match="attempts do not end"):
        check_engine(Forgetful, isolated=False, only=("results",))


def test_what_is_no_engine_does_not_pass():
    with pytest.raises(EngineBrokenError, match="deque is no engine"):
        check_engine(deque, only=("protocol",))


def test_options_of_engines_by_name():
    assert engine_options("inline") == engine_options("process") == ()
    with pytest.raises(ParameterError, match="'process' has no option 'address'"):
        get_engine("process", 2, address="auto")
    with pytest.raises(ParameterError, match="beside an engine that is made"):
        get_engine(InlineEngine(), address="auto")
    with pytest.raises(BatchError, match="check the spelling"):
        engine_options("slurm")
