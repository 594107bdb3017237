#!/usr/bin/env python3
"""compare/draw.py DIRECTORY: makes a table (compare.txt, also on stdout) and plots (KEY.svg, KEY.png) of the sweeps
that bench/compare has left there as JSON. Plots need gnuplot; without it that is said, and the table is made."""

import collections
import json
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent

# For each plot: the metric on the y axis, or the bars' length; the title; logarithmic or not.
Plot = collections.namedtuple("Plot", "metric title label logx logy", defaults=(0, 0))
PLOTS = {
    "workers": Plot("rate", "Jobs without work, submitted one by one", "million jobs a second", 2, 10),
    "latency": Plot("mean", "One job at a time, there and back", "microseconds, mean", 2, 10),
    "length": Plot("efficiency", "Jobs that last: share of two CPUs that is work", "efficiency, 2 workers", 10),
    "payload": Plot("rate", "Jobs that add up a block of bytes, 2 workers", "million jobs a second", 2, 10),
    "payload-latency": Plot("mean", "One such job at a time, there and back, 2 workers", "microseconds, mean", 2, 10),
    "map": Plot("speed-up", "Map over an array, 2 workers, against a plain loop", "times as fast", 10),
    "pi": Plot("rate", "Monte Carlo pi, one run of 10^9 samples", "million samples a second", 2),
    "regions": Plot("a pair", "A region that is entered and left", "ns"),
    "tasks": Plot("resident", "Memory of a task that waits", "bytes"),
    "spawn": Plot("a task", "Start of a task until its end, one thread", "ns, logarithmic", 10),
}

