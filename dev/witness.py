"""Other people's clients of Kafka and S3 (librdkafka, boto3) and decoders, so that what Tidegate writes is not only read by
Tidegate. `dev/replay_aiven.py` uses it as a module; the tests as a process that answers one line of JSON with another:

    $(dev/python) dev/witness.py BOOTSTRAP S3_ENDPOINT KEY_ID SECRET    then e.g.  {"do": "ends", "topic": "orders"}

An answer is {"ok": ..} or {"error": TEXT}. Each public method of `Witness` is a command with its parameters' names. Bytes
are text in both directions where they are UTF-8, else {"b64": ..}. It ends when its standard input does.
"""
import base64, json, sys, threading, time, traceback

import boto3
import cramjam
from botocore.config import Config
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, ElectionType, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

PATIENCE = 30
LARGEST = 20_000_000


def unpack(codec, data):
    """Decompresses an object; `codec` as file.compression.type calls it."""
    if codec == "gzip":
        return bytes(cramjam.gzip.decompress(data))
    if codec == "zstd":
        return bytes(cramjam.zstd.decompress(data))
    if codec == "snappy":
        # snappy-java's framing: a header, then blocks with their lengths before them.
        if data[:16] != b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01":
            raise ValueError(f"no header of snappy-java: {data[:16]}")
        out, at = b"", 16
        while at < len(data):
            size = int.from_bytes(data[at:at + 4], "big")
            out += bytes(cramjam.snappy.decompress_raw(data[at + 4:at + 4 + size]))
            at += 4 + size
        return out
    if codec not in (None, "none"):
        raise ValueError(f"no codec {codec}")
    return data


def as_json(data):
    if data is None:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(data).decode()}


def as_bytes(value):
    if isinstance(value, dict):
        return base64.b64decode(value["b64"])
    return value.encode() if isinstance(value, str) else value


