"""Asks a broker everything that an ordinary client asks, through librdkafka, and says what is not as Kafka has it.

    check_broker.py BOOTSTRAP [--real]

--real: the broker is Apache Kafka itself; what only the embedded one refuses is then not asked. A claim that real Kafka
does not meet is a wrong claim.
"""
import sys
import time
import traceback

from confluent_kafka import (OFFSET_BEGINNING, Consumer, ConsumerGroupTopicPartitions, KafkaError, KafkaException,
                             Producer, TopicCollection, TopicPartition)
from confluent_kafka.admin import (AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic,
                                   OffsetSpec, ResourceType)

BOOTSTRAP = sys.argv[1]
REAL = "--real" in sys.argv[2:]
RUN = f"{int(time.time() * 1000) % 10**9}"
admin = AdminClient({"bootstrap.servers": BOOTSTRAP})
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
checks = []


def check(function):
    checks.append(function)
    return function


def topic(name, partitions=1, **config):
    """A new topic of this run."""
    name = f"{name}-{RUN}"
    new = NewTopic(name, partitions, 1, config={k.replace("_", "."): str(v) for k, v in config.items()})
    admin.create_topics([new])[name].result(10)
    return name


def refused(code, call):
    """`call` must be refused with this code."""
    try:
        got = call()
    except KafkaException as error:
        assert error.args[0].code() == code, f"refused with {error.args[0]}, not {KafkaError(code)}"
        return error.args[0]
    raise AssertionError(f"not refused: {got}")


def produce(name, values, partition=0, **config):
    """Produces values and returns their offsets."""
    offsets, errors = [], []

    def delivered(error, message):
        errors.append(error) if error else offsets.append(message.offset())

    producer = Producer({"bootstrap.servers": BOOTSTRAP, "linger.ms": 5, **config})
    for i, value in enumerate(values):
        key, headers = f"k{i}".encode(), [("n", str(i).encode()), ("empty", None)]
        while True:
            try:
                producer.produce(name, value, key, partition, delivered, timestamp=1_700_000_000_000 + i, headers=headers)
                break
            except BufferError:
                producer.poll(0.1)
    assert producer.flush(30) == 0, "not everything was delivered"
    if errors:
        raise KafkaException(errors[0])
    return offsets


def consume(consumer, count, seconds=30):
    """The next `count` messages."""
    messages, until = [], time.monotonic() + seconds
    while len(messages) < count and time.monotonic() < until:
        for message in consumer.consume(min(1000, count - len(messages)), 0.5):
            if message.error():
                raise KafkaException(message.error())
            messages.append(message)
    assert len(messages) == count, f"{len(messages)} of {count} messages"
    return messages


def consumer(group, **config):
    return Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": f"{group}-{RUN}", "auto.offset.reset": "earliest",
                     "enable.auto.commit": False, "session.timeout.ms": 6000, "heartbeat.interval.ms": 300, **config})


def eventually(what, state, seconds=30):
    until = time.monotonic() + seconds
    while not state():
        assert time.monotonic() < until, f"not within {seconds} s: {what}"


@check
def topics_are_created_listed_described_extended_and_deleted():
    name = topic("admin", 3, retention_ms=60000, cleanup_policy="compact,delete")
    listed = admin.list_topics(timeout=10)
    assert len(listed.topics[name].partitions) == 3 and len(listed.brokers) == 1
    described = admin.describe_topics(TopicCollection([name]))[name].result(10)
    assert len(described.partitions) == 3 and described.partitions[2].leader.id == 1
    refused(KafkaError.TOPIC_ALREADY_EXISTS, lambda: topic("admin", 3))
    refused(KafkaError.TOPIC_EXCEPTION, lambda: topic("no spaces"))
    refused(KafkaError.INVALID_REPLICATION_FACTOR,
            lambda: admin.create_topics([NewTopic(f"rf-{RUN}", 1, 3)])[f"rf-{RUN}"].result(10))
    refused(KafkaError.INVALID_CONFIG, lambda: topic("config", retention_ms="soon"))
    refused(KafkaError.INVALID_CONFIG, lambda: topic("config", no_such_key=1))
    admin.create_partitions([NewPartitions(name, 5)])[name].result(10)
    eventually("5 partitions", lambda: len(admin.list_topics(name, 10).topics[name].partitions) == 5)
    refused(KafkaError.INVALID_PARTITIONS, lambda: admin.create_partitions([NewPartitions(name, 2)])[name].result(10))
    admin.delete_topics([name])[name].result(10)
    eventually("topic deleted", lambda: name not in admin.list_topics(timeout=10).topics)
    refused(KafkaError.UNKNOWN_TOPIC_OR_PART, lambda: admin.delete_topics([name])[name].result(10))


