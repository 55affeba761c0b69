"""Benchmark of the miners beside their peers: one run, the same archive, every figure a ratio.

usage: mine.py MINE ETL [--times 1,3,10] [--bare EXECUTABLE] [--graph EXECUTABLE] [--spark PYTHON] [--threads-only] [FOLDER…]

Imports documentation folders (Debian's by default) as an archive of 1, 3 and 10 times their pages (each copy under a base URL of
its own; the archive grows from one size to the next), then runs each miner and its peer, and prints wall seconds, processor seconds
and peak memory of both, and how much faster each miner is on two threads than on one. Peers are run up to 3 times the pages, those
that take minutes fewer times there. Run through `cargo xtask bench mine` on a quiet machine; `-- --threads-only` measures threads alone.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time

from mine_peers import QUERIES

# the corpus of the miners' long tests; what is not installed is left out, and the number of pages says so
FOLDERS = [
    "/usr/share/doc/python3.11/html",
    "/usr/share/doc/apache2-doc/manual",
    "/usr/share/cppreference/doc/html/en",
    "/usr/share/doc/debian-handbook/html",
    "/usr/share/doc/sqlite3",
    "/usr/share/doc/nodejs/api",
    "/usr/share/doc/linux-doc-6.1/html",
]

PEERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "mine_peers.py")


def start(command, **more):
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)


def run(command, **more):
    """Runs a command; its standard output, wall seconds, processor seconds and peak memory."""
    wall = time.monotonic()
    child = start(command, **more)
    out = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        sys.exit(f"{' '.join(command)}: {child.stderr.read()}")
    return out, time.monotonic() - wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


MET = []


def goal(what, value, bound, least=True):
    """A goal of the project: at least so much, or at most."""
    met = value >= bound if least else value <= bound
    MET.append(met)
    print(f"  goal: {what}: {value:.2f}, wanted {'>=' if least else '<='} {bound:g}: {'met' if met else 'MISSED'}", flush=True)


def line(name, count, unit, wall, cpu, memory, note=""):
    rate = count / cpu if cpu else float("inf")
    print(f"{name:44} {wall:8.2f} s {cpu:8.2f} CPU-s {memory / 1e6:8.0f} MB {rate:14,.0f} {unit}/CPU-s  {note}", flush=True)
    return rate


def duckdb():
    """DuckDB's command-line program, which the package duckdb-cli has."""
    import duckdb_cli

    return os.path.join(os.path.dirname(duckdb_cli.__file__), "duckdb")


