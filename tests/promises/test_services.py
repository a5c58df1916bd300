"""A guest of ten plain services."""


def test_a_promise_holds(promise, hold):
    hold(promise)
