"""Holds the miners to other people's tools: scikit-learn, scipy, networkx, datasketch, DuckDB.

usage: truth.py MINE DATA

Runs `MINE` over the archive DATA, computes the same from DATA's Parquet files with the other tools, and prints a line for each
comparison. Ends with exit code 1 when one fails.
"""

import os

# Threads that wait for each other by spinning take minutes where others work beside them.
for name in ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"]:
    os.environ.setdefault(name, "1")

import collections
import functools
import json
import subprocess
import sys
import time
import unicodedata

import duckdb
import numpy as np
import pyarrow.parquet as pq
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components
from sklearn.cluster import KMeans
from sklearn.feature_extraction.text import TfidfVectorizer
from uniseg.wordbreak import words

MINE, DATA = sys.argv[1:3]
failed = 0


def check(name, good, told):
    global failed
    failed += not good
    print(f"{'ok' if good else 'FAIL'}: {name}: {told}", flush=True)


def mine(*arguments):
    done = subprocess.run([MINE, *arguments, "--json", "--data", DATA], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"mine {' '.join(arguments)}: {done.stderr}")
    return json.loads(done.stdout)["path"]


def table(run, name):
    return pq.read_table(f"{run}/{name}.parquet").to_pydict()


sql = duckdb.connect()
sql.execute("SET TimeZone = 'UTC'")
for name in ["artefacts", "pages", "links"]:
    sql.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{DATA}/{name}/*/*.parquet', hive_partitioning = false)")
newest = sql.execute(
    "SELECT url, id, text FROM pages WHERE status = 200 "
    "QUALIFY row_number() OVER (PARTITION BY url ORDER BY fetched_at DESC, id DESC) = 1 ORDER BY url"
).fetchall()
urls = [row[0] for row in newest]
texts = [row[2] for row in newest]
place = {url: i for i, url in enumerate(urls)}
print(f"{len(urls)} pages")


# Keywords: scikit-learn's own tokens, then ours through `analyzer`.
def keywords(name, vectorizer, documents, *flags):
    t = table(mine("keywords", *flags), "keywords")
    rows = vectorizer.fit_transform(documents)
    terms = vectorizer.vocabulary_
    ours = sp.csr_matrix(
        (t["tfidf"], ([place[u] for u in t["url"]], [terms.get(w, -1) for w in t["term"]])), shape=rows.shape
    )
    same = ours.nnz == rows.nnz
    worst = abs(ours - rows).max() if same else float("nan")
    df = np.diff(rows.tocsc().indptr)
    frequencies = all(df[terms[w]] == n for w, n in zip(t["term"], t["df"]))
    check(name, same and worst <= 1e-12 and frequencies, f"{ours.nnz:,} cells of {rows.nnz:,}, largest difference {worst:.1e}")
    return t, rows


keywords("keywords, scikit-learn's tokens", TfidfVectorizer(), texts, "--tokens", "sklearn")
ours = table(mine("keywords"), "keywords")
bags = [[] for _ in urls]
for url, term, tf in zip(ours["url"], ours["term"], ours["tf"]):
    bags[place[url]].extend([term] * tf)
_, rows = keywords("keywords, our tokens", TfidfVectorizer(analyzer=lambda bag: bag), bags)

# Terms: sums over the same bags.
t = table(mine("terms"), "terms")
tf, df = collections.Counter(), collections.Counter()
for bag in bags:
    tf.update(bag)
    df.update(set(bag))
by_term = collections.Counter()
for term, count in zip(t["term"], t["tf"]):
    by_term[term] += count
check("terms", by_term == tf, f"{len(by_term):,} terms, {sum(by_term.values()):,} occurrences")

# Links: the graph from the Parquet files, redirects followed; scipy's power iteration and components.
run = mine("links", "--tolerance", "1e-13")
t = table(run, "pages")
ids = {row[1]: i for i, row in enumerate(newest)}
answers = dict(sql.execute("SELECT url, arg_max(id, (fetched_at, id)) FROM artefacts WHERE status != 304 GROUP BY url").fetchall())
moved = dict(sql.execute("SELECT id, dst FROM links WHERE kind = 'redirect'").fetchall())


def end(url):
    for _ in range(20):
        if url in place:
            return url
        target = moved.get(answers.get(url))
        if target is None:
            return url
        url = target
    return url


edges = set()
for source, target in sql.execute("SELECT DISTINCT id, dst FROM links WHERE kind = 'a'").fetchall():
    a, b = ids.get(source), place.get(end(target))
    if a is not None and b is not None and a != b:
        edges.add((a, b))
n = len(urls)
a, b = np.array(sorted(edges)).T if edges else (np.empty(0, int), np.empty(0, int))
graph = sp.csr_matrix((np.ones(len(a)), (a, b)), shape=(n, n))
out = np.asarray(graph.sum(axis=1)).ravel()
check("edges", sum(t["out_degree"]) == len(edges), f"{len(edges):,}")
rank = np.full(n, 1 / n)
spread = (sp.diags(np.divide(1, out, out=np.zeros(n), where=out > 0)) @ graph).T.tocsr()
for _ in range(1000):
    following = 0.15 / n + 0.85 * (spread @ rank + rank[out == 0].sum() / n)
    distance, rank = abs(following - rank).sum(), following
    if distance < 1e-14:
        break
mined = np.zeros(n)
mined[[place[u] for u in t["url"]]] = t["pagerank"]
check("PageRank", abs(mined - rank).max() <= 1e-9, f"largest difference {abs(mined - rank).max():.1e}")
for name, connection in [("scc", "strong"), ("wcc", "weak")]:
    count, labels = connected_components(graph, directed=True, connection=connection)
    pairs = {(labels[place[u]], c) for u, c in zip(t["url"], t[name])}
    check(name, len(pairs) == count == len(set(t[name])), f"{count:,} components")
try:
    import networkx as nx

    hubs, authorities = nx.hits(nx.DiGraph(list(edges)), max_iter=1000, tol=1e-14)
    ours = {place[u]: v for u, v in zip(t["url"], t["authority"])}
    total = sum(ours.values())
    worst = max(abs(ours[v] / total - authorities[v]) for v in authorities)
    check("authorities, networkx", worst <= 1e-6, f"largest difference {worst:.1e}")
except Exception as error:  # eigenvectors of graphs with equal communities are not unique
    print(f"not compared: authorities: {error}")
orphans = set(table(run, "orphans")["url"])
check("orphans", orphans == {urls[i] for i in range(n) if i not in set(b)}, f"{len(orphans):,}")

# Clusters: inertia of our labels on scikit-learn's rows, against the best of 5 runs.
k = max(2, min(20, n // 20))
before = time.process_time()
best = min((KMeans(k, n_init=1, random_state=seed).fit(rows) for seed in range(5)), key=lambda run: run.inertia_)
theirs = time.process_time() - before
run = mine("cluster", "--k", str(k))
t = table(run, "assignments")
labels = np.zeros(n, int)
labels[[place[u] for u in t["url"]]] = t["cluster"]
inertia = 0.0
for c in range(labels.max() + 1):
    members = rows[labels == c]
    mean = np.asarray(members.mean(axis=0)).ravel()
    inertia += members.multiply(members).sum() - members.shape[0] * (mean @ mean)
check("clusters", inertia <= best.inertia_ * 1.01, f"k = {k}, inertia {inertia:.2f}, best of 5 by scikit-learn {best.inertia_:.2f} ({theirs:.1f} CPU-s)")
check("distances", abs(sum(t["distance"]) - inertia) < 1e-3 * inertia + 1e-6, f"their sum is {sum(t['distance']):.2f}")

# Duplicates: every pair by brute force on 5-word shingles, through an inverted index. Words by uniseg, another implementation of
# UAX #29, in normal form C and lower case. No word spans a blank, so pieces between blanks are cut once each.
@functools.cache
def cut(piece):
    return [word.lower() for word in words(unicodedata.normalize("NFC", piece)) if any(map(str.isalnum, word))]


sample = list(range(n))[: min(n, 5000)]
sets = []
for i in sample:
    run = [word for piece in texts[i].split() for word in cut(piece)]
    sets.append({hash(tuple(run[j : j + 5])) for j in range(len(run) - 4)})
index = collections.defaultdict(list)
for i, shingles in enumerate(sets):
    for shingle in shingles:
        index[shingle].append(i)
shared = collections.Counter()
for members in index.values():
    for x in range(len(members)):
        for y in range(x + 1, len(members)):
            shared[members[x], members[y]] += 1
t = table(mine("duplicates", "--threshold", "0.75"), "groups")
group = dict(zip(t["url"], t["group"]))
found, all_pairs = collections.Counter(), collections.Counter()
for (x, y), both in shared.items():
    if min(len(sets[x]), len(sets[y])) < 20:
        continue  # the signature of a page with so few may have fewer than --min-shingles values
    jaccard = both / (len(sets[x]) + len(sets[y]) - both)
    if jaccard >= 0.75:
        band = min(int(jaccard * 20) / 20, 0.95)
        all_pairs[band] += 1
        gx, gy = group.get(urls[sample[x]]), group.get(urls[sample[y]])
        found[band] += gx is not None and gx == gy
for band in sorted(all_pairs):
    recall = found[band] / all_pairs[band]
    # Nothing is forgiven: one pair missed of forty is less than 0.98.
    good = recall >= 0.98
    check(f"duplicates, Jaccard {band:.2f} and more", good, f"recall {recall:.4f} of {all_pairs[band]:,} pairs")
by_text = collections.defaultdict(list)
try:
    from datasketch import MinHash

    errors = []
    for (x, y), both in list(shared.items())[:200]:
        a, b = MinHash(128), MinHash(128)
        a.update_batch([str(s).encode() for s in sets[x]])
        b.update_batch([str(s).encode() for s in sets[y]])
        errors.append(abs(a.jaccard(b) - both / (len(sets[x]) + len(sets[y]) - both)))
    if errors:
        print(f"datasketch's own estimate differs from the truth by {np.mean(errors):.3f} on average")
except ImportError:
    pass

# SQL: the same queries to DuckDB.
for query in [
    "SELECT count(*) AS n, sum(words) AS words FROM pages",
    "SELECT host, count(*) AS n, sum(body_bytes) AS bytes FROM artefacts GROUP BY host ORDER BY host",
    "SELECT kind, count(*) AS n, count(DISTINCT dst) AS targets FROM links GROUP BY kind ORDER BY kind",
    "SELECT p.host, l.kind, count(*) AS n FROM pages p JOIN links l ON p.id = l.id GROUP BY p.host, l.kind ORDER BY p.host, l.kind",
    "SELECT url, words FROM pages WHERE words > 100 AND lang = 'en' ORDER BY words DESC, url LIMIT 50",
]:
    done = subprocess.run([MINE, "sql", query, "--format", "json", "--data", DATA], capture_output=True, text=True)
    ours = [tuple(json.loads(line).values()) for line in done.stdout.splitlines()]
    theirs = [tuple(int(v) if isinstance(v, (int, np.integer)) else v for v in row) for row in sql.execute(query).fetchall()]
    check(f"sql: {query[:60]}…", done.returncode == 0 and ours == theirs, f"{len(theirs)} rows {done.stderr.strip()}")

sys.exit(1 if failed else 0)
