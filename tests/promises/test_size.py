"""Bytes; and the document, which says the same as limits.toml."""

import promises


def test_a_promise_holds(promise, hold):
    hold(promise)


def test_the_document_has_the_table_of_the_limits():
    text = promises.DOCUMENT.read_text()
    assert promises.document(text, promises.load()) == text, "run tests/promises/measure --table"


def test_every_promise_is_measured():
    assert {one["by"] for one in promises.load().values()} == set(promises.MEASURES)


def test_what_is_over_its_limit_is_said_with_what_to_do():
    promised = {"binary": {"what": "the binary", "limit": 1000, "unit": "bytes", "show": "ls -l"}}
    assert promises.broken(promised, {"binary": 1000, "other": 5}) == []
    said = promises.broken(promised, {"binary": 1001})[0]
    assert "promised: the binary: at most 1,000 bytes; measured: 1,001" in said and "`ls -l`" in said
    assert "[binary]" in said and "tests/promises/limits.toml" in said


def test_what_got_better_lowers_its_limit_to_three_percent_above_and_nothing_raises_one():
    text = '[a]\nwhat = "x"\nlimit = 100000000\nreached = 1\ngoal = 5\n\n[b]\nlimit = 0\nreached = 0\n'
    assert promises.with_numbers(text, {"a": 92106770, "b": 7}) == (
        '[a]\nwhat = "x"\nlimit = 94900000\nreached = 92106770\ngoal = 5\n\n[b]\nlimit = 0\nreached = 7\n')