@check
def configurations_are_described_and_changed():
    name = topic("configs", retention_bytes=1 << 30)
    resource = ConfigResource(ResourceType.TOPIC, name)

    def entries():
        return admin.describe_configs([resource])[resource].result(10)

    def is_there():
        try:
            return entries()
        except KafkaException:
            return None

    # Apache Kafka answers before it knows the topic everywhere.
    eventually("described", is_there)
    found = entries()
    assert len(found) == 33 and found["retention.bytes"].value == str(1 << 30) and not found["retention.bytes"].is_default
    assert found["max.message.bytes"].value == "1048588" and found["max.message.bytes"].is_default
    change = ConfigEntry("max.message.bytes", "2000", incremental_operation=AlterConfigOpType.SET)
    altered = ConfigResource(ResourceType.TOPIC, name, incremental_configs=[change])
    admin.incremental_alter_configs([altered])[altered].result(10)
    eventually("changed", lambda: entries()["max.message.bytes"].value == "2000")
    refused(KafkaError.MSG_SIZE_TOO_LARGE, lambda: produce(name, [b"x" * 3000]))
    assert produce(name, [b"x" * 500]) == [0]


@check
def every_codec_comes_back_as_it_was_sent():
    for idempotent in [False, True]:
        for codec in CODECS:
            name = topic(f"codec-{codec}-{idempotent}")
            values = [f"value {i} ".encode() * (i % 40) for i in range(5000)] + [None]
            config = {"compression.type": codec, "enable.idempotence": idempotent}
            assert produce(name, values, **config) == list(range(5001))
            reader = consumer("codec")
            reader.assign([TopicPartition(name, 0, OFFSET_BEGINNING)])
            messages = consume(reader, 5001)
            for i, message in enumerate(messages):
                assert message.offset() == i and message.key() == f"k{i}".encode()
                assert message.value() == values[i]
                assert message.headers() == [("n", str(i).encode()), ("empty", None)]
                assert message.timestamp() == (1, 1_700_000_000_000 + i)
            assert reader.get_watermark_offsets(TopicPartition(name, 0), 10) == (0, 5001)
            reader.close()


@check
def offsets_are_found_by_time():
    for codec in CODECS:
        name = topic(f"times-{codec}")
        produce(name, [b"v" * 100] * 3000, **{"compression.type": codec, "batch.num.messages": 500})
        reader = consumer("times")
        for offset in [0, 1, 499, 500, 1234, 2999]:
            asked = TopicPartition(name, 0, 1_700_000_000_000 + offset)
            assert reader.offsets_for_times([asked], 10)[0].offset == offset, (codec, offset)
        late = reader.offsets_for_times([TopicPartition(name, 0, 1_800_000_000_000)], 10)[0]
        assert late.offset == -1, late
        partition = TopicPartition(name, 0)
        newest = admin.list_offsets({partition: OffsetSpec.max_timestamp()})[partition].result(10)
        assert (newest.offset, newest.timestamp) == (2999, 1_700_000_002_999)
        reader.close()


@check
def appended_time_replaces_the_producers():
    name = topic("append", message_timestamp_type="LogAppendTime")
    before = int(time.time() * 1000) - 1000
    produce(name, [b"a", b"b"], **{"compression.type": "gzip"})
    reader = consumer("append", **{"check.crcs": True})
    reader.assign([TopicPartition(name, 0, OFFSET_BEGINNING)])
    for message in consume(reader, 2):
        kind, at = message.timestamp()
        assert kind == 2 and before <= at <= before + 60_000
    reader.close()


