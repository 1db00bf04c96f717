"""BLAS and OpenMP beside the runner's threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from threadpoolctl import threadpool_info, threadpool_limits

from geotoolz.core import run
from geotoolz.core.testing import simulate_scene
from geotoolz.learn import PixelwiseClassifier, ToPixelMajor, TrainingRows, fit_rows
from geotoolz.learn._one_thread_each import one_thread_each


def blas_threads() -> set[int]:
    """Return how many threads the loaded BLAS libraries have."""
    return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}


def openmp_threads() -> set[int]:
    """Return how many threads the loaded OpenMP libraries take in this thread."""
    return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "openmp"}


@pytest.fixture
def usual() -> set[int]:
    """Return how many threads BLAS has as a rule."""
    found = blas_threads()
    if found == {1}:
        pytest.skip("BLAS has one thread on this machine anyway")
    return found


def in_threads(*works: Callable[[], None]) -> None:
    """Let each have a thread of its own, and wait for all."""
    with ThreadPoolExecutor(len(works)) as pool:
        for done in [pool.submit(work) for work in works]:
            done.result(timeout=60)


def test_the_main_thread_is_left_alone(usual: set[int]) -> None:
    with one_thread_each():
        assert blas_threads() == usual


def test_threads_share_one_limit_and_leave_none_behind(usual: set[int]) -> None:
    seen: dict[str, set[int]] = {}
    first_is_in, second_is_in, first_has_left = (threading.Event() for _ in range(3))

    def first() -> None:
        with one_thread_each():
            first_is_in.set()
            assert second_is_in.wait(20)
            seen["both"] = blas_threads() | openmp_threads()
        first_has_left.set()

    def second() -> None:
        assert first_is_in.wait(20)
        with one_thread_each():
            second_is_in.set()
            assert first_has_left.wait(20)
            seen["mine"] = openmp_threads()

    in_threads(first, second)
    assert seen == {"both": {1}, "mine": {1}}
    assert blas_threads() == usual


def test_many_calls_side_by_side_leave_none_behind(usual: set[int]) -> None:
    def work() -> None:
        for _ in range(200):
            with one_thread_each():
                pass

    in_threads(*[work] * 8)
    assert blas_threads() == usual


def test_an_error_leaves_none_behind(usual: set[int]) -> None:
    def work() -> None:
        with pytest.raises(RuntimeError), one_thread_each():
            raise RuntimeError("within")

    in_threads(work)
    assert blas_threads() == usual


def test_a_limit_of_the_caller_stands(usual: set[int]) -> None:
    seen = []

    def work() -> None:
        with one_thread_each():
            seen.append(blas_threads())

    with threadpool_limits(1, user_api="blas"):
        in_threads(work)
        assert blas_threads() == {1}
    assert seen == [{1}]
    assert blas_threads() == usual


class Watching(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Notes how many threads BLAS has when it is asked."""

    def fit(self, X: Any, y: Any) -> Watching:
        self.classes_, self.n_features_in_, self.seen_ = np.unique(y), X.shape[1], []
        return self

    def predict(self, X: Any) -> Any:
        main = threading.current_thread() is threading.main_thread()
        self.seen_.append((main, blas_threads(), openmp_threads()))
        time.sleep(0.01)  # else one thread may be done with all before the other begins
        return np.full(len(X), self.classes_[0])


@pytest.mark.parametrize("threads", [1, 2])
def test_a_run_with_threads_gives_blas_one(threads: int, usual: set[int]) -> None:
    rows = TrainingRows(
        X=np.random.default_rng(0).random((50, 2), np.float32),
        features=("red", "nir"),
        y=np.arange(50) % 2,
    )
    model = fit_rows(Watching(), rows, adapter=ToPixelMajor(("red", "nir")))
    model.estimator.seen_.clear()
    run(PixelwiseClassifier(model), simulate_scene((1024, 1024)), threads=threads)
    mains, counts, openmp = zip(*model.estimator.seen_, strict=True)
    if threads == 1:
        assert set(mains) == {True}
        assert all(count == usual for count in counts)
    else:
        assert set(mains) == {True, False}  # the caller works, too
        assert {1} in counts
        assert all(count == {1} for count in openmp)
    assert blas_threads() == usual
