"""Holds the miners to their limit of memory: an archive of ten times the limit and more, each miner's peak resident memory beside it.

usage: memory.py MINE DATA FOLDER [--copies 11] [--limit 256MiB] [--threads 2] [MINER…]

Makes FOLDER, unless it is there, from the archive DATA: copies of it, each under hosts and on a day of its own, with words of its
own (those of twelve letters and more), and without the bodies, which no miner reads. Each miner then makes its partials anew and its
report within the limit. A miner that cannot must say so in one line. Ends with exit code 1 when one did neither.
"""

import argparse
import datetime
import multiprocessing
import os
import pathlib
import shutil
import subprocess
import sys
import time

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

MINERS = [
    ["languages"], ["hosts"], ["links"], ["keywords", "--top", "20"], ["duplicates"], ["terms"], ["terms", "--ngrams", "2"],
    ["cluster", "--k", "12"],
]


def size(text):
    digits = text.rstrip("KMGTiBb")
    return int(float(digits) * 1024 ** " KMGT".index(text[len(digits):][:1] or " "))


def copy(source, folder, number):
    """One copy of an archive."""
    for path in sorted(source.glob("*/day=*/*.parquet")):
        data_set = path.parts[-3]
        if data_set not in ("pages", "links", "artefacts"):
            continue
        day = datetime.date.fromisoformat(path.parts[-2].removeprefix("day=")) - datetime.timedelta(days=number)
        kind, cluster, *offsets = path.name.split("-")
        # Another cluster: segments of one may not overlap.
        name = "-".join([kind, f"x{(int(cluster[1:], 16) + number * 0x01010101) % 2**32:08x}", *offsets])
        target = folder / data_set / f"day={day}" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        file = pq.ParquetFile(path)
        with pq.ParquetWriter(target, file.schema_arrow.remove_metadata(), compression="zstd") as out:
            for group in range(file.num_row_groups):
                read = file.read_row_group(group).replace_schema_metadata(None)
                for at, field in enumerate(read.schema):
                    column = read.column(at)
                    if field.name == "id":
                        column = pc.binary_replace_slice(column, 0, 2, f"{number:02x}")
                    elif field.name in ("url", "host", "site", "src", "dst", "src_host", "dst_host"):
                        column = pc.replace_substring(column, ".example", f".c{number}.example")
                    elif field.name == "text":
                        column = pc.replace_substring_regex(column, r"\b([a-z]{12,})\b", rf"\1c{number}")
                    elif field.name == "body":
                        column = pa.chunked_array([pa.array([b""] * len(read), field.type)])
                    else:
                        continue
                    read = read.set_column(at, field, column.cast(field.type))
                out.write_table(read, row_group_size=max(1, read.num_rows))


def make(source, folder, copies):
    shutil.rmtree(folder, ignore_errors=True)
    for number in range(copies):
        copy(source, folder, number)
    (folder / "complete").touch()


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("mine")
    arguments.add_argument("data", type=pathlib.Path)
    arguments.add_argument("folder", type=pathlib.Path)
    arguments.add_argument("--copies", type=int, default=11)
    arguments.add_argument("--limit", default="256MiB")
    arguments.add_argument("--threads", default="2")
    arguments.add_argument("miners", nargs="*")
    args = arguments.parse_intermixed_args()
    if not (args.folder / "complete").exists():
        # in a process of its own: a child's peak begins with what its parent holds
        making = multiprocessing.Process(target=make, args=(args.data, args.folder, args.copies))
        making.start()
        making.join()
        if making.exitcode:
            sys.exit("the copies could not be made")
    own = [path for path in args.data.glob("*/day=*/*.parquet") if path.parts[-3] != "reports"]
    whole = sum(path.stat().st_size for path in own) * args.copies
    read = [path for path in args.folder.glob("*/day=*/*.parquet")]
    plain = sum(pq.ParquetFile(path).metadata.row_group(g).total_byte_size for path in read for g in range(pq.ParquetFile(path).num_row_groups))
    limit = size(args.limit)
    print(
        f"{args.copies} copies of an archive: {whole / 2**30:.2f} GiB of Parquet, {whole / limit:.1f} times --memory {args.limit}; "
        f"what miners read of it: {plain / 2**30:.2f} GiB unpacked"
    )
    failed = False
    for flags in MINERS:
        if args.miners and flags[0] not in args.miners:
            continue
        partials, out = args.folder / "partials", args.folder / "out"
        line = [args.mine, *flags, "--data", args.folder, "--partials", partials, "--out", out, "--threads", args.threads]
        began = time.monotonic()
        child = subprocess.Popen([*line, "--memory", args.limit], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        child.stdout.read()
        said = [text for text in child.stderr.read().splitlines() if " WARN " not in text]
        _, status, usage = os.wait4(child.pid, 0)
        peak = usage.ru_maxrss * 1024
        told = status != 0 and len(said) == 1 and "--memory" in said[0]
        good = peak <= limit and (status == 0 or told)
        failed |= not good
        ending = "done" if status == 0 else "stops: " + " / ".join(said)[:300]
        print(
            f"{'ok' if good else 'FAIL'}: {' '.join(flags):22} peak {peak / 2**20:6.0f} MiB of {args.limit}, "
            f"{time.monotonic() - began:5.0f} s, {usage.ru_utime + usage.ru_stime:5.0f} CPU-s: {ending}", flush=True,
        )
        shutil.rmtree(partials, ignore_errors=True)
        shutil.rmtree(out, ignore_errors=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