@check
def commits_keep_their_metadata_and_are_resumed():
    name = topic("commit", 2)
    produce(name, [b"%d" % i for i in range(10)], 0)
    reader = consumer("commit")
    reader.subscribe([name])
    consume(reader, 10)
    commits = [TopicPartition(name, 0, 7, metadata="intent é"), TopicPartition(name, 1, 0)]
    assert all(done.error is None for done in reader.commit(offsets=commits, asynchronous=False))
    kept = reader.committed([TopicPartition(name, 0), TopicPartition(name, 1)], 10)
    assert kept[0].offset == 7 and kept[0].metadata == "intent é" and kept[1].offset == 0
    # The limit is 4096; this client sends the NUL at the end of its string too.
    for length, allowed in [(4095, True), (4096, False)]:
        long = [TopicPartition(name, 1, 1, metadata="m" * length)]
        if allowed:
            reader.commit(offsets=long, asynchronous=False)
        else:
            refused(KafkaError.OFFSET_METADATA_TOO_LARGE, lambda: reader.commit(offsets=long, asynchronous=False))
    assert len(reader.committed([TopicPartition(name, 1)], 10)[0].metadata) == 4095
    reader.close()
    reader = consumer("commit")
    reader.subscribe([name])
    assert [message.value() for message in consume(reader, 3)] == [b"7", b"8", b"9"]
    reader.close()


@check
def two_members_share_a_topic_and_one_takes_over():
    for strategy in ["range", "roundrobin", "cooperative-sticky"]:
        name = topic(f"share-{strategy}", 6)
        config = {"partition.assignment.strategy": strategy}
        first, second = consumer(f"share-{strategy}", **config), consumer(f"share-{strategy}", **config)
        first.subscribe([name])
        second.subscribe([name])

        def assigned():
            first.poll(0.05)
            second.poll(0.05)
            return len(first.assignment()), len(second.assignment())

        eventually(f"3 and 3 by {strategy}", lambda: assigned() == (3, 3))
        second.close()
        eventually(f"6 by {strategy}", lambda: first.poll(0.1) is None and len(first.assignment()) == 6)
        first.close()


@check
def a_static_member_comes_back_without_a_rebalance():
    name = topic("static", 4)
    config = {"group.instance.id": "one"}
    other = consumer("static", **{"group.instance.id": "two"})
    first = consumer("static", **config)
    for member in [first, other]:
        member.subscribe([name])
    eventually("2 and 2", lambda: (first.poll(0.05), other.poll(0.05)) and
               (len(first.assignment()), len(other.assignment())) == (2, 2))
    before = first.assignment()
    group = f"static-{RUN}"
    first.close()
    again = consumer("static", **config)
    again.subscribe([name])
    eventually("the same partitions", lambda: (again.poll(0.05), other.poll(0.05)) and again.assignment() == before)
    described = admin.describe_consumer_groups([group])[group].result(10)
    assert described.state.name == "STABLE"
    assert sorted(member.group_instance_id for member in described.members) == ["one", "two"]
    again.close()
    other.close()


