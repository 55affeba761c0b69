"""Benchmark of the miners beside their peers: one run, the same archive, every figure a ratio.

usage: mine.py MINE ETL [--times 1,3,10] [--bare EXECUTABLE] [--spark PYTHON] [--threads-only] [FOLDER…]

Imports documentation folders (Debian's by default) as an archive of 1, 3 and 10 times their pages (each copy under a base URL of
its own; the archive grows from one size to the next), then runs each miner and its peer, and prints wall seconds, processor seconds
and peak memory of both, and how much faster each miner is on two threads than on one. Peers are run up to 3 times the pages, those
that take minutes fewer times there. Run through `cargo xtask bench mine` on a quiet machine; `-- --threads-only` measures threads alone.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time

FOLDERS = [
    "/usr/share/doc/python3.11/html",
    "/usr/share/doc/apache2-doc/manual",
    "/usr/share/doc/sqlite3",
    "/usr/share/doc/nodejs/api",
    "/usr/share/doc/debian-handbook/html",
]


# Peers: each in a process of its own, so that its memory is its own. They read the archive's Parquet files, and say how long the
# work itself took, without reading.
def texts(data):
    import pyarrow.dataset as ds

    table = ds.dataset(f"{data}/pages", format="parquet").to_table(columns=["url", "text"])
    return table["text"].to_pylist()


def peer_tfidf(data):
    from sklearn.feature_extraction.text import TfidfVectorizer

    documents = texts(data)
    return len(documents), lambda: TfidfVectorizer().fit_transform(documents)


def peer_kmeans(data, runs=5):
    from sklearn.cluster import KMeans
    from sklearn.feature_extraction.text import TfidfVectorizer

    rows = TfidfVectorizer().fit_transform(texts(data))
    return rows.shape[0], lambda: [KMeans(20, n_init=1, random_state=seed).fit(rows) for seed in range(runs)]


def peer_kmeans_once(data):
    return peer_kmeans(data, 1)


def peer_datasketch(data):
    from datasketch import MinHash, MinHashLSH

    documents = texts(data)[:2000]

    def work():
        index = MinHashLSH(threshold=0.8, num_perm=128)
        for i, text in enumerate(documents):
            words = text.lower().split()
            one = MinHash(128)
            one.update_batch([" ".join(words[j : j + 5]).encode() for j in range(len(words) - 4)])
            index.insert(i, one)
            index.query(one)

    return sum(max(0, len(text.split()) - 4) for text in documents), work


def peer_rensa(data):
    from rensa import RMinHash, RMinHashLSH

    documents = texts(data)[:2000]

    def work():
        index = RMinHashLSH(threshold=0.8, num_perm=128, num_bands=32)
        for i, text in enumerate(documents):
            words = text.lower().split()
            one = RMinHash(num_perm=128, seed=1)
            one.update([" ".join(words[j : j + 5]) for j in range(len(words) - 4)])
            index.insert(i, one)
            index.query(one)

    return sum(max(0, len(text.split()) - 4) for text in documents), work


QUERIES = [
    "SELECT count(*) AS n, sum(words) AS words FROM pages",
    "SELECT host, count(*) AS n, sum(words) AS words FROM pages GROUP BY host ORDER BY n DESC",
    "SELECT kind, count(*) AS n, count(DISTINCT dst) AS targets FROM links GROUP BY kind ORDER BY n DESC",
    "SELECT dst, count(*) AS n FROM links WHERE kind = 'a' GROUP BY dst ORDER BY n DESC, dst LIMIT 20",
    "SELECT p.host, l.kind, count(*) AS n FROM pages p JOIN links l ON p.id = l.id GROUP BY p.host, l.kind ORDER BY n DESC",
]


def peer_duckdb(data):
    import duckdb

    db = duckdb.connect()
    db.execute("SET threads = 2")
    for name in ["pages", "links"]:
        db.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{data}/{name}/*/*.parquet', hive_partitioning = false)")
    return len(QUERIES), lambda: [db.execute(query).fetchall() for query in QUERIES]


def duckdb_alone(data, *query):
    """A process that asks DuckDB one query, or none, which is then what Python, DuckDB and the views cost by themselves."""
    import duckdb

    db = duckdb.connect()
    db.execute("SET threads = 2")
    for name in ["pages", "links"]:
        db.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{data}/{name}/*/*.parquet', hive_partitioning = false)")
    for one in query:
        db.execute(one).fetchall()


def peer_polars(data):
    import polars

    context = polars.SQLContext(
        pages=polars.scan_parquet(f"{data}/pages/*/*.parquet", hive_partitioning=False),
        links=polars.scan_parquet(f"{data}/links/*/*.parquet", hive_partitioning=False),
    )
    return len(QUERIES), lambda: [context.execute(query).collect(engine="streaming") for query in QUERIES]


def peer_scipy(data):
    import numpy as np
    import pyarrow.parquet as pq
    import scipy.sparse as sp

    edges = open(f"{data}/edges.tsv").read().split()
    names = {}
    numbers = np.array([names.setdefault(url, len(names)) for url in edges], dtype=np.int64)
    a, b = numbers[0::2], numbers[1::2]
    n = len(names)
    graph = sp.csr_matrix((np.ones(len(a)), (a, b)), shape=(n, n))
    out = np.asarray(graph.sum(axis=1)).ravel()
    spread = (sp.diags(np.divide(1, out, out=np.zeros(n), where=out > 0)) @ graph).T.tocsr()

    def work():
        rank = np.full(n, 1 / n)
        for _ in range(100):
            rank = 0.15 / n + 0.85 * (spread @ rank + rank[out == 0].sum() / n)

    return len(a) * 100, work


def spark_session(data):
    from pyspark.sql import SparkSession

    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    builder = SparkSession.builder.master("local[2]").config("spark.driver.memory", "4g").config("spark.log.level", "ERROR")
    for name, value in [("ui.enabled", "false"), ("ui.showConsoleProgress", "false"), ("sql.shuffle.partitions", "2")]:
        builder = builder.config(f"spark.{name}", value)
    session = builder.getOrCreate()
    for name in ["pages", "links"]:
        session.read.parquet(f"{data}/{name}").createOrReplaceTempView(name)
    return session


def jvm(session):
    """Processor seconds and peak memory of Spark's own process so far."""
    own = f"/proc/{session.sparkContext._gateway.proc.pid}"
    children = [pid for pid in os.listdir("/proc") if pid.isdigit() and parent(pid) == own.rpartition("/")[2]]
    cpu, memory = 0.0, 0
    for folder in [own, *(f"/proc/{pid}" for pid in children)]:
        fields = open(f"{folder}/stat").read().rpartition(")")[2].split()
        cpu += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        memory += sum(int(text.split()[1]) * 1024 for text in open(f"{folder}/status") if text.startswith("VmHWM:"))
    return cpu, memory


