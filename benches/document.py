"""Writes docs/benchmarks.md and its pictures from what the benches have recorded."""

import datetime
import html
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess

INTRO = """# Benchmarks

What the layers cost, next to what others cost that do the same, or a part of it. `benches/run` writes this file and the table in the README; no figure in them is typed by hand.

```sh
benches/run                    # everything, and this file: some fifteen minutes
benches/run --quick            # the table below, with times too short to mean anything: under two minutes, once it is built
benches/run --row Lifeline     # counts of the rows whose name contains it
benches/run --row Lifeline --where    # and the functions that cost most
benches/run --save-baseline    # everything, and keeps the instructions for `.ci/run bench` to compare with
```

Measured on {machine}.

## The table

*bare* is the handler alone; with `+` it is what is added to it. *Peer* is the best that does the same: for requests the stack of tower's `LoadShed` and `ConcurrencyLimit` with tower-http's `TimeoutLayer` and `ResponseBodyTimeout`, for frames `ResponseBodyTimeout`, for streams axum's `KeepAlive`. *Ours* is a whole `Lifeline`, where nothing else is said. *Stamped* is one that puts the deadline into the extensions of every request, which sends none the [short way](https://docs.rs/tower-lifeline/latest/tower_lifeline/lifeline/index.html#the-short-way). The peers' stack bounds the head and the silence of a body; it has no queue, no beats, no total, and does not see clients that read nothing.

{table}

![Instructions that are added to a request](benchmarks/request.svg)

![Requests per second over sockets](benchmarks/end_to_end.svg)

## Where a goal is missed, and why

- **A plain GET** (goals: 25 % of the peers' stack where it is ready, 50 % where it waits once). What is left on the short way, by callgrind: five copies of a request or response of 150 to 280 bytes, of which two are owed to types (the request's body and the response's become others), about 140 instructions; making the deadline the current one around the handler, twice, about 120; the seat, its three counted references and their drops, about 110; what `Accept` and MCP's revision say, about 90. One that waits pays for tokio's timer, some 500 to arm and disarm, and 140 for the box that it lives in; the peers have three timers, which is why the share is what it is. To hold the seat, the limits and the deadline without the box would move more for everybody else.
- **An MCP call.** The peers' stack looks at none of it. Reading whose call it is takes a fifth (some 2 700 instructions for 100 bytes of JSON); copies of request, response and futures between six layers an eighth; 18 allocations another eighth (the link between body and answer, the deadline and the call in the extensions, two boxes for future and body, the slot of the guard); and what the headers say is read by three layers that know nothing of one another. One future over the cores, as for plain requests, is the way to less.
- **A frame** (goal: + 60). The lock of the guard alone is 20, and the body must be behind it, since somebody else than its owner must be able to take it away; each layer that is left moves the frame once, 12 to 15, and looks at it, 10 to 15: guard 75, phases 87, gate 14. One body over the three cores would come to about 70 by this count, and no lower with a lock.
- **The gate alone**, against `ConcurrencyLimit` and `LoadShed`: their permit goes with the head, so that their bodies are the bare ones; most of the difference is the body that holds the seat, and a response that is moved once more for it. Contended, `try_enter` does one locked operation where `try_acquire` does one as well: there is nothing to halve; awaited, it is.
- **An idle stream** (goal: 250 bytes). Of what a whole `Lifeline` keeps, a heartbeat alone is about 210 (axum's `KeepAlive`: 160); the rest are the slot of the guard with the boxed body (about 450), a second timer, for the phases (150), and the box of the stack's body (216).
- **A beat** costs more processor time than one of `KeepAlive`, whose beats all come in the same moment after each other; ours are jittered, so that each wakes the server by itself. That is meant: streams that were opened together should not be written together.

## What is noise

- **Instructions, looks at the clock, timers, allocations, atomics, system calls** are counted by callgrind, by the difference of two run lengths: the same from run to run to a percent, but for the rows on axum's `Sse`, where the allocator goes one of two ways for an event: those are not in the baseline. They change with the compiler, with the C library and with what the processor lets it use, which is why the baseline in `benches/baseline/` has the toolchain's name.
- **Atomics** are the instructions executed that lock, found by disassembling what ran; on x86-64 only (elsewhere 0). **System calls** are those that valgrind sees, without those that look at the clock, which are none outside of it; sockets are not part of these rows.
- **Nanoseconds** have no better precision than ± 20, since the layout of code alone makes that much, and on a shared machine a third more or less. Nothing is decided by them but the contended gate, by the median of ratios in the same round.
- **Memory** of a stream is the growth of the server's resident set, divided by the streams; its spread is given.
- **Over sockets** the bare server is measured twice in each round; how far the two are apart is the noise of the others, of which the table takes the middle half. Load generator and server share the machine.

## Counts

{counts}

## Times of the same rows

Nanoseconds by criterion (median of the slope), for a feeling only.

{wall}

## The gate, contended

Two workers, 64 tasks, seats for all. Median of the rounds, and their extremes.

{gate}

## Idle streams

{idle}

## Clients that read nothing

{stalled}

## Goodput

The program of [overload](overload.md), by load; in brackets the most that were worked on at once, where 8 is the capacity.

{goodput}

## Over sockets

Median, and the extremes, of {rounds} rounds. The share is of the bare server in the same round.

{end_to_end}
"""

