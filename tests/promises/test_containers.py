"""A guest of ten containers: its boot, its memory, its idling, a restart, a small container."""


def test_a_promise_holds(promise, hold):
    hold(promise)