def parent(pid):
    try:
        return open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[1]
    except OSError:
        return None


def spark_sql(session):
    return len(QUERIES), lambda: [session.sql(query).collect() for query in QUERIES]


def spark_tfidf(session):
    from pyspark.ml import Pipeline
    from pyspark.ml.feature import CountVectorizer, IDF, Normalizer, RegexTokenizer

    pages = session.sql("SELECT text FROM pages WHERE text IS NOT NULL").cache()
    stages = [
        RegexTokenizer(inputCol="text", outputCol="words", pattern=r"\w\w+", gaps=False),
        CountVectorizer(inputCol="words", outputCol="counts", vocabSize=1 << 24),
        IDF(inputCol="counts", outputCol="weights"), Normalizer(inputCol="weights", outputCol="row"),
    ]

    def work():
        Pipeline(stages=stages).fit(pages).transform(pages).select("row").write.format("noop").mode("overwrite").save()

    return pages.count(), work


def run_spark(data):
    """Spark in one process: the queries, once more when its compiler has seen them, and TF-IDF."""
    session = spark_session(data)
    for name, of in [("queries", spark_sql), ("queries, warm", spark_sql), ("TF-IDF", spark_tfidf)]:
        count, work = of(session)
        wall, (cpu, _) = time.monotonic(), jvm(session)
        work()
        wall, (after, memory) = time.monotonic() - wall, jvm(session)
        print("SPARK " + json.dumps({"name": name, "count": count, "wall": wall, "cpu": after - cpu, "memory": memory}))


def run_peer(name, data):
    count, work = globals()[f"peer_{name}"](data)
    wall, cpu = time.monotonic(), time.process_time()
    work()
    print(json.dumps({
        "count": count, "wall": time.monotonic() - wall, "cpu": time.process_time() - cpu,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }))


def run(command, **more):
    """Runs a command; its standard output, wall seconds, processor seconds and peak memory."""
    wall = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)
    out = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        sys.exit(f"{' '.join(command)}: {child.stderr.read()}")
    return out, time.monotonic() - wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def line(name, count, unit, wall, cpu, memory, note=""):
    rate = count / cpu if cpu else float("inf")
    print(f"{name:44} {wall:8.2f} s {cpu:8.2f} CPU-s {memory / 1e6:8.0f} MB {rate:14,.0f} {unit}/CPU-s  {note}", flush=True)
    return rate


