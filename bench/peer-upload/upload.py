"""What such pipelines do today: pyarrow reads a segment, zstd compresses the bodies, pymongo inserts unordered.

Usage: upload.py [--rev|--check] URL DAY SEGMENT…; prints documents, CPU seconds and peak memory as JSON. Needs pyarrow, zstandard,
pymongo. With --rev it makes what `etl upload --no-verify` makes but for the ledger: the same documents field by field, each with
the hash of its row, by which a later run recognises what is there, and the same indexes. With --check it also checks what it
reads as upload does: the bytes and the rows of each file against the hashes that the footer has.
"""

import datetime
import hashlib
import json
import os
import resource
import struct
import sys

import pyarrow.parquet
import pymongo
import zstandard
from bson.binary import Binary

BATCH = 1000
LEVEL = 1  # of zstd, as in etl/src/upload/segment.rs
INDEXES = {
    "artefacts": (("day", "segment"), ("url",), ("host", "fetched_at"), ("body_sha256",)),
    "pages": (("day", "segment"), ("url",), ("host", "fetched_at"), ("body_sha256",)),
    "links": (("day", "segment"), ("src",), ("dst",)),
}
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
MICROSECOND = datetime.timedelta(microseconds=1)
integer = struct.Struct("<q").pack


def insert(collection, documents):
    if documents:
        collection.insert_many(documents, ordered=False)
    return len(documents)


def row_hash(row):
    """The hash of a row; its definition stands at the top of etl/src/row_hash.rs."""
    parts = []
    for name, value in row.items():
        if value is None:
            parts.append(b"\0")
            continue
        if name == "body" and isinstance(value, bytes):
            value = bytes.fromhex(row["body_sha256"])
        elif isinstance(value, str):
            value = value.encode()
        elif isinstance(value, bool):
            value = b"\1" if value else b"\0"
        elif isinstance(value, int):
            value = integer(value)
        elif isinstance(value, datetime.datetime):
            value = integer((value - EPOCH) // MICROSECOND)
        else:
            texts = [text.encode() for pair in value for text in (pair["name"], pair["value"])]
            value = b"".join(integer(len(text)) + text for text in texts)
        parts += (b"\1", integer(len(value)), value)
    return hashlib.sha256(b"".join(parts)).hexdigest()[:32]


def body_hash(sha256, size):
    return hashlib.sha256(bytes.fromhex(sha256) + integer(size)).hexdigest()[:32]


def sha256_of(path, size):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while size:
            part = file.read(min(size, 1 << 16))
            digest.update(part)
            size -= len(part) or sys.exit(f"{path} is cut short")
    return digest.hexdigest()


def main():
    arguments = sys.argv[1:]
    check = arguments[0] == "--check"
    rev = check or arguments[0] == "--rev"
    url, day, *segments = arguments[rev:]
    day = datetime.datetime.fromisoformat(day).replace(tzinfo=datetime.timezone.utc)
    database = pymongo.MongoClient(url).get_default_database()
    compressor = zstandard.ZstdCompressor(level=LEVEL)
    if rev:
        for kind in {os.path.basename(path).split("-")[0] for path in segments}:
            for keys in INDEXES[kind]:
                database[kind].create_index([(key, 1) for key in keys])
    seen, count = set(), 0
    for path in segments:
        name = os.path.basename(path)
        kind = name.split("-")[0]
        file = pyarrow.parquet.ParquetFile(path)
        facts = file.schema_arrow.metadata or {}
        extractor = facts.get(b"kafkaspider.extractor", b"").decode()
        if check:
            sealed = facts[b"kafkaspider.data_sha256"].decode()
            if sha256_of(path, int(facts[b"kafkaspider.data_bytes"])) != sealed:
                sys.exit(f"{path} is damaged: its bytes are not those that were sealed")
        total = 0
        for batch in file.iter_batches(batch_size=BATCH):
            documents, bodies = [], []
            for row in batch.to_pylist():
                extra = {"rev": row_hash(row)} if rev else {}
                if check:
                    total += int(extra["rev"], 16)
                row["_id"] = f"{row['id']}/{row['ordinal']}" if kind == "links" else row.pop("id")
                row["day"], row["segment"] = day, name
                if kind == "artefacts":
                    body, sha256 = row.pop("body"), row["body_sha256"]
                    if sha256 not in seen:
                        seen.add(sha256)
                        compressed = Binary(compressor.compress(body))
                        of_body = {"_id": sha256, "bytes": len(body), "encoding": "zstd", "body": compressed}
                        if rev:
                            of_body["rev"] = body_hash(sha256, len(body))
                        bodies.append(of_body)
                if rev and kind == "links":
                    extra["extractor"] = extractor
                row.update(extra)
                documents.append(row)
            count += insert(database["bodies"], bodies) + insert(database[kind], documents)
        if check and f"{total % 2**128:032x}" != facts[b"kafkaspider.hash"].decode():
            sys.exit(f"{path} is damaged: its rows are not those that were sealed")
    usage = resource.getrusage(resource.RUSAGE_SELF)
    peak = usage.ru_maxrss * 1024
    print(json.dumps({"documents": count, "cpu_seconds": usage.ru_utime + usage.ru_stime, "peak_memory": peak}))


main()
