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
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components
from sklearn.cluster import KMeans
from sklearn.feature_extraction.text import TfidfVectorizer
from uniseg.wordbreak import words

MINE, DATA = sys.argv[1:3]
failed = 0
clock = time.monotonic()


def check(name, good, told):
    """One comparison, with the seconds since the one before."""
    global failed, clock
    failed += not good
    now = time.monotonic()
    print(f"{'ok' if good else 'FAIL'}: {name}: {told} ({now - clock:.0f} s)", flush=True)
    clock = now


def mine(*arguments):
    done = subprocess.run([MINE, *arguments, "--json", "--data", DATA], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"mine {' '.join(arguments)}: {done.stderr}")
    return json.loads(done.stdout)["path"]


def table(run, name):
    return pq.read_table(f"{run}/{name}.parquet").to_pydict()


def arrays(run, name, *texts):
    """A table as arrays; of the columns `texts`, which repeat, their distinct values and where those stand."""
    found = {}
    read = pq.read_table(f"{run}/{name}.parquet", read_dictionary=list(texts))
    for column in read.column_names:
        values = read[column].combine_chunks()
        if column in texts:
            values = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
            found[column] = values.dictionary.to_pylist(), values.indices.to_numpy()
        else:
            found[column] = values.to_numpy(zero_copy_only=False)
    return found


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
def keywords(name, vectorizer, documents, t):
    rows = vectorizer.fit_transform(documents)
    terms = vectorizer.vocabulary_
    (pages, by_page), (words, by_word) = t["url"], t["term"]
    columns = np.array([terms.get(word, -1) for word in words])[by_word]
    known = columns.min(initial=0) >= 0
    ours = sp.csr_matrix((t["tfidf"], (np.array([place[u] for u in pages])[by_page], columns * known)), shape=rows.shape)
    same = known and ours.nnz == rows.nnz
    worst = abs(ours - rows).max() if same else float("nan")
    df = np.bincount(rows.indices, minlength=rows.shape[1])
    frequencies = bool((df[columns] == t["df"]).all())
    check(name, same and worst <= 1e-12 and frequencies, f"{ours.nnz:,} cells of {rows.nnz:,}, largest difference {worst:.1e}")
    return rows


def keyword_table(*flags):
    return arrays(mine("keywords", *flags), "keywords", "url", "term")


keywords("keywords, scikit-learn's tokens", TfidfVectorizer(), texts, keyword_table("--tokens", "sklearn"))
ours = keyword_table()
(pages, by_page), (words_of, by_word) = ours["url"], ours["term"]
bags = [[] for _ in urls]
for page, word, tf in zip(by_page.tolist(), by_word.tolist(), ours["tf"].tolist()):
    bags[place[pages[page]]].extend([words_of[word]] * tf)
rows = keywords("keywords, our tokens", TfidfVectorizer(analyzer=lambda bag: bag), bags, ours)

# Terms: sums over the same bags.
t = arrays(mine("terms"), "terms", "term")
tf = collections.Counter()
for bag in bags:
    tf.update(bag)
sums = np.bincount(t["term"][1], weights=t["tf"], minlength=len(t["term"][0]))
by_term = collections.Counter({term: int(count) for term, count in zip(t["term"][0], sums)})
check("terms", by_term == tf, f"{len(by_term):,} terms, {sum(by_term.values()):,} occurrences")
del bags, ours, by_page, by_word

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
check("orphans", orphans == {urls[i] for i in np.setdiff1d(np.arange(n), b)}, f"{len(orphans):,}")

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


# Five runs of neighbours, since copies are often near each other.
width = min(n, 5000) // 5
sample = sorted({i for run in range(5) for i in range(run * (n - width) // 4, run * (n - width) // 4 + width)})
numbers, sets = {}, []
for i in sample:
    run = [word for piece in texts[i].split() for word in cut(piece)]
    sets.append({numbers.setdefault(tuple(run[j : j + 5]), len(numbers)) for j in range(len(run) - 4)})
sizes = np.array([len(shingles) for shingles in sets])
offsets = np.concatenate([[0], np.cumsum(sizes)])
members = np.fromiter((shingle for shingles in sets for shingle in shingles), np.int64, offsets[-1])
matrix = sp.csr_matrix((np.ones(len(members), np.int32), members, offsets), shape=(len(sets), len(numbers)))
numbers = None
# A shingle that stands in one page only adds to no pair.
matrix = matrix[:, np.asarray(matrix.sum(axis=0)).ravel() > 1]
other = matrix.T.tocsr()
shared = {}
for start in range(0, len(sets), 250):
    both = sp.triu(matrix[start : start + 250] @ other, k=start + 1).tocoo()
    x, y = both.row + start, both.col
    jaccard = both.data / (sizes[x] + sizes[y] - both.data)
    # Some far below are kept for datasketch's sake.
    if start == 0:
        shared.update(zip(zip(x.tolist(), y.tolist()), jaccard.tolist()))
    near = jaccard >= 0.75
    shared.update(zip(zip(x[near].tolist(), y[near].tolist()), jaccard[near].tolist()))
t = table(mine("duplicates", "--threshold", "0.75"), "groups")
group = dict(zip(t["url"], t["group"]))
found, all_pairs = collections.Counter(), collections.Counter()
for (x, y), jaccard in shared.items():
    if min(len(sets[x]), len(sets[y])) < 20:
        continue  # the signature of a page with so few may have fewer than --min-shingles values
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
try:
    from datasketch import MinHash

    errors = []
    # Its arrays have 128 values a shingle: the longest pages would take gigabytes.
    short = [pair for pair in shared.items() if max(len(sets[place]) for place in pair[0]) < 5000]
    for (x, y), jaccard in short[:200]:
        a, b = MinHash(128), MinHash(128)
        a.update_batch([str(s).encode() for s in sets[x]])
        b.update_batch([str(s).encode() for s in sets[y]])
        errors.append(abs(a.jaccard(b) - jaccard))
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