def patiently(ask):
    """Asks again while brokers come and go."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return ask()
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


class Witness:
    def __init__(self, bootstrap, endpoint, key_id, secret):
        # librdkafka tells of its own accord when a broker is gone, which is what some tests do.
        self._client = {"bootstrap.servers": bootstrap, "log_level": 0, "message.max.bytes": LARGEST}
        self._endpoint, self._keys = endpoint, {"aws_access_key_id": key_id, "aws_secret_access_key": secret}
        self._admin, self._producer = AdminClient(self._client), Producer(self._client)
        self._buckets, self._transactions, self._flow, self._lock = {}, {}, None, threading.Lock()

    # ---- Kafka ----

    def create_topics(self, topics):
        """Name to {"partitions", "replicas"}."""
        new = [NewTopic(name, of.get("partitions", 1), of.get("replicas", 1), config={"max.message.bytes": str(LARGEST)})
               for name, of in topics.items()]
        for future in self._admin.create_topics(new).values():
            future.result()

    def create_partitions(self, topic, total):
        """More partitions for a topic that is there."""
        for future in self._admin.create_partitions([NewPartitions(topic, total)]).values():
            future.result()

    def delete_records(self, topic, before):
        """Partition to the offset below which its records are no more, as if retention had taken them."""
        at = [TopicPartition(topic, int(partition), offset) for partition, offset in before.items()]
        for future in self._admin.delete_records(at).values():
            future.result()

    def produce(self, records, config=None):
        """Records are {"topic", "partition", "key", "value", "timestamp", "headers": [[name, value]..]}."""
        producer = Producer(self._client | config) if config else self._producer
        failures = []
        for record in records:
            headers = [(name, as_bytes(value)) for name, value in record.get("headers", [])]
            producer.produce(
                record["topic"], partition=record.get("partition", 0), key=as_bytes(record.get("key")),
                value=as_bytes(record.get("value")), timestamp=record.get("timestamp", 0), headers=headers,
                on_delivery=lambda error, _: failures.append(str(error)) if error else None)
            producer.poll(0)
        if producer.flush(PATIENCE) or failures:
            raise RuntimeError(f"records were not produced: {failures}")

    def transact(self, id, records, end, config=None):
        """In a transaction that ends by "commit" or "abort", or stays "open" until the next call with its id."""
        with self._lock:
            producer = self._transactions.get(id)
            if producer is None:
                producer = Producer(self._client | {"transactional.id": id} | (config or {}))
                producer.init_transactions(PATIENCE)
                producer.begin_transaction()
                self._transactions[id] = producer
        for record in records:
            producer.produce(record["topic"], partition=record.get("partition", 0), value=as_bytes(record["value"]))
        producer.flush(PATIENCE)
        if end != "open":
            (producer.commit_transaction if end == "commit" else producer.abort_transaction)(PATIENCE)
            del self._transactions[id]

    def begin_flow(self, topic, partitions, rate):
        """Produces numbered records to all partitions, in the background, until `end_flow`."""
        if self._flow:
            raise RuntimeError("there is a flow already")
        self._flow = Flow(Producer(self._client | {"enable.idempotence": True, "linger.ms": 5}), topic, partitions, rate)

    def end_flow(self):
        """How many records were produced, each once."""
        flow, self._flow = self._flow, None
        return flow.end()

    def ends(self, topic):
        """Partition to the offset after its last record."""
        consumer = Consumer(self._client | {"group.id": "witness", "enable.auto.commit": False})
        try:
            numbers = consumer.list_topics(topic, timeout=PATIENCE).topics[topic].partitions
            end = lambda number: consumer.get_watermark_offsets(TopicPartition(topic, number), PATIENCE)[1]
            return {number: patiently(lambda: end(number)) for number in numbers}
        finally:
            consumer.close()

    def committed(self, group):
        """"topic-partition" to its committed offset, where there is one."""
        ask = lambda: self._admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group].result()
        offsets = patiently(ask)
        return {f"{of.topic}-{of.partition}": of.offset for of in offsets.topic_partitions if of.offset >= 0}

    def commit(self, group, topic, offsets):
        """As a consumer that leaves the group after it has committed."""
        consumer = Consumer(self._client | {"group.id": group, "enable.auto.commit": False})
        at = [TopicPartition(topic, int(partition), offset) for partition, offset in offsets.items()]
        for committed in consumer.commit(offsets=at, asynchronous=False):
            if committed.error:
                raise RuntimeError(str(committed.error))
        consumer.close()

    def consume_in_group(self, group, topic, wanted):
        """As a plain consumer that takes the group over, reads some records, and goes on from there the next time."""
        consumer = Consumer(self._client | {"group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False})
        consumer.subscribe([topic])
        found, deadline = [], time.monotonic() + PATIENCE
        while len(found) < wanted and time.monotonic() < deadline:
            found += [message for message in consumer.consume(wanted - len(found), 0.2) if not message.error()]
        if found:
            consumer.commit(asynchronous=False)
        consumer.close()
        return [self._shown(message) for message in found]

    def records(self, topic):
        """All records of a topic."""
        consumer = Consumer(self._client | {"group.id": "witness", "enable.auto.commit": False})
        try:
            if topic not in consumer.list_topics(timeout=PATIENCE).topics:
                return []
            numbers = consumer.list_topics(topic, timeout=PATIENCE).topics[topic].partitions
            partitions = [TopicPartition(topic, number, 0) for number in numbers]
            left = sum(consumer.get_watermark_offsets(partition, PATIENCE)[1] for partition in partitions)
            consumer.assign(partitions)
            found, deadline = [], time.monotonic() + PATIENCE
            while len(found) < left and time.monotonic() < deadline:
                found += [message for message in consumer.consume(left - len(found), 0.5) if not message.error()]
            return [self._shown(message) for message in found]
        finally:
            consumer.close()

    def leader(self, topic, partition):
        """The node that leads it now."""
        return self._admin.list_topics(topic, timeout=PATIENCE).topics[topic].partitions[partition].leader

    def elect_leaders(self, topic):
        """Asks that every partition be led by the first of its replicas, as far as that one is up to date."""
        numbers = self._admin.list_topics(topic, timeout=PATIENCE).topics[topic].partitions
        partitions = [TopicPartition(topic, number) for number in numbers]
        patiently(lambda: self._admin.elect_leaders(ElectionType.PREFERRED, partitions).result())

    @staticmethod
    def _shown(message):
        headers = [[name, as_json(value)] for name, value in message.headers() or []]
        return {"partition": message.partition(), "offset": message.offset(), "timestamp": message.timestamp()[1],
                "key": as_json(message.key()), "value": as_json(message.value()), "headers": headers}

    # ---- S3 ----

    def _s3(self, bucket):
        with self._lock:
            if bucket not in self._buckets:
                self._buckets[bucket] = self._of_region("us-east-1")
            return self._buckets[bucket]

    def _of_region(self, region):
        config = Config(s3={"addressing_style": "path"}, retries={"max_attempts": 3})
        return boto3.client("s3", endpoint_url=self._endpoint, region_name=region, config=config, **self._keys)

    def create_bucket(self, bucket, region="us-east-1"):
        with self._lock:
            # boto3 may not make two clients at a time.
            self._buckets[bucket] = self._of_region(region)
        where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        self._buckets[bucket].create_bucket(Bucket=bucket, **where)

    def stored(self, bucket, prefix=""):
        """Name to what is stored under it, as it is."""
        s3, found = self._s3(bucket), {}
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for thing in page.get("Contents", []):
                answer = s3.get_object(Bucket=bucket, Key=thing["Key"])
                found[thing["Key"]] = {"data": answer["Body"].read(), "type": answer["ContentType"],
                                       "sse": answer.get("ServerSideEncryption")}
        return found

    def objects(self, bucket, prefix="", codec=None):
        """Name to decompressed content."""
        return {key: as_json(unpack(codec, thing["data"])) for key, thing in self.stored(bucket, prefix).items()}

    def uploads(self, bucket):
        """Names of uploads that were begun and not ended."""
        return [upload["Key"] for upload in self._s3(bucket).list_multipart_uploads(Bucket=bucket).get("Uploads", [])]


class Flow:
    """Numbered records, a steady number a second, each in Kafka exactly once whatever happens to the brokers."""

    def __init__(self, producer, topic, partitions, rate):
        self.producer, self.topic, self.partitions, self.rate = producer, topic, partitions, rate
        self.count, self.failures, self.ended = 0, [], threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        started = time.monotonic()
        while not self.ended.wait(0.02):
            while self.count < (time.monotonic() - started) * self.rate:
                try:
                    self.producer.produce(self.topic, partition=self.count % self.partitions, key=f"k{self.count % 50}",
                                          value=json.dumps({"n": self.count, "pad": "x" * 100}), on_delivery=self.delivered)
                    self.count += 1
                except BufferError:
                    self.producer.poll(0.1)
            self.producer.poll(0)

    def delivered(self, error, _):
        if error:
            self.failures.append(str(error))

    def end(self):
        self.ended.set()
        self.thread.join()
        left = self.producer.flush(PATIENCE)
        if left or self.failures:
            raise RuntimeError(f"{left} records of the flow were not produced: {self.failures[:3]}")
        return self.count


def main():
    witness = Witness(*sys.argv[1:])
    for line in sys.stdin:
        command = json.loads(line)
        name = command.pop("do")
        try:
            method = None if name.startswith("_") or name == "stored" else getattr(witness, name)
            answer = {"ok": method(**command)}
        except Exception:
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