def queries(mine, data):
    """`mine sql` beside DuckDB's command-line program with as many threads: a process for each query, the best of seven in turns."""
    views = "".join(
        f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{data}/{name}/*/*.parquet', hive_partitioning = false);"
        for name in ["pages", "links"]
    )
    ours, theirs = [0.0, 0.0, 0], [0.0, 0.0, 0]
    for number, query in enumerate(QUERIES):
        lines = [[mine, "sql", query, "--format", "json", "--data", data], [duckdb(), "-json", "-c", f"SET threads = 2;{views}{query}"]]
        pairs = [tuple(run(one)[1:] for one in lines) for _ in range(7)]
        one, other = (min(figures, key=lambda figures: figures[1]) for figures in zip(*pairs))
        for sums, found in [(ours, one), (theirs, other)]:
            sums[:] = [sums[0] + found[0], sums[1] + found[1], max(sums[2], found[2])]
        print(f"  query {number + 1}: mine {one[1]:.3f} CPU-s, DuckDB {other[1]:.3f}: {query}")
    line("mine sql, five queries, five processes", len(QUERIES), "queries", *ours)
    line("DuckDB, the same", len(QUERIES), "queries", *theirs)
    goal("mine sql, CPU-seconds, of DuckDB's", ours[1] / theirs[1], 1.2, least=False)


MINERS = [
    ("keywords", ["--top", "20"]), ("keywords", []), ("terms", []), ("cluster", ["--k", "20"]), ("duplicates", []),
    ("links", ["--export", "edges"]), ("hosts", []), ("languages", []),
]


def threads(mine, data, scratch):
    """Each miner on one thread and on two, in turns, all in, the better of three. What the machine's two processors bear is seen from
    two processes of one thread each, at once: the work of both in their time, beside the work of one in its own."""

    def command(number, name, flags, place):
        out = ["--partials", f"{place}/partials", "--out", f"{place}/out"]
        return [mine, name, *flags, "--threads", str(number), "--json", "--data", data, *out]

    def once(number, name, flags):
        found = run(command(number, name, flags, f"{scratch}/threads"))
        subprocess.run(["rm", "-rf", f"{scratch}/threads"], check=True)
        return found[1], found[2]

    def at_once(name, flags):
        began = time.monotonic()
        children = [start(command(1, name, flags, f"{scratch}/threads/{number}")) for number in range(2)]
        for child in children:
            _, error = child.communicate()
            if child.returncode:
                sys.exit(f"mine {name}: {error}")
        subprocess.run(["rm", "-rf", f"{scratch}/threads"], check=True)
        return time.monotonic() - began

    print("\nall in, on one thread and on two: wall seconds, processor seconds")
    for name, flags in MINERS:
        rounds = [(once(1, name, flags), once(2, name, flags), at_once(name, flags)) for _ in range(3)]
        one, two, both = (min(figures) for figures in zip(*rounds))
        told = f"mine {name} {' '.join(flags)}"
        print(f"  {told:30} {one[0]:7.2f} s {one[1]:7.2f} CPU-s, {two[0]:7.2f} s {two[1]:7.2f} CPU-s", end="")
        print(f"; two processes of one thread, {both:.2f} s, do {2 * one[0] / both:.2f} times the work of one", flush=True)
        goal(f"{told}: two threads, times as fast as one", one[0] / two[0], 1.8)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("mine")
    arguments.add_argument("etl")
    arguments.add_argument("--times", default="1,3,10")
    arguments.add_argument("--bare")
    arguments.add_argument("--graph")
    arguments.add_argument("--spark")
    arguments.add_argument("--threads-only", action="store_true")
    arguments.add_argument("folders", nargs="*", default=[f for f in FOLDERS if os.path.isdir(f)])
    args = arguments.parse_intermixed_args()
    mine, etl = os.path.abspath(args.mine), os.path.abspath(args.etl)

    def peer(name, data):
        try:
            out, *_ = run([sys.executable, PEERS, "--peer", name, data])
            return json.loads(out.splitlines()[-1])
        except SystemExit as error:
            print(f"not measured: {name}: {str(error).strip().splitlines()[-1]}")
            return None

    with tempfile.TemporaryDirectory(prefix="bench-mine-") as scratch:
        costs, copies, data = {}, 0, f"{scratch}/data"
        for times in sorted(map(int, args.times.split(","))):
            began = time.monotonic()
            for copy in range(copies, times):
                for number, folder in enumerate(args.folders):
                    base = f"http://h{number}.copy{copy}.example/"
                    run([etl, "import", "--dir", folder, "--base", base, "--data", data, "--follow-links"])
            run([etl, "extract", "--data", data])
            copies = times
            print(f"\n{times}x is there after {time.monotonic() - began:.0f} s", flush=True)

            if args.threads_only:
                threads(mine, data, scratch)
                continue

            def report(name, *flags):
                """One miner with fresh partials; its summary and figures."""
                partials = f"{scratch}/partials-{times}-{name}"
                out, *figures = run([mine, name, *flags, "--json", "--data", data, "--partials", partials])
                return json.loads(out), figures

            summary, figures = report("languages")
            pages = summary["facts"]["pages"]
            print(f"== {times}x: {pages:,} pages")
            for name, flags in MINERS:
                summary, figures = report(name, *flags)
                told = f"mine {name} {' '.join(flags)}"
                rounds = summary["facts"].get("rounds")
                line(told, pages, "pages", *figures, f"{rounds} rounds" if rounds else "")
                costs.setdefault(told, []).append((pages, figures[1], figures[2]))
                if name == "links":
                    os.replace(f"{summary['path']}/edges.tsv", f"{data}/edges.tsv")
                subprocess.run(["rm", "-rf", f"{scratch}/partials-{times}-{name}"], check=True)
            if times == 3:
                threads(mine, data, scratch)
            queries(mine, data)
            if times > 3:
                continue
            # From the files to the end of the process, on one thread, in turns.
            ours = [mine, "keywords", "--top", "20", "--threads", "1", "--json", "--data", data]
            one, bare, tfidf = [], [], []
            for n in range(3):
                one.append(run([*ours, "--partials", f"{scratch}/b{times}-{n}"])[1:])
                if args.bare:
                    bare.append(run([args.bare, data])[1:])
                if found := peer("tfidf", data):
                    tfidf.append(found)
            one = min(one, key=lambda f: f[1])
            line("mine keywords --top 20 --threads 1", pages, "pages", *one)
            if bare:
                bare = min(bare, key=lambda f: f[1])
                line("bare: tokenise and count, one thread", pages, "pages", *bare)
                goal("keywords, documents per CPU-second, of the bare loop's", bare[1] / one[1], 0.6)
            if tfidf:
                found = min(tfidf, key=lambda f: f["cpu"])
                line("peer tfidf", found["count"], "documents", found["wall"], found["cpu"], found["memory"], f"whole process {found['whole']:.2f} CPU-s")
                goal("keywords, documents per CPU-second, times TfidfVectorizer's without start and reading", found["cpu"] / one[1], 5)
                goal("… as a whole process", found["whole"] / one[1], 5)
                goal("… memory", one[2] / found["memory"], 0.25, least=False)
            if args.graph and (found := peer("scipy", data)):
                out, *_ = run([args.graph, "--file", f"{data}/edges.tsv", "--threads", "1"])
                ours = next(float(text.split()[0]) for text in out.splitlines() if "edge updates" in text) * 1e6
                line("peer scipy, PageRank", found["count"], "edge updates", found["wall"], found["cpu"], found["memory"])
                print(f"mine links, PageRank: {ours:,.0f} edge updates/CPU-s")
                goal("PageRank, edge updates per CPU-second, times scipy's", ours * found["cpu"] / found["count"], 3)
            for name, unit in [
                ("kmeans" if times == 1 else "kmeans_once", "pages"), ("datasketch", "shingles"),
                ("rensa", "shingles"), ("duckdb", "queries"), ("polars", "queries"),
            ]:
                if found := peer(name, data):
                    line(f"peer {name}", found["count"], unit, found["wall"], found["cpu"], found["memory"])
                    if name == "kmeans":
                        goal("cluster, CPU-seconds, of five runs of KMeans", costs["mine cluster --k 20"][0][1] / found["cpu"], 1 / 3, least=False)
            if args.spark:
                try:
                    out, *_ = run([args.spark, PEERS, "--spark", data])
                    for found in (json.loads(text[6:]) for text in out.splitlines() if text.startswith("SPARK ")):
                        unit = "documents" if found["name"] == "TF-IDF" else "queries"
                        line(f"peer Spark local[2], {found['name']}", found["count"], unit, found["wall"], found["cpu"], found["memory"])
                except SystemExit as error:
                    print(f"not measured: Spark: {str(error).strip().splitlines()[-1]}")

        if args.threads_only:
            return

        # Duplicates, all in: 10,000 pages of 500 words.
        words = [f"word{i}" for i in range(20_000)]
        draw = random.Random(1)
        folder = f"{scratch}/pages"
        os.mkdir(folder)
        for i in range(10_000):
            with open(f"{folder}/{i}.html", "w") as file:
                file.write(f"<html lang=en><body><p>{' '.join(draw.choices(words, k=500))}")
        data = f"{scratch}/duplicates"
        run([etl, "import", "--dir", folder, "--base", "http://p.example/", "--data", data])
        run([etl, "extract", "--data", data])
        out, *figures = run([mine, "duplicates", "--json", "--data", data])
        rate = line("mine duplicates, 10,000 pages of 500 words", 10_000 * 496, "shingles", *figures)
        goal("duplicates, million shingles per CPU-second, all in", rate / 1e6, 5)

        print("\ncost of a page, CPU-ms, and peak memory as the archive grows")
        for told, rows in costs.items():
            print(f"  {told:30} " + "  ".join(f"{p:,}: {1000 * c / p:.3f} ms, {m / 1e6:.0f} MB" for p, c, m in rows))
            goal(f"{told}: cost of a page with the most pages, of that with the fewest", (rows[-1][1] / rows[-1][0]) / (rows[0][1] / rows[0][0]), 1.1, least=False)
    print(f"\n{sum(MET)} of {len(MET)} goals are met")


if __name__ == "__main__":
    main()