@check
def groups_are_listed_described_changed_and_deleted():
    name = topic("groups", 2)
    produce(name, [b"x"] * 5)
    group = f"groups-{RUN}"
    reader = consumer("groups", **{"client.id": "checker"})
    reader.subscribe([name])
    consume(reader, 5)
    reader.commit(asynchronous=False)
    listed = {found.group_id: found for found in admin.list_consumer_groups().result(10).valid}
    assert listed[group].state.name == "STABLE", listed
    described = admin.describe_consumer_groups([group])[group].result(10)
    assert described.partition_assignor == "range" and described.members[0].client_id == "checker"
    assert {p.partition for p in described.members[0].assignment.topic_partitions} == {0, 1}
    wanted = ConsumerGroupTopicPartitions(group, [TopicPartition(name, 0, 2)])
    done = admin.alter_consumer_group_offsets([wanted])[group].result(10)
    assert done.topic_partitions[0].error.code() == KafkaError.UNKNOWN_MEMBER_ID
    refused(KafkaError.NON_EMPTY_GROUP, lambda: admin.delete_consumer_groups([group])[group].result(10))
    reader.close()
    done = admin.alter_consumer_group_offsets([wanted])[group].result(10)
    assert done.topic_partitions[0].error is None
    kept = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group].result(10)
    assert {(p.partition, p.offset) for p in kept.topic_partitions if p.offset >= 0} >= {(0, 2)}
    admin.delete_consumer_groups([group])[group].result(10)
    refused(KafkaError.GROUP_ID_NOT_FOUND, lambda: admin.delete_consumer_groups([group])[group].result(10))


@check
def deleted_records_are_gone():
    name = topic("deletes")
    produce(name, [b"x"] * 10)
    admin.delete_records([TopicPartition(name, 0, 4)])[TopicPartition(name, 0)].result(10)
    reader = consumer("deletes")
    eventually("starts at 4", lambda: reader.get_watermark_offsets(TopicPartition(name, 0), 10) == (4, 10))
    reader.assign([TopicPartition(name, 0, 1)])
    assert [message.offset() for message in consume(reader, 6)] == [4, 5, 6, 7, 8, 9]
    reader.close()
    strict = consumer("deletes", **{"auto.offset.reset": "error"})
    strict.assign([TopicPartition(name, 0, 1)])
    refused(KafkaError._AUTO_OFFSET_RESET, lambda: consume(strict, 1))
    strict.close()


@check
def large_messages_arrive_whole_through_small_fetches():
    name = topic("large", max_message_bytes=20 << 20)
    values = [bytes([i]) * (3 << 20) for i in range(4)]
    produce(name, values, **{"message.max.bytes": 10 << 20})
    reader = consumer("large", **{"fetch.message.max.bytes": 10_000, "fetch.max.bytes": 1 << 20,
                                  "message.max.bytes": 1 << 20, "receive.message.max.bytes": 30 << 20})
    reader.assign([TopicPartition(name, 0, OFFSET_BEGINNING)])
    assert [message.value() for message in consume(reader, 4)] == values
    reader.close()


@check
def an_idle_consumer_hears_at_once_of_a_new_message():
    name = topic("latency")
    reader = consumer("latency", **{"fetch.wait.max.ms": 10_000})
    reader.assign([TopicPartition(name, 0, OFFSET_BEGINNING)])
    reader.poll(1)
    for _ in range(3):
        begun = time.monotonic()
        produce(name, [b"now"], **{"linger.ms": 0})
        consume(reader, 1)
        assert time.monotonic() - begun < 2
    reader.close()


@check
def unknown_topics_are_refused_where_they_are_not_created():
    listed = admin.list_topics(f"absent-{RUN}", 10)
    assert listed.topics[f"absent-{RUN}"].error is None or REAL
    cluster = admin.describe_cluster().result(10)
    assert cluster.cluster_id and cluster.controller.id == 1 and len(cluster.nodes) == 1


@check
def transactions_are_refused_with_a_reason():
    if REAL:
        return
    producer = Producer({"bootstrap.servers": BOOTSTRAP, "transactional.id": "t"})
    begun = time.monotonic()
    error = refused(KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, lambda: producer.init_transactions(10))
    assert time.monotonic() - begun < 8, f"retried for long: {error}"


failed = 0
for run in checks:
    words = run.__name__.replace("_", " ")
    begun = time.monotonic()
    try:
        run()
        print(f"ok    {words} ({time.monotonic() - begun:.1f} s)", flush=True)
    except Exception:  # noqa: BLE001: whatever is wrong is shown, and the other checks go on
        failed += 1
        print(f"FAIL  {words}\n{traceback.format_exc()}", flush=True)
sys.exit(1 if failed else 0)
