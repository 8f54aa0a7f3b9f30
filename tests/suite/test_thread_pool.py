"""The web's threads: work goes to the one that became idle last, few work at a time, and no work is lost."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from todo_shared.thread_pool import WorkQueue, aside, thread_pool

THREADS = 8
SECONDS = 10.0


def all_at_once(pool: ThreadPoolExecutor) -> set[int]:
    """Have as many threads at once as the pool may have, and return them."""
    together = threading.Barrier(THREADS)
    return set(pool.map(lambda _: together.wait(SECONDS) < THREADS and threading.get_ident(), range(THREADS)))


def test_few_threads_do_a_little_work() -> None:
    """If all threads are idle, work that comes piece by piece does not pass through all of them."""
    with thread_pool(THREADS, WorkQueue(THREADS)) as pool:
        assert len(all_at_once(pool)) == THREADS
        assert len({pool.submit(threading.get_ident).result() for _ in range(1000)}) < THREADS


@pytest.mark.parametrize("at_work", [1, 3, THREADS])
def test_so_many_at_work(at_work: int) -> None:
    """So many threads work at a time, all of them have a turn, and the end waits for all work, in its order."""
    work, now, most, done = WorkQueue(THREADS), 0, 0, list[int]()
    lock, enough = threading.Lock(), threading.Semaphore(0)

    def one(number: int) -> None:
        nonlocal now, most
        with lock:
            done.append(number)
            now += 1
            most = max(most, now)
        # The first wait until so many are at work.
        if number < at_work:
            if now == at_work:
                enough.release(at_work)
            assert enough.acquire(timeout=SECONDS)
        with lock:
            now -= 1

    with thread_pool(THREADS, work) as pool:
        all_at_once(pool)
        work.allow(at_work)
        results = [pool.submit(one, number) for number in range(100)]
    assert [result.result() for result in results] == [None] * 100
    assert most == at_work
    assert sorted(done) == list(range(100))
    if at_work == 1:
        assert done == list(range(100))


def test_aside() -> None:
    """While threads wait for another server, others work, and when that has answered, there are not too many."""
    answered, asked = threading.Event(), threading.Semaphore(0)

    def ask() -> bool:
        with aside(), aside():  # As where a call that waits is made by another.
            asked.release()
            return answered.wait(SECONDS)

    with thread_pool(THREADS, WorkQueue(1)) as pool:
        waiting = [pool.submit(ask) for _ in range(THREADS - 1)]
        for _ in waiting:
            assert asked.acquire(timeout=SECONDS)
        assert pool.submit(int).result(SECONDS) == 0
        answered.set()
        assert all(each.result(SECONDS) for each in waiting)
        assert [pool.submit(int).result(SECONDS) for _ in range(THREADS)] == [0] * THREADS


def test_aside_outside_of_a_pool() -> None:
    """Whoever is no thread of a pool just waits."""
    with aside():
        pass


def test_end_without_what_waits() -> None:
    """What has not begun is cancelled, if the end says so."""
    begun, begin = threading.Event(), threading.Event()

    def wait() -> bool:
        begun.set()
        return begin.wait(SECONDS)

    pool = thread_pool(THREADS, WorkQueue(1))
    first = pool.submit(wait)
    assert begun.wait(SECONDS)
    second = pool.submit(int)
    pool.shutdown(wait=False, cancel_futures=True)
    begin.set()
    assert first.result(SECONDS)
    assert second.cancelled()