UNITS = ("instructions", "allocations", "clock reads", "timers", "atomics", "syscalls")
MARKS = ("<!-- benches/run writes this -->", "<!-- to here -->")
GREY, BLUE = "#9aa5b1", "#2166ac"


def aligned(rows):
    """A table of Markdown whose columns are as wide as what is in them."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def plain(rows):
    rows = [list(map(str, row)) for row in rows]
    return aligned(rows) if len(rows) > 1 else "Not measured in this run."


def spread(values, digits=0):
    if not values:
        return "–"
    middle = f"{statistics.median(values):.{digits}f}"
    return middle if len(values) == 1 else f"{middle} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def pivot(figures, bench, cases, cell, heading=""):
    """One row for each who, one column for each case."""
    whos = dict.fromkeys(who for it, _, who, _ in figures.all if it == bench and who != "all")
    return plain([[heading, *(title for title, _ in cases)]]
                 + [[who, *(cell(case, who) for _, case in cases)] for who in whos])


def counts(figures):
    cases = dict.fromkeys(case for bench, case, _, _ in figures.all if bench == "counts")
    parts = []
    for case in cases:
        unit = "request" if "frame" not in case and "event" not in case else "frame"
        rows = [[f"{case}, per {unit}", "instructions", "adds", *UNITS[1:]]]
        for who in figures.whose:
            whole = [figures.of("counts", case, who, it) for it in UNITS]
            if None not in whole:
                adds = figures.added(case, who)
                rows.append([who, f"{whole[0]:.0f}", f"{adds:+.0f}", *(f"{it:.2f}".removesuffix(".00") for it in whole[1:])])
        parts.append(plain(rows))
    return "\n\n".join(parts)


def wall(root):
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", root / "target"))
    times = {}
    for path in sorted(target.glob("criterion/*/*/new/benchmark.json")):
        about = json.loads(path.read_text())
        estimates = json.loads((path.parent / "estimates.json").read_text())
        time = (estimates["slope"] or estimates["median"])["point_estimate"]
        times.setdefault(about["value_str"], {})[about["group_id"]] = time
    cases = sorted({case for row in times.values() for case in row})
    return plain([["ns", *cases]] + [[who, *(f"{row[case]:.0f}" if case in row else "–" for case in cases)] for who, row in times.items()])


def goodput(figures):
    cases = dict.fromkeys(case for bench, case, _, _ in figures.all if bench == "goodput")

    def cell(case, who):
        part, most = (figures.of("goodput", case, who, unit) for unit in ("goodput", "most at once"))
        return "–" if part is None else f"{part:.0%} ({most:.0f})".replace("%", " %")

    return pivot(figures, "goodput", [(re.sub(r"(\w+) (\d+)", r"\1, \2×", case), case) for case in cases], cell)


def bars(title, rows, unit, mark=None):
    """Horizontal bars. A row: name, value, colour, and the ends of a whisker or None."""
    left, wide, high = 450, 340, 20
    most = max(max(value, *(ends or (0,))) for _, value, _, ends in rows)
    height = 44 + high * len(rows)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + wide + 90}" height="{height}" font-family="sans-serif" font-size="12">',
           '<rect width="100%" height="100%" fill="white"/>',
           f'<text x="10" y="20" font-size="14" font-weight="bold">{html.escape(title)}</text>']
    for at, (name, value, colour, ends) in enumerate(rows):
        y, length = 34 + high * at, max(value, 0) / most * wide
        out.append(f'<text x="{left - 8}" y="{y + 12}" text-anchor="end">{html.escape(name)}</text>')
        out.append(f'<rect x="{left}" y="{y}" width="{length:.1f}" height="{high - 5}" fill="{colour}"/>')
        end = length
        if ends:
            low, end = (it / most * wide for it in ends)
            out.append(f'<line x1="{left + low:.1f}" x2="{left + end:.1f}" y1="{y + 7.5}" y2="{y + 7.5}" stroke="black"/>')
        out.append(f'<text x="{left + max(length, end) + 5:.1f}" y="{y + 12}">{unit.format(value)}</text>')
    if mark is not None:
        x = left + mark / most * wide
        out.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="28" y2="{height - 8}" stroke="#b2182b" stroke-dasharray="4 3"/>')
    return "\n".join([*out, "</svg>", ""])


def pictures(folder, figures):
    folder.mkdir(exist_ok=True)
    rows = [(who, figures.added("GET ready", who), BLUE if figures.whose[who] == "Ours" else GREY, None)
            for who in figures.rows("Peers", "Ours") if not who.startswith("axum")]
    title = "Instructions that are added to a GET, ready at once (blue: ours; dashed: a quarter of the peers' stack)"
    mark = next(added for who, added, _, _ in rows if "+ ResponseBodyTimeout" in who) / 4
    (folder / "request.svg").write_text(bars(title, rows, "{:.0f}", mark))
    rows = []
    for (bench, case, who, unit), ratios in figures.all.items():
        if bench == "end_to_end" and unit == "ratio" and who != "bare":
            colour = GREY if who in ("bare, again", "peers' stack") else BLUE
            rows.append((f"{case}: {who}", statistics.median(ratios), colour, (min(ratios), max(ratios))))
    if rows:
        (folder / "end_to_end.svg").write_text(bars("Requests per second as a share of the bare server (line: extremes)", rows, "{:.2f}", 1))


def machine():
    def said(*command):
        try:
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            return f"{command[0]} unknown"

    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return (f"{len(names)} × {names[0] if names else platform.machine()}, Linux {platform.release().split('-')[0]}, "
            f"{said('rustc', '--version')}, {said('valgrind', '--version')}, {' '.join(platform.libc_ver())}, "
            f"{datetime.date.today():%B %Y}")


def write(root, figures, lines):
    def each(bench, unit, digits=0):
        return lambda case, who: spread(figures.all.get((bench, case, who, unit)), digits)

    def several(bench, units):
        return lambda case, who: spread(figures.all.get((bench, case, who, units[case][0])), units[case][1])

    streams = figures.of("idle_streams", "streams", "all", "streams") or 0
    loads = [(case, case) for case in ("HTTP/1.1 GET", "HTTP/2 GET", "HTTP/1.1 MCP call")]
    rounds = max((len(it) for (bench, *_), it in figures.all.items() if bench == "end_to_end"), default=0)
    idle = several("idle_streams", {"memory": ("bytes", 0), "beats": ("CPU seconds", 1)})
    stalled = several("stalled_clients", {"memory": ("KiB", 0), "held": ("clients", 0), "free": ("seconds", 1)})
    clients, stall = (figures.of("stalled_clients", case, "all", unit) or 0 for case, unit in (("clients", "clients"), ("stall", "seconds")))
    text = INTRO.format(
        machine=machine(), table=aligned(lines), counts=counts(figures), wall=wall(root), rounds=rounds,
        gate=pivot(figures, "gate_contended", [("ns", "contended")], each("gate_contended", "ns")),
        idle=f"{streams:.0f} streams of axum's `Sse`, a beat each three seconds, each server in a process of its own.\n\n"
        + pivot(figures, "idle_streams", [("bytes each", "memory"), ("CPU seconds per million beats", "beats")], idle),
        stalled=f"{clients:.0f} clients over HTTP/1.1 that ask for an endless answer, a stall of {stall:.0f} s, which is also "
        "the peers' limit of silence. After four stalls it is not waited any longer.\n\n"
        + pivot(figures, "stalled_clients", [("KiB each", "memory"), ("still held", "held"), ("seconds until all was free", "free")], stalled),
        goodput=goodput(figures),
        end_to_end="Share of the bare server's requests per second:\n\n" + pivot(figures, "end_to_end", loads, each("end_to_end", "ratio", 2))
        + "\n\nMicroseconds of the server's processor time for each request:\n\n" + pivot(figures, "end_to_end", loads, each("end_to_end", "CPU µs", 1)),
    )
    (root / "docs" / "benchmarks.md").write_text(text)
    pictures(root / "docs" / "benchmarks", figures)
    readme(root / "README.md", lines)
    print("\nwrote docs/benchmarks.md, its pictures and the table of the README")


def readme(path, lines):
    """Puts the rows that matter most between the two marks."""
    wanted = ("GET", "MCP call", "frame, ready: ", "idle", "goodput", "HTTP/1.1 GET, requests")
    rows = [["", *lines[0][1:4]]] + [line[:4] for line in lines if line[0].startswith(wanted) and "sockets" not in line[0]]
    before, _, rest = path.read_text().partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    path.write_text(f"{before}{MARKS[0]}\n{plain(rows)}\n{MARKS[1]}{after}")
