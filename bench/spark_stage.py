"""Spark Structured Streaming from Kafka to Parquet, the peer of `etl stage`: what is there now, then it ends.

Usage: spark_stage.py HOSTS TOPIC JARS FOLDER. Prints JSON: seconds of the query (the second of two, so that the JVM is
warm), seconds until the session stood, rows. Run by `cargo xtask bench stage --bus kafka`. It writes key, value, headers,
partition, offset and time as they are: no hash is checked, no column is computed, no day is told apart, nothing is synced.
"""
import glob, json, os, sys, time

hosts, topic, jars, folder = sys.argv[1:5]
began = time.monotonic()
from pyspark.sql import SparkSession

cores = len(os.sched_getaffinity(0))
spark = (SparkSession.builder.master(f"local[{cores}]").appName("stage")
         .config("spark.jars", ",".join(glob.glob(f"{jars}/*.jar")))
         .config("spark.ui.enabled", "false").config("spark.driver.memory", "2g")
         .config("spark.driver.bindAddress", "127.0.0.1").config("spark.driver.host", "127.0.0.1")
         .config("spark.sql.parquet.compression.codec", "zstd").getOrCreate())
spark.sparkContext.setLogLevel("ERROR")
session = time.monotonic() - began


def stage(name):
    began = time.monotonic()
    source = (spark.readStream.format("kafka").option("kafka.bootstrap.servers", hosts).option("subscribe", topic)
              .option("startingOffsets", "earliest").option("kafka.isolation.level", "read_committed")
              .option("includeHeaders", "true").load())
    query = (source.writeStream.format("parquet").option("path", f"{folder}/{name}")
             .option("checkpointLocation", f"{folder}/{name}-checkpoint").trigger(availableNow=True).start())
    query.awaitTermination()
    return time.monotonic() - began


stage("warm")
seconds = stage("measured")
rows = spark.read.parquet(f"{folder}/measured").count()
print(json.dumps({"seconds": seconds, "session": session, "rows": rows}))
spark.stop()
