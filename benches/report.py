#!/usr/bin/env python3
"""Makes one table of what the benches have recorded, compares it with the baseline, and writes the document.

Usage: benches/report.py RECORDED... [--quick] [--save-baseline] [--write]
  RECORDED         files of tab-separated lines: bench, case, who, unit, figures
  --quick          times mean nothing, so rows that are made of them say so; instructions are what they are
  --save-baseline  writes the instructions of our rows to benches/baseline/, under the name of the toolchain
  --write          writes docs/benchmarks.md and its pictures
Fails where one of our rows takes over 5 % more instructions than the baseline of the same toolchain says.
"""

import pathlib
import statistics
import subprocess
import sys

sys.dont_write_bytecode = True
import document  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORSE, SAME = 1.05, 1.01

PEERS = "LoadShed + ConcurrencyLimit + TimeoutLayer + ResponseBodyTimeout"
PHASES, THREE = "PhaseTimeout, all phases", "tower-http, those three"
SHED = "LoadShed + ConcurrencyLimit"
READ = "tower-http ResponseBodyTimeout"
COUNTS = ("clock reads", "timers", "allocations", "atomics")


class Figures:
    """What was recorded, by bench, case, who and unit."""

    def __init__(self, paths):
        self.all, self.against, self.whose = {}, {}, {}
        for path in paths:
            for line in pathlib.Path(path).read_text().splitlines():
                bench, case, who, unit, figures = line.split("\t")
                if bench == "row":
                    self.against[who], self.whose[who] = case, unit
                else:
                    self.all[bench, case, who, unit] = [float(it) for it in figures.split()]

    def of(self, bench, case, who, unit):
        """The median, or None where it was not measured."""
        figures = self.all.get((bench, case, who, unit))
        return statistics.median(figures) if figures else None

    def added(self, case, who, unit="instructions"):
        """What a row of the counts adds to the handler alone."""
        whole = self.of("counts", case, who, unit)
        bare = self.of("counts", case, self.against.get(who, "bare"), unit)
        return None if None in (whole, bare) else whole - bare

    def rows(self, *whose):
        return [who for who, its in self.whose.items() if its in whose]


class Line:
    """A line of the one table. `is_met` is None where there is no goal, or nothing to tell by."""

    def __init__(self, what, bare, peer, ours, ratio, goal, is_met, is_time=False):
        self.cells = [what, bare, peer, ours, ratio, goal]
        self.is_met, self.is_time = is_met, is_time

    def text(self, is_quick):
        met = {None: "", True: "yes", False: "**no**"}[self.is_met]
        return self.cells + ["(too short)" if self.is_time and is_quick else met]


def number(value, sign="", unit=""):
    if value is None:
        return "–"
    digits = 0 if abs(value) >= 10 or value == int(value) else 2
    return f"{value:{sign},.{digits}f}".replace(",", " ") + unit


def quotient(ours, peer):
    return ours / peer if ours is not None and peer else None


def instructions(figures, what, case, ours, peer, bare="bare", share=None, at_most=None):
    """Instructions that are added, held against a share of the peer's or against a number."""
    added, theirs = figures.added(case, ours), figures.added(case, peer) if peer else None
    ratio, goal, is_met = quotient(added, theirs), "", None
    if share is not None:
        goal, is_met = f"≤ {share:.0%}".replace("%", " %"), None if ratio is None else ratio <= share
    elif at_most is not None:
        goal, is_met = f"≤ +{at_most}", None if added is None else added <= at_most
    whole = figures.of("counts", case, bare, "instructions")
    return Line(what, number(whole), number(theirs, "+"), number(added, "+"), number(ratio), goal, is_met)


def counted(figures, what, case, ours, peer):
    """The other counts of a request, all in one cell."""
    def cell(who, get):
        return " / ".join(number(get(case, who, unit)) for unit in COUNTS)

    whole = cell("bare", lambda case, who, unit: figures.of("counts", case, who, unit))
    return Line(what, whole, cell(peer, figures.added), cell(ours, figures.added), "", "", None)


def syscalls(figures, case, what):
    peer, ours = (figures.added(case, who, "syscalls") for who in (PEERS, "Lifeline"))
    bare = figures.of("counts", case, "bare", "syscalls")
    is_met = None if ours is None else round(ours, 2) <= 0
    return Line(what, number(bare), number(peer, "+"), number(ours, "+"), "", "+0", is_met)


