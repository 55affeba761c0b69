"""What such pipelines do today: pyarrow reads a segment, zstd compresses the bodies, pymongo inserts unordered.

Usage: upload.py URL DAY SEGMENT…; prints documents, CPU seconds and peak memory as JSON. Needs pyarrow, zstandard, pymongo.
"""

import datetime
import json
import os
import resource
import sys

import pyarrow.parquet
import pymongo
import zstandard
from bson.binary import Binary

BATCH = 1000


def insert(collection, documents):
    if documents:
        collection.insert_many(documents, ordered=False)
    return len(documents)


def main():
    url, day, *segments = sys.argv[1:]
    day = datetime.datetime.fromisoformat(day).replace(tzinfo=datetime.timezone.utc)
    database = pymongo.MongoClient(url).get_default_database()
    compressor = zstandard.ZstdCompressor(level=3)
    seen, count = set(), 0
    for path in segments:
        name = os.path.basename(path)
        kind = name.split("-")[0]
        for batch in pyarrow.parquet.ParquetFile(path).iter_batches(batch_size=BATCH):
            documents, bodies = [], []
            for row in batch.to_pylist():
                row["_id"] = f"{row['id']}/{row['ordinal']}" if kind == "links" else row.pop("id")
                row["day"], row["segment"] = day, name
                if kind == "artefacts":
                    body, sha256 = row.pop("body"), row["body_sha256"]
                    if sha256 not in seen:
                        seen.add(sha256)
                        compressed = Binary(compressor.compress(body))
                        bodies.append({"_id": sha256, "bytes": len(body), "encoding": "zstd", "body": compressed})
                documents.append(row)
            count += insert(database["bodies"], bodies) + insert(database[kind], documents)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    peak = usage.ru_maxrss * 1024
    print(json.dumps({"documents": count, "cpu_seconds": usage.ru_utime + usage.ru_stime, "peak_memory": peak}))


main()