def queries(mine, data):
    """`mine sql` beside DuckDB, a process for each query, the best of three; DuckDB less what a process without a query takes."""

    def best(command):
        return min((run(command)[1:] for _ in range(3)), key=lambda figures: figures[1])

    alone = [sys.executable, __file__, "--duckdb", data]
    start = best(alone)
    ours, theirs = [0.0, 0.0, 0], [0.0, 0.0, 0]
    for number, query in enumerate(QUERIES):
        one, other = best([mine, "sql", query, "--format", "json", "--data", data]), best([*alone, query])
        other = (max(0.0, other[0] - start[0]), max(0.0, other[1] - start[1]), other[2])
        for sums, found in [(ours, one), (theirs, other)]:
            sums[:] = [sums[0] + found[0], sums[1] + found[1], max(sums[2], found[2])]
        print(f"  query {number + 1}: mine {one[1]:.3f} CPU-s, DuckDB {other[1]:.3f}: {query}")
    line("mine sql, five queries, five processes", len(QUERIES), "queries", *ours)
    line("DuckDB, the same, less the start of Python", len(QUERIES), "queries", *theirs, f"mine takes {ours[1] / theirs[1]:.2f} times as much")


MINERS = [
    ("keywords", ["--top", "20"]), ("keywords", []), ("terms", []), ("cluster", ["--k", "20"]), ("duplicates", []),
    ("links", ["--export", "edges"]), ("hosts", []), ("languages", []),
]


def threads(mine, data, scratch):
    """Each miner on one thread and on two, in turns, all in, the better of three."""

    def once(number, name, flags):
        partials = f"{scratch}/threads"
        found = run([mine, name, *flags, "--threads", str(number), "--json", "--data", data, "--partials", partials])
        subprocess.run(["rm", "-rf", partials], check=True)
        return found[1], found[2]

    print("\nall in, on one thread and on two: wall seconds, processor seconds")
    for name, flags in MINERS:
        pairs = [(once(1, name, flags), once(2, name, flags)) for _ in range(3)]
        one, two = min(pair[0] for pair in pairs), min(pair[1] for pair in pairs)
        told = f"mine {name} {' '.join(flags)}"
        print(f"  {told:30} {one[0]:7.2f} s {one[1]:7.2f} CPU-s, {two[0]:7.2f} s {two[1]:7.2f} CPU-s: {one[0] / two[0]:.2f} times", flush=True)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("mine")
    arguments.add_argument("etl")
    arguments.add_argument("--times", default="1,3,10")
    arguments.add_argument("--bare")
    arguments.add_argument("--spark")
    arguments.add_argument("--threads-only", action="store_true")
    arguments.add_argument("folders", nargs="*", default=[f for f in FOLDERS if os.path.isdir(f)])
    args = arguments.parse_intermixed_args()
    mine, etl = os.path.abspath(args.mine), os.path.abspath(args.etl)

    def peer(name, data):
        try:
            out, *_ = run([sys.executable, __file__, "--peer", name, data])
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
                line(told, pages, "pages", *figures)
                costs.setdefault(told, []).append((pages, figures[1], figures[2]))
                if name == "links":
                    os.replace(f"{summary['path']}/edges.tsv", f"{data}/edges.tsv")
                subprocess.run(["rm", "-rf", f"{scratch}/partials-{times}-{name}"], check=True)
            if times == 3:
                threads(mine, data, scratch)
            queries(mine, data)
            if args.bare and times <= 3:
                # both from the files to the end of the process, on one thread
                ours = [mine, "keywords", "--top", "20", "--threads", "1", "--json", "--data", data]
                one = min((run([*ours, "--partials", f"{scratch}/b{times}-{n}"])[1:] for n in range(3)), key=lambda f: f[1])
                bare = min((run([args.bare, data])[1:] for _ in range(3)), key=lambda f: f[1])
                line("mine keywords --top 20 --threads 1", pages, "pages", *one)
                line("bare: tokenise and count, one thread", pages, "pages", *bare, f"keywords at {bare[1] / one[1]:.0%} of it")
            if times > 3:
                continue
            for name, unit in [
                ("tfidf", "documents"), ("kmeans" if times == 1 else "kmeans_once", "pages"), ("scipy", "edge updates"),
                ("datasketch", "shingles"),
                ("rensa", "shingles"), ("duckdb", "queries"), ("polars", "queries"),
            ]:
                if found := peer(name, data):
                    line(f"peer {name}", found["count"], unit, found["wall"], found["cpu"], found["memory"])
            if args.spark:
                try:
                    out, *_ = run([args.spark, __file__, "--spark", data])
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
        line("mine duplicates, 10,000 pages of 500 words", 10_000 * 496, "shingles", *figures)

        print("\ncost of a page, CPU-ms, and peak memory as the archive grows")
        for told, rows in costs.items():
            print(f"  {told:30} " + "  ".join(f"{p:,}: {1000 * c / p:.3f} ms, {m / 1e6:.0f} MB" for p, c, m in rows))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peer"]:
        run_peer(*sys.argv[2:4])
    elif sys.argv[1:2] == ["--duckdb"]:
        duckdb_alone(*sys.argv[2:])
    elif sys.argv[1:2] == ["--spark"]:
        run_spark(sys.argv[2])
    else:
        main()