def contended(figures, what, theirs, ours):
    def figure(who):
        return figures.of("gate_contended", "contended", who, "ns")

    pairs = [figures.all.get(("gate_contended", "contended", who, "ns"), []) for who in (ours, theirs)]
    ratios = [a / b for a, b in zip(*pairs)]
    ratio = statistics.median(ratios) if ratios else None
    is_met = None if ratio is None else ratio <= 0.5
    return Line(what, "–", number(figure(theirs), unit=" ns"), number(figure(ours), unit=" ns"), number(ratio), "≤ 50 %", is_met, True)


def idle(figures):
    def memory(who):
        return figures.of("idle_streams", "memory", who, "bytes")

    bare, peer, ours = (memory(who) for who in ("bare", "axum KeepAlive", "Lifeline"))
    if None in (bare, peer, ours):
        return
    peer, ours = peer - bare, ours - bare
    yield Line("idle event stream, bytes of the server", number(bare), number(peer, "+"), number(ours, "+"),
               number(quotient(ours, peer)), "≤ +250", ours <= 250, True)
    peer, ours = (figures.of("idle_streams", "beats", who, "CPU seconds") for who in ("axum KeepAlive", "Lifeline"))
    yield Line("a million beats, CPU seconds", "–", number(peer), number(ours), number(quotient(ours, peer)), "", None, True)


def stalled(figures):
    cells = []
    for who in ("bare", "peers' stack", "Lifeline"):
        left, free = (figures.of("stalled_clients", case, who, unit) for case, unit in (("held", "clients"), ("free", "seconds")))
        cells.append("–" if left is None else f"all free after {free:.1f} s" if free else f"{left:.0f} for good")
    clients, stall = (figures.of("stalled_clients", case, "all", unit) for case, unit in (("clients", "clients"), ("stall", "seconds")))
    if clients:
        is_met = figures.of("stalled_clients", "held", "Lifeline", "clients") == 0
        yield Line(f"answers held by {clients:.0f} clients that read nothing, stall {stall:.0f} s", *cells, "", "all free", is_met)


def goodput(figures, clock, load):
    def cell(who):
        part, most = (figures.of("goodput", f"{clock} {load}", who, unit) for unit in ("goodput", "most at once"))
        return "–" if part is None else f"{part:.0%} with {most:.0f} at once".replace("%", " %")

    whos = ("bare", SHED, "AdmissionGate")
    ours = figures.of("goodput", f"{clock} {load}", whos[2], "goodput")
    is_met = None if ours is None else ours >= 0.95
    where = "" if clock == "paused" else ", over sockets"
    return Line(f"goodput at {load} times the capacity of 8{where}", *map(cell, whos), "", "≥ 95 %", is_met)


def end_to_end(figures, case):
    def ratio(who):
        return figures.of("end_to_end", case, who, "ratio")

    noise = figures.all.get(("end_to_end", case, "bare, again", "ratio"))
    bare, peer, ours = (figures.of("end_to_end", case, who, "CPU µs") for who in ("bare", "peers' stack", "Lifeline"))
    if not noise or None in (bare, peer, ours):
        return
    # The extremes would let anything pass on a busy machine.
    low, _, high = statistics.quantiles(noise, n=4, method="inclusive") if len(noise) > 1 else noise * 3
    yield Line(f"{case}, requests/s of bare (bare itself: {low:.2f} to {high:.2f})", "1", number(ratio("peers' stack")), number(ratio("Lifeline")),
               number(quotient(ratio("Lifeline"), ratio("peers' stack"))), "within noise", ratio("Lifeline") >= low, True)
    yield Line(f"{case}, CPU µs of the server each", number(bare), number(peer - bare, "+"), number(ours - bare, "+"), "", "", None, True)


