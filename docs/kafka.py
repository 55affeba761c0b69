"""Reads the first artefact of the bus, and gives the crawl `main` a seed. Usage: kafka.py HOST:PORT URL [PREFIX]"""
import json, sys, uuid
from urllib.parse import urlsplit
from confluent_kafka import Consumer, KafkaException, Producer

broker, url, prefix = (sys.argv[1:] + [""])[:3]
consumer = Consumer({"bootstrap.servers": broker, "group.id": f"{prefix}look", "auto.offset.reset": "earliest",
                     "isolation.level": "read_committed", "enable.auto.commit": False, "log_level": 2})
try:
    missing = {f"{prefix}artefacts", f"{prefix}discovered.main"} - set(consumer.list_topics(timeout=10).topics)
except KafkaException as error:
    sys.exit(f"{broker} does not answer ({error.args[0].str()}); check host and port")
if missing:
    sys.exit(f"there is no topic {', '.join(sorted(missing))} on {broker}: start `spider crawl` once, it makes them")
consumer.subscribe([f"{prefix}artefacts"])
message = consumer.poll(15)
if message is None or message.error():
    print(message.error() if message else "no artefact yet")
else:
    headers = {name: value.decode("utf-8", "replace") for name, value in message.headers() or []}
    print(headers.get("ce_subject"), headers.get("ce_status"), headers.get("content-type"), len(message.value() or b""), "bytes")
consumer.close()
# the same partitioner as Java's clients have, and the spider: murmur2 of the host
producer = Producer({"bootstrap.servers": broker, "partitioner": "murmur2_random", "enable.idempotence": True})
headers = {"ce_specversion": "1.0", "ce_id": str(uuid.uuid4()), "ce_source": "kafka.py",
           "ce_type": "kafkaspider.discovered.v1", "content-type": "application/json"}
value = json.dumps({"url": url, "via": None, "depth": 0, "hops": 0})
told = lambda error, record: print(error or f"seed on {record.topic()} partition {record.partition()}")
producer.produce(f"{prefix}discovered.main", value, urlsplit(url).netloc, headers=headers, on_delivery=told)
producer.flush(15)
