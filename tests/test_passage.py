"""Chunks on their way through steps: in order, a few at a time, by several threads."""

import threading

import pytest

from skdp._passage import in_order


@pytest.mark.parametrize("jobs", [1, 3])
def test_items_come_in_order_and_no_more_than_there_is_room_for_are_taken(jobs):
    taken = []
    results = in_order((taken.append(number) or number for number in range(10)), lambda number: number**2, jobs)
    for number, result in enumerate(results):
        assert result == number**2
        assert len(taken) <= number + jobs + 1


def test_an_error_comes_up_where_its_result_would_and_ends_the_rest():
    results = in_order([1, 2, 0, 4], lambda number: 4 // number, 1)
    assert [next(results), next(results)] == [4, 2]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert list(results) == []


def test_results_that_nobody_fetches_may_be_swept_by_the_thread_that_makes_them():
    """As when an interruption leaves a cycle of references: a thread cannot wait for itself."""
    left, swept = threading.Event(), threading.Event()

    def forget(number):
        if number:
            left.wait()
            held.clear()
            swept.set()
        return number

    held = [in_order(range(5), forget, 1)]
    assert next(held[0]) == 0
    left.set()
    assert swept.wait(60)