def table(figures):
    stamped = "Lifeline, stamped"
    lines = [
        instructions(figures, "GET, ready: instructions", "GET ready", "Lifeline", PEERS, share=0.25),
        instructions(figures, "GET, pending once", "GET pending once", "Lifeline", PEERS, share=0.5),
        instructions(figures, "GET, ready, deadline in its extensions", "GET ready", stamped, PEERS),
        instructions(figures, "MCP call, ready", "call ready", "Lifeline", PEERS, share=0.25),
        instructions(figures, "MCP call, pending once", "call pending once", "Lifeline", PEERS, share=0.5),
        counted(figures, "GET, ready: looks at the clock / timers / allocations / atomics", "GET ready", "Lifeline", PEERS),
        counted(figures, "the same, deadline in its extensions", "GET ready", stamped, PEERS),
        syscalls(figures, "GET ready, cold", "GET, ready, no timer live: system calls"),
        syscalls(figures, "call ready, cold", "MCP call, ready, no timer live: system calls"),
        instructions(figures, "`PhaseTimeoutLayer` alone, GET, ready; tower-http's three", "GET ready", PHASES, THREE, share=1 / 3),
        instructions(figures, "`AdmissionGateLayer` alone, GET, ready; shed and limit", "GET ready", "AdmissionGate", SHED, share=0.5),
        instructions(figures, "frame, ready: instructions", "frame ready", "Lifeline", READ, at_most=60),
        instructions(figures, "frame, pending before each", "frame pending", "Lifeline", READ),
        instructions(figures, "frame, ready, guard alone", "frame ready", "SlowClientGuard", None, at_most=50),
        instructions(figures, "event of 200 bytes, ready", "event ready (200 bytes)", "Lifeline", READ),
        instructions(figures, "small event of axum's Sse, ready, heartbeat alone", "frame ready", "axum Sse + SseHeartbeat",
                     "axum Sse + KeepAlive", bare="axum Sse"),
        contended(figures, "gate, contended, no wait: `try_enter`, tokio's `try_acquire`", "Semaphore::try_acquire", "AdmissionGate::try_enter"),
        contended(figures, "the same: `enter`, tokio's `acquire_owned`", "Semaphore::acquire_owned().await", "AdmissionGate::enter().await"),
        *idle(figures), *stalled(figures), goodput(figures, "paused", 10),
    ]
    if ("goodput", "sockets 10", "bare", "goodput") in figures.all:
        lines.append(goodput(figures, "sockets", 10))
    for case in ("HTTP/1.1 GET", "HTTP/2 GET", "HTTP/1.1 MCP call"):
        lines += end_to_end(figures, case)
    return lines


def toolchain():
    said = subprocess.run(["rustc", "-vV"], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    fields = dict(line.split(": ", 1) for line in said.splitlines() if ": " in line)
    return f"{fields['release']}-{fields['host']}"


def baseline(figures, is_saved):
    """Compares our rows with those of the same toolchain, or saves them. Returns the complaints."""
    path = ROOT / "benches" / "baseline" / f"{toolchain()}.tsv"
    # What axum's Sse allocates for an event costs now more and now less, and so do the rows on top of it.
    kept = [who for who in figures.rows("Nobody", "Ours") if figures.against[who] == "bare"]
    now = {(who, case): values[0] for (bench, case, who, unit), values in figures.all.items()
           if bench == "counts" and unit == "instructions" and who in kept}
    if is_saved:
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(f"{who}\t{case}\t{count:.1f}\n" for (who, case), count in sorted(now.items())))
        print(f"\nsaved {len(now)} counts as {path.relative_to(ROOT)}")
        return []
    if not path.exists():
        print(f"\nNOT CHECKED: instructions, for there is no baseline of {toolchain()} (benches/run --save-baseline writes one)")
        return []
    lines = (line.split("\t") for line in path.read_text().splitlines())
    then = {(who, case): float(count) for who, case, count in lines}
    # Nothing of ours is in these: another C library or processor moves them, and ours with them.
    moved = [f"{case}: {now[who, case]:.0f}, {count:.0f} in the baseline" for (who, case), count in then.items()
             if figures.whose.get(who) == "Nobody" and abs(now.get((who, case), count) - count) > count * (SAME - 1)]
    if moved:
        print(f"\nNOT CHECKED: instructions, for the bare handler takes others here than where the baseline was taken ({'; '.join(moved)})")
        return []
    complaints = [f"{who}, {case}: {now[who, case]:.0f} instructions, {count:.0f} in the baseline"
                  for (who, case), count in then.items() if (who, case) in now and now[who, case] > count * WORSE]
    complaints += [f"{who}, {case}: in one of baseline and run only" for who, case in sorted(then.keys() ^ now.keys())]
    better = sum(now.get(key, count) < count / WORSE for key, count in then.items())
    print(f"\nbaseline {path.stem}: {len(then)} counts, {len(complaints)} worse by more than 5 %, {better} better by more than that")
    return complaints


def main(arguments):
    options = {it for it in arguments if it.startswith("--")}
    figures = Figures(it for it in arguments if not it.startswith("--"))
    is_quick = "--quick" in options
    lines = [line.text(is_quick) for line in table(figures)]
    head = ["what", "bare", "best peer", "ours", "ours ÷ peer", "goal", "met"]
    print(document.aligned([head, *lines]))
    if "--write" in options:
        document.write(ROOT, figures, [head, *lines])
    complaints = baseline(figures, "--save-baseline" in options)
    for complaint in complaints:
        print(f"WORSE: {complaint}")
    if complaints:
        print("where that is meant to be so: benches/run --save-baseline")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
