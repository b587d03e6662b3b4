"""Jobs on executors that die: whoever kills its process fails alone, and nothing else is lost."""

import operator
import os
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from escalation.backtest import executors
from escalation.backtest.executors import REVIVALS, completed


class Killed(Exception):
    """What ends the pool below."""


class Mortal(Executor):
    """Threads in the place of processes: one job that is `Killed` takes all unfinished with it."""

    def __init__(self, workers):
        self.threads, self.broken = ThreadPoolExecutor(workers), False

    def submit(self, function, /, *arguments):
        if self.broken:
            raise BrokenExecutor("the pool is gone")
        future = Future()
        self.threads.submit(self.carry_out, future, function, *arguments)
        return future

    def carry_out(self, future, function, *arguments):
        value = None
        if not self.broken:
            try:
                value = function(*arguments)
            except Killed:
                self.broken = True
        if self.broken:
            future.set_exception(BrokenExecutor("a worker died"))
        else:
            future.set_result(value)


@pytest.fixture
def opened(monkeypatch):
    """Sizes of the pools that were opened, by which threads stand for processes."""
    sizes = []

    @contextmanager
    def mortal(workers):
        sizes.append(workers)
        pool = Mortal(workers)
        yield pool
        pool.threads.shutdown()

    monkeypatch.setattr(executors, "processes", mortal)
    return sizes


def outcomes(length, killers, workers, ran=None):
    """What became of each job, of which some kill."""

    def function(number):
        if ran is not None:
            ran.append(number)
        if number in killers:
            raise Killed
        return -number

    jobs = {number: lambda number=number: (number,) for number in range(length)}
    found = list(completed(function, jobs, workers))
    assert sorted(place for place, _, _ in found) == list(range(length))
    return {place: (value, error) for place, value, error in found}


def failures(found):
    lost = {place for place, (_, error) in found.items() if error is not None}
    assert all(isinstance(found[place][1], BrokenExecutor) for place in lost)
    assert all(found[place] == (-place, None) for place in found.keys() - lost)
    return lost


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("killer", [0, 7, 19])
def test_a_killer_among_twenty_is_one_failure(opened, killer, workers):
    assert failures(outcomes(20, {killer}, workers)) == {killer}
    # All, one at a time, and all again if any is left.
    assert opened in ([workers, 1], [workers, 1, workers])


def test_the_killer_is_looked_for_among_the_few_that_had_started(opened):
    ran = []
    assert failures(outcomes(400, {100}, 1, ran)) == {100}
    assert ran.count(100) == 2
    assert len(ran) == 401
    assert opened == [1, 1, 1]


def test_a_death_from_outside_costs_nothing(opened):
    once = []

    def function(number):
        if number == 7 and not once:
            once.append(number)
            raise Killed
        return -number

    jobs = {number: lambda number=number: (number,) for number in range(20)}
    found = sorted(completed(function, jobs, 2))
    assert found == [(number, -number, None) for number in range(20)]


@pytest.mark.parametrize("workers", [1, 2])
def test_many_killers_are_as_many_failures(opened, workers):
    every_third = set(range(0, 60, 3))
    assert failures(outcomes(60, every_third, workers)) == every_third
    side_by_side = set(range(10, 20))
    assert failures(outcomes(60, side_by_side, workers)) == side_by_side


def test_more_jobs_than_are_handed_out_at_a_time(opened, monkeypatch):
    monkeypatch.setattr(executors._handed_out, "__defaults__", (8,))
    assert failures(outcomes(100, {3, 50, 99}, 2)) == {3, 50, 99}


def test_a_long_row_of_killers_takes_no_later_job_with_it(opened):
    assert failures(outcomes(60, set(range(50)), 1)) == set(range(50))
    assert failures(outcomes(30, set(range(30)), 2)) == set(range(30))


def test_where_no_process_starts_the_run_gives_up(opened, monkeypatch):
    def dead(self, future, function, *arguments):
        self.broken = True
        future.set_exception(BrokenExecutor("died at its start"))

    monkeypatch.setattr(Mortal, "carry_out", dead)
    assert len(failures(outcomes(1000, set(), 2))) == 1000
    assert len(opened) == 2 * (REVIVALS + 1) + 1


def test_what_goes_wrong_in_a_job_breaks_no_pool(opened):
    def function(number):
        return 1 // number

    class Plain(ThreadPoolExecutor):
        pass

    with Plain(1) as pool:
        found = list(completed(function, {0: lambda: (0,), 1: lambda: (1,)}, pool))
    assert {place: value for place, value, _ in found} == {0: None, 1: 1}
    assert isinstance(dict((place, error) for place, _, error in found)[0], ZeroDivisionError)


def test_a_given_executor_that_broke_is_asked_for_nothing_more():
    asked = []
    pool = Mortal(1)
    pool.broken = True

    def job(number):
        def arguments():
            asked.append(number)
            return (number,)

        return arguments

    found = list(completed(abs, {number: job(number) for number in range(20)}, pool))
    pool.threads.shutdown()
    assert [place for place, _, _ in found] == list(range(20))
    assert all(isinstance(error, BrokenExecutor) for _, _, error in found)
    assert asked == [0]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_process_that_is_killed_costs_its_own_job_only(workers):
    jobs = {number: lambda number=number: (int, number) for number in range(20)}
    jobs[7] = lambda: (os._exit, 1)
    found = list(completed(operator.call, jobs, workers))
    assert {place: value for place, value, error in found if error is None} == {
        number: number for number in range(20) if number != 7
    }
    (lost,) = [(place, error) for place, _, error in found if error is not None]
    assert lost[0] == 7
    assert isinstance(lost[1], BrokenExecutor)