# A linestyle of compare/style.gp for whoever's name begins so; the longest that fits.
STYLES = {
    "bare": 1, "spin": 1, "blocking pipe, one": 2, "blocking pipe, two": 3,
    "uv": 4, "GThreadPool": 5, "oneTBB": 6, "Go": 7, "mp.Pool": 8, "ProcessPoolExecutor": 9, "cProfile": 8,
    "OpenMP static": 4, "OpenMP guided": 5, "OpenMP dynamic": 9, "asyncio": 8, "uftrace": 5, "gprof": 4, "a uv": 4,
    "rdtsc": 1, "clock_gettime": 1, "state machine": 1,
    "libparexec": 10, "libparexec, window": 11, "libparexec, block in": 10, "libparexec, block copied": 11,
    "libparexec, ordinary": 11, "libparexec, chunk 1": 12,
}
UNITS = {"bytes": ((1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B")), "ns": ((10**6, "ms"), (10**3, "us"), (1, "ns"))}


def style_of(who):
    return STYLES[max((name for name in STYLES if who.startswith(name)), key=len)]


def amount(value, unit):
    """12 us for 12000 ns."""
    if unit is None:
        return str(value)
    for size, name in UNITS[unit]:
        if value >= size:
            return "%.4g %s" % (value / size, name)
    return "%.4g %s" % (value, unit)


def number(value):
    """Three digits."""
    if value == 0:
        return "0"
    digits = len("%d" % abs(value)) if abs(value) >= 1 else 0
    if digits > 3:
        return "{:,}".format(int(round(value, 3 - digits)))
    return "%.3g" % value


def figures(series, metric):
    """x -> the figure of that metric, where there is one."""
    return {point["x"]: found["figure"]
            for point in series["points"] for found in point["metrics"] if found["what"] == metric}


def metrics_of(sweep):
    """Names with units, as the first who has them has them."""
    found = {}
    for series in sweep["series"]:
        for point in series["points"]:
            for metric in point["metrics"]:
                found.setdefault(metric["what"], metric["unit"])
    return found


def spread(figure):
    """Half of the distance between the quartiles, in per cent of the median."""
    return "%.0f" % ((figure["q3"] - figure["q1"]) / 2 / abs(figure["median"]) * 100) if figure["median"] else "0"


def table_of_metric(sweep, metric, unit):
    xs = sorted({point["x"] for series in sweep["series"] for point in series["points"]})
    name, x_unit = sweep["x"]["name"], sweep["x"]["unit"]
    head = "%s, %s" % (metric, unit)
    rows = [[head] + ([amount(x, x_unit) for x in xs] if name else [""])]
    for series in sweep["series"]:
        found = figures(series, metric)
        if found:
            rows.append([series["who"]] + [
                "%s ±%s" % (number(found[x]["median"]), spread(found[x])) if x in found else "-" for x in xs])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    widths = [max(widths[0], 30)] + [max(width, 9) for width in widths[1:]]
    lines = [row[0].ljust(widths[0]) + "".join("  " + cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))
             for row in rows]
    return [line.rstrip() for line in lines]


def notes_of(sweep):
    """Why somebody has no figure, once for each reason."""
    lines = []
    for series in sweep["series"]:
        for note in dict.fromkeys(p["note"] for p in series["points"] if p["note"] and not p["metrics"]):
            where = [amount(p["x"], sweep["x"]["unit"]) for p in series["points"] if p["note"] == note]
            at = " at " + ", ".join(where) if sweep["x"]["name"] else ""
            lines.append("no figure: %s%s: %s" % (series["who"], at, note))
    return lines


def text_of(sweep):
    machine, build = sweep["machine"], sweep["build"]
    lines = [
        sweep["what"],
        "%s; %s; %d rounds%s in %.0f s" % (sweep["date"], sweep["command"], sweep["rounds"],
                                        " (quick: figures are rough)" if sweep["quick"] else "", sweep["seconds"]),
        "%s, %d CPUs, %.2f GHz, Linux %s, load at the end %.1f" % (machine["cpu"], machine["cpus"], machine["ghz"],
                                                                 machine["kernel"], machine["load"]),
        "libparexec %s, %s %s; rivals: %s" % (build["library"], build["compiler"], build["flags"], ", ".join(
            "%s %s" % (rival["name"], rival["version"] or "absent") for rival in sweep["rivals"])),
    ]
    for metric, unit in metrics_of(sweep).items():
        lines += [""] + table_of_metric(sweep, metric, unit)
    return lines + notes_of(sweep) + [""]


def write_lines(sweep, plot, path):
    """A block for each series with figures; the xs of a map are what its items really took. Returns the styles."""
    blocks, styles = [], []
    for series in sweep["series"]:
        found, really = figures(series, plot.metric), figures(series, "in the loop")
        if not found:
            continue
        lines = ['"%s"' % series["who"]]
        for x, figure in sorted(found.items()):
            lines.append("%.6g %.6g %.6g %.6g" % (really[x]["median"] if really else x, figure["median"],
                                                 figure["q1"], figure["q3"]))
        blocks.append("\n".join(lines))
        styles.append(style_of(series["who"]))
    path.write_text("\n\n\n".join(blocks) + "\n")
    return styles


def write_bars(sweep, plot, path):
    lines, styles = [], []
    for series in sweep["series"]:
        for figure in figures(series, plot.metric).values():
            styles.append(style_of(series["who"]))
            lines.append('"%s" %d %.6g %.6g %.6g "%s"' % (series["who"], styles[-1], figure["median"], figure["q1"],
                                                         figure["q3"], number(figure["median"])))
    path.write_text("\n".join(lines) + "\n")
    return styles


def ticks(sweep):
    """Ticks where there were points, by their names."""
    xs = sorted({point["x"] for series in sweep["series"] for point in series["points"]})
    unit = sweep["x"]["unit"]
    if unit == "ns":
        xs = [10**power for power in range(8) if xs[0] / 10 < 10**power <= xs[-1]]
    return ", ".join('"%s" %d' % (amount(x, unit), x) for x in xs)


def quoted(text):
    return "'%s'" % str(text).replace("'", "''")


def gnuplot(script, settings, terminal, output):
    lines = ["set terminal " + terminal, "set output " + quoted(output), "script_directory = " + quoted(HERE)]
    lines += ["%s = %s" % (name, value if isinstance(value, (int, float)) else quoted(value))
              for name, value in settings.items()]
    lines.append("load " + quoted(HERE / script))
    subprocess.run(["gnuplot"], input="\n".join(lines) + "\n", text=True, check=True)


def draw(sweep, directory):
    plot, key = PLOTS[sweep["sweep"]], sweep["sweep"]
    data = directory / (key + ".dat")
    bars = sweep["x"]["name"] is None
    styles = (write_bars if bars else write_lines)(sweep, plot, data)
    if not styles:
        return
    settings = {"data": data, "count": len(styles), "title": plot.title, "logx": plot.logx}
    if bars:
        least = min(figure["q1"] for series in sweep["series"] for figure in figures(series, plot.metric).values())
        settings.update(xlabel=plot.label, ylabel="", xmin=least / 2 if plot.logx else 0)
    else:
        name = {"length": "time of an item in the loop" if key == "map" else "length of a job",
                "payload": "bytes of a block", "workers": "workers"}[sweep["x"]["name"]]
        settings.update(xlabel=name, ylabel=plot.label, logy=plot.logy, ymin=0, xtics=ticks(sweep),
                        styles=" ".join(map(str, styles)))
    script = "bars.gp" if bars else "lines.gp"
    height = 110 + 28 * len(styles) if bars else 450
    look = "background 'white' font 'sans-serif,13'"
    gnuplot(script, settings, "svg size 800,%d fixed %s" % (height, look), directory / (key + ".svg"))
    gnuplot(script, settings, "pngcairo size 1600,%d fontscale 1.7 linewidth 2 pointscale 2 %s" % (2 * height, look),
            directory / (key + ".png"))


def main():
    directory = pathlib.Path(sys.argv[1])
    sweeps = [json.loads((directory / (key + ".json")).read_text())
              for key in PLOTS if (directory / (key + ".json")).exists()]
    text = "\n".join(line for sweep in sweeps for line in text_of(sweep))
    (directory / "compare.txt").write_text(text)
    print("medians, and half of the distance between the quartiles in per cent\n\n" + text)
    if shutil.which("gnuplot") is None:
        print("no gnuplot: no plots")
        return
    for sweep in sweeps:
        draw(sweep, directory)
    print("plots, table and JSON are in", directory)


if __name__ == "__main__":
    main()
