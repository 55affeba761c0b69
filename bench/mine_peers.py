"""Peers of the miners for `mine.py`: each in a process of its own, so that its memory is its own.

usage: mine_peers.py --peer NAME DATA | --spark DATA

They read the archive's Parquet files, and say in JSON how long the work itself took, without reading, and the whole process.
"""

import json
import os
import resource
import sys
import time


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
        "count": count, "wall": time.monotonic() - wall, "cpu": time.process_time() - cpu, "whole": time.process_time(),
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peer"]:
        run_peer(*sys.argv[2:4])
    else:
        run_spark(sys.argv[2])
