"""Contenders that take turns, and what is said of their times.

A table is a dict: `title`, `unit`, `base` (the row that ratios are of, or None), `rows` (name to figures), `missing`
(name to the reason), `notes` (lines). One with `columns` has its rows' texts as they are, which texts() makes."""

import statistics
import textwrap


def take_turns(contenders: dict, rounds: int, warm_up: int = 2, between=None) -> dict[str, list[float]]:
    """Each of them once a turn; who is first changes from turn to turn, since who comes later finds warmer caches."""
    took = {name: [] for name in contenders}
    names = list(contenders)
    for turn in range(-warm_up, rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            value = contenders[name]()
            if turn >= 0:
                took[name].append(value)
        if between:
            between()
    return took


def spread(values: list[float], digits: int = 3) -> dict:
    tenths = statistics.quantiles(values, n=10, method="inclusive") if len(values) > 1 else values * 9
    return {"median": round(statistics.median(values), digits), "p10": round(tenths[0], digits),
            "p90": round(tenths[8], digits)}


def table(title: str, unit: str, took: dict[str, list[float]], base: str | None, missing: dict | None = None,
          notes: list[str] | None = None) -> dict:
    """`took` is as take_turns() gives it; a ratio is that to the base's value of the same turn."""
    rows = {}
    for name, values in took.items():
        rows[name] = spread(values)
        if base:
            rows[name]["ratio"] = spread([one / other for one, other in zip(values, took[base])], 2)
    return {"title": title, "unit": unit, "base": base, "rows": rows, "missing": missing or {}, "notes": notes or [],
            "turns": len(next(iter(took.values()), []))}


def texts(title: str, columns: list[str], rows: dict[str, list[str]], turns: int, missing: dict | None = None,
          notes: list[str] | None = None) -> dict:
    """A table of what is not a time with its spread."""
    return {"title": title, "columns": columns, "rows": rows, "missing": missing or {}, "notes": notes or [],
            "turns": turns}


def cells(one: dict | list[str]) -> list[str]:
    if isinstance(one, list):
        return one
    words = [f"{one['median']:g}", f"{one['p10']:g} to {one['p90']:g}"]
    if ratio := one.get("ratio"):
        words += [f"{ratio['median']:g}", f"{ratio['p10']:g} to {ratio['p90']:g}"]
    return words


def head(one: dict) -> list[str]:
    if "columns" in one:
        return one["columns"]
    words = [one["unit"], "tenth to ninetieth of 100"]
    return words + ([f"times {one['base']}", "tenth to ninetieth"] if one["base"] else [])


def show(one: dict) -> None:
    print(f"{one['title']} ({one['turns']} turns), {one.get('unit') or ', '.join(one['columns'])}:")
    for name, row in one["rows"].items():
        if "columns" in one:
            print(f"  {name}: {', '.join(row)}")
            continue
        median, span, *ratio = cells(row)
        print(f"  {name}: {median} ({span})" + (f"; times {one['base']} {ratio[0]} ({ratio[1]})" if ratio else ""))
    for name, why in one["missing"].items():
        print(f"  {name}: not measured: {why}")
    for note in one["notes"]:
        print(f"  {note}")


def markdown(one: dict) -> str:
    lines = [f"### {one['title']}", "", "| | " + " | ".join(head(one)) + " |", "|---" * (len(head(one)) + 1) + "|"]
    lines += [f"| {name} | " + " | ".join(cells(row)) + " |" for name, row in one["rows"].items()]
    notes = [f"{one['turns']} turns.", *one["notes"]]
    notes += [f"Not measured: {name}: {why}." for name, why in one["missing"].items()]
    lines += ["", textwrap.fill(" ".join(notes), 120, break_long_words=False)]
    return "\n".join(lines) + "\n"
