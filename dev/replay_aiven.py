"""Replays recorded cases of the real Aiven S3 sink (3.4.2 on Kafka Connect 4.1.0) against the built binary.

    dev/replay-aiven [FILTER]    the cases whose names hold FILTER (all)
    dev/replay-aiven --copy      makes dev/aiven-cases.jsonl anew from the recordings in TIDEGATE_CONFORMANCE

One `tidegate local` is broker and S3. Of each case the records are produced by librdkafka with their offsets, timestamps
and headers, `tidegate run --drain` runs the recorded configuration (only endpoint and keys are ours), and boto3 reads what
is in the bucket. Compared are names, contents (decompressed by decoders that are not ours; JSON by line and as JSON),
types, committed offsets, dead letters and refusals. Where Tidegate differs on purpose (docs/differences.md), DIFFERENCES
says what it must do instead. Ends with 1 if anything else differs.

With TIDEGATE_CONFORMANCE=DIR the cases are those of DIR/aiven/cases and DIR/aiven/golden, large ones too.
"""
import base64, concurrent.futures, decimal, hashlib, json, os, re, shutil, subprocess, sys, tempfile, time
import traceback
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from witness import Witness, as_bytes, as_json, unpack

ROOT = Path(__file__).resolve().parent.parent
OWN_CASES = ROOT / "dev" / "aiven-cases.jsonl"
BINARY = os.environ.get("TIDEGATE_BIN", "target/debug/tidegate")
CLASS = "io.aiven.kafka.connect.s3.AivenKafkaConnectS3SinkConnector"
# More than cores: a drain mostly waits for its group.
AT_ONCE = 6
KEY_ID, SECRET = "AKIAREPLAYREPLAY0000", "replay/replay/replay/replay/replay/repla"
# The codecs by the names of the recordings.
CODECS = {"snappy-xerial": "snappy", "gzip": "gzip", "zstd": "zstd"}
# What is kept of an object in the own copy, and how long a case may be there: it is for people to read, too.
KEPT, LONGEST_CASE = 8 << 10, 20 << 10


# ---- what differs on purpose ----

@dataclass
class Differs:
    """What Tidegate does instead, and which difference of docs/differences.md that is."""
    why: str
    # Key to what its text holds. Upstream's task dies of it, or goes round for ever.
    refused: dict = field(default_factory=dict)
    # Name to content, if those are other objects.
    objects: dict | None = None
    committed: dict | None = None
    # Some of the objects, and of the offsets those that belong to them: partitions are read in no certain order.
    at_most: bool = False
    arguments: tuple = ("--drain-timeout", "30")
    exit: int = 0
    says: tuple = ()


def dead_task(*keys):
    return Differs("found at check, where upstream's task dies", refused=dict.fromkeys(keys))


HEADERS = ('{"headers":[{"key":"s","value":"text"},{"key":"i","value":123},{"key":"big","value":12345678901},'
           '{"key":"f","value":1.5},{"key":"b","value":true},{"key":"n","value":null},{"key":"arr","value":[1,2,3]},'
           '{"key":"map","value":{"a":1,"b":"x"}},{"key":"q","value":"\\"quoted\\""},{"key":"date","value":19675},'
           '{"key":"ts","value":1700000000000},{"key":"e","value":""},{"key":"sp","value":"  pad "}],"offset":0}')

DIFFERENCES = {
    "bad-json-none": Differs(
        "what is before a bad record is stored and committed, and the record is named",
        objects={"t-bad-json-none-0-0": '{"value":{"ok":1},"offset":0}'}, committed={"t-bad-json-none-0": 1}, exit=3,
        says=("record 1 of t-bad-json-none-0 cannot be used", "Converting byte[] to Kafka Connect data failed")),
    "csv-poison-second-group": Differs(
        "no truncated object of the bad record's partition; of the others is stored and committed what was read before it",
        objects={f"t-csv-poison-second-group-{number}-0.gz": text for number, text in [(0, "cDA=,"), (2, "cDI=,")]},
        committed={"t-csv-poison-second-group-0": 1, "t-csv-poison-second-group-2": 1}, at_most=True, exit=3,
        says=("record 0 of t-csv-poison-second-group-1 cannot be used", 'the array length because "src" is null')),
    "jsonl-headers-simple": Differs(
        "a null header without a schema is written", objects={"t-jsonl-headers-simple-0-0": HEADERS},
        committed={"t-jsonl-headers-simple-0": 1}),
    "name-event-no-timestamp": Differs(
        "a record without the timestamp that its name needs is a bad record, and named", exit=3,
        says=("record 0 of t-name-event-no-timestamp-0 cannot be used: record has no timestamp",)),
    "name-timestamp-unit-lower": Differs(
        "found at check, where upstream's task dies of the first record",
        refused={"file.name.template": "timestamp:unit=yyyy|MM|dd|HH"}),
    "part-size-too-small": Differs(
        "a part size below S3's minimum is taken for that", committed={"t-part-size-too-small-0": 1},
        objects={"t-part-size-too-small-0-0": {"gen": "lcg", "seed": 7, "size": 3145728}},
        says=("aws.s3.part.size.bytes",)),
    "prefix-legacy-key-yyyy-upper": Differs(
        "YYYY is mended in the deprecated key too", committed={"t-prefix-legacy-key-yyyy-upper-0": 1},
        objects={"2022/t-prefix-legacy-key-yyyy-upper-0-00000000000000000000": "a"}),
    "refuse-backoff-not-int": Differs(
        "found at check, where upstream's task dies of an overflow",
        refused={"aws.s3.backoff.delay.ms": "Value must be no more than 2147483647"}),
    "refuse-envelope-off-no-fields": dead_task("format.output.envelope", "format.output.fields"),
    "refuse-envelope-off-two-fields": dead_task("format.output.envelope", "format.output.fields"),
    "refuse-no-bucket": dead_task("aws.s3.bucket.name"),
    "refuse-provider-not-provider": Differs(
        "a class that is no provider of credentials is refused, although keys are given",
        refused={"aws.credentials.provider": "Class java.lang.String could not be found"}),
    "refuse-retry-backoff-negative": dead_task("kafka.retry.backoff.ms"),
    "refuse-template-blanks-colon": dead_task("file.name.template"),
    "refuse-template-key-timestamp": dead_task("file.name.template"),
    "refuse-template-no-name": dead_task("file.name.template"),
    "refuse-template-param-no-name": dead_task("file.name.template"),
    "refuse-template-topic-partition": dead_task("file.name.template"),
    "sink-error-not-tolerated": Differs(
        "csv with a converter that never gives bytes is refused, where upstream replays for ever",
        refused={"value.converter": "Record value schema type must be BYTES, STRING given"}),
    "sse-bogus": Differs(
        "the embedded S3 refuses an encryption that S3 does not have, as S3 does; the recording's did not",
        objects={}, committed={}, arguments=("--exit-on-failure",), exit=3,
        says=("InvalidEncryptionAlgorithmError (400)",)),
}


# ---- cases ----

def content(thing):
    """The bytes of an object or a dead letter in a case, if they are kept."""
    if "text" in thing:
        return as_bytes(thing["text"])
    return None


def recorded(case, objects, outcome):
    """A recording, reduced to what is compared."""
    wanted = []
    for thing in objects:
        plain = thing.get("plain") or {}
        kept = {"key": thing["key"], "type": thing["content-type"], "sse": thing["sse"], "codec": CODECS.get(plain.get("codec"))}
        kept |= {"size": plain.get("size", thing["size"]), "sha256": plain.get("sha256", thing["sha256"])}
        if thing["bytes"] and kept["size"] <= KEPT:
            data = unpack(kept["codec"], base64.b64decode(thing["bytes"]))
            assert hashlib.sha256(data).hexdigest() == kept["sha256"], (case["name"], kept["key"])
            kept["text"] = as_json(data)
        wanted.append({key: value for key, value in kept.items() if value is not None})
    ended = {key: outcome[key] for key in ("state", "error", "committed", "dlq") if outcome.get(key)}
    ended |= {"errors": outcome["validate"]["errors"], "causes": outcome.get("causes") or []}
    unused = ("flush", "compare", "area", "about", "wallclock", "flush_splits", "timeout")
    case = {key: value for key, value in case.items() if key not in unused}
    for record in case["records"]:
        # Most have neither.
        for key in ("headers", "phase"):
            if not record.get(key):
                record.pop(key, None)
    return {"case": case, "objects": wanted, "outcome": {key: value for key, value in ended.items() if value}}


def all_cases():
    outside = os.environ.get("TIDEGATE_CONFORMANCE")
    if not outside:
        return [json.loads(line) for line in OWN_CASES.read_text().splitlines()]
    aiven = Path(outside) / "aiven"
    read = lambda path: json.loads(path.read_text())
    golden = lambda path: (read(aiven / "golden" / path.stem / f"{name}.json") for name in ("objects", "outcome"))
    return [recorded(read(path), *golden(path)) for path in sorted((aiven / "cases").glob("*.json"))]


def copy():
    if not os.environ.get("TIDEGATE_CONFORMANCE"):
        sys.exit("TIDEGATE_CONFORMANCE names no directory")
    lines, left_out = [], []
    for case in all_cases():
        line = json.dumps(case, ensure_ascii=False, separators=(",", ":"))
        if len(line) <= LONGEST_CASE:
            lines.append(line + "\n")
        else:
            left_out.append(case["case"]["name"])
    OWN_CASES.write_text("".join(lines))
    print(f"{len(lines)} cases in {OWN_CASES.relative_to(ROOT)}; left out, being large: {', '.join(left_out)}")


def generated(spec):
    """Large values: 64-bit linear congruential, the upper words in network order."""
    if spec["gen"] != "lcg":
        raise Unknown(f"values generated as {spec['gen']!r}")
    out, state = bytearray(), spec["seed"]
    while len(out) < spec["size"]:
        state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        out += (state >> 32).to_bytes(4, "big")
    return bytes(out[:spec["size"]])


class Unknown(Exception):
    """A case that cannot be replayed."""


def decoded(data):
    if data is None or isinstance(data, dict):
        return data and generated(data)
    return base64.b64decode(data)


# ---- the place ----

class Place:
    """The embedded broker and S3, and a witness of them."""

    def __init__(self, dir):
        self.dir = dir
        aws = dir / "local" / "aws"
        aws.mkdir(parents=True)
        everything = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
        user = {"access_keys": [{"id": KEY_ID, "secret": SECRET}], "policies": {"all": everything}}
        (aws / "aws.json").write_text(json.dumps({"accounts": {"444455556666": {"users": {"replay": user}}}}))
        with open(dir / "local.out", "w") as out, open(dir / "local.log", "w") as log:
            arguments = ["--dir", dir / "local", "--kafka-listen", "127.0.0.1:0", "--aws-listen", "127.0.0.1:0"]
            self.process = subprocess.Popen([BINARY, "local", *arguments], stdin=subprocess.DEVNULL, stdout=out, stderr=log)
        exports = self.await_exports()
        self.endpoint, self.bootstrap = exports["AWS_ENDPOINT_URL"], exports["TIDEGATE_BOOTSTRAP_SERVERS"]
        self.witness = Witness(self.bootstrap, self.endpoint, KEY_ID, SECRET)

    def await_exports(self):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self.process.poll() is None:
            text = (self.dir / "local.out").read_text()
            if "tidegate run" in text:
                return dict(re.findall(r"^export (\w+)=(\S+)$", text, re.M))
            time.sleep(0.05)
        self.end()
        sys.exit(f"tidegate local did not start: {(self.dir / 'local.log').read_text()}")

    def end(self):
        self.process.kill()
        self.process.wait()

    def add_fault(self, rule):
        request = urllib.request.Request(f"{self.endpoint}/_local/faults", json.dumps(rule).encode(), method="POST")
        urllib.request.urlopen(request, timeout=10).close()


# ---- one case ----

class Replay:
    def __init__(self, place, recording):
        self.place, self.case = place, recording["case"]
        self.wanted, self.outcome = recording["objects"], recording["outcome"]
        self.name, self.config = self.case["name"], dict(self.case["config"])
        self.differs = DIFFERENCES.get(self.name)
        self.region = self.config.get("aws.s3.region") or self.config.get("aws_s3_region") or "us-east-1"
        self.bucket = self.config.get("aws.s3.bucket.name") or self.config.get("aws_s3_bucket")
        self.dir = place.dir / self.name
        self.dir.mkdir()
        self.found = []

    def different(self, text):
        self.found.append(text)

    def run(self):
        """"same", "differs as documented", "waits for the formats issue"; with differences beside it."""
        self.write_files()
        waits = self.waits_for()
        if waits:
            self.check_refused(dict.fromkeys(waits, "not supported"))
            return "waits for the formats issue"
        refused = self.refusal()
        if refused:
            self.check_refused(refused)
        else:
            self.move()
        return "differs as documented" if self.differs else "same"

    # The later issue's work: it must be refused by name until then.
    def waits_for(self):
        if self.config.get("format.output.type", "csv").lower() in ("avro", "parquet"):
            keys = ["format.output.type"]
        else:
            keys = [key for key in ("transforms", "predicates") if self.config.get(key)]
        classes = self.case["worker"] | self.config
        return keys + [key for key, value in classes.items() if value.startswith("io.confluent.")]

    def write_files(self):
        config = {"connector.class": CLASS, "tasks.max": "1"} | self.config
        if not ({"topics", "topics.regex"} & config.keys()):
            config["topics"] = ",".join(self.case["topics"])
        end = self.place.endpoint
        inject = {
            "legacy": {"aws_s3_endpoint": end, "aws_access_key_id": KEY_ID, "aws_secret_access_key": SECRET},
            "endpoint": {"aws.s3.endpoint": end},
            None: {"aws.s3.endpoint": end, "aws.access.key.id": KEY_ID, "aws.secret.access.key": SECRET},
        }[self.case.get("inject")]
        (self.dir / "connector.json").write_text(json.dumps({"name": self.name, "config": inject | config}))
        worker = {"bootstrap.servers": self.place.bootstrap} | self.case["worker"]
        lines = (f"{key}={value}\n" for key, value in worker.items())
        (self.dir / "worker.properties").write_text("".join(lines))

    def tidegate(self, command, *arguments):
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "TIDEGATE_"))}
        # Nothing of this machine may lend keys.
        environment |= {"AWS_EC2_METADATA_DISABLED": "true", "HOME": str(self.dir)}
        files = ["--worker", self.dir / "worker.properties", self.dir / "connector.json"]
        return subprocess.run([BINARY, command, *files, *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=120, env=environment)

    # ---- refusals ----

    def refusal(self):
        """Each key that must be refused with its texts, or what one of them must hold; nothing if all is fine."""
        if self.differs and self.differs.refused:
            # Where upstream's dead task said why, the same words are said here.
            words = self.outcome.get("error", "").split(": ", 1)[-1]
            return {key: text or words for key, text in self.differs.refused.items()}
        return self.outcome.get("errors")

    def check_refused(self, refused):
        check = self.tidegate("check", "-o", "json")
        if check.returncode != 2:
            return self.different(f"check ended with {check.returncode}, not 2: {check.stderr[-500:]}")
        errors = json.loads(check.stdout)["connectors"][0]["errors"]
        for key, texts in refused.items():
            if key not in errors:
                self.different(f"{key} is not refused; these are: {errors}")
            elif not (texts in str(errors[key]) if isinstance(texts, str) else texts == errors[key]):
                self.different(f"{key} is refused as {errors[key]}, not {texts}")
        for key in errors.keys() - refused.keys():
            self.different(f"{key} is refused, too: {errors[key]}")
        if self.tidegate("run", "--drain").returncode != 2:
            self.different("run does not refuse it")

    # ---- records ----

    def move(self):
        place, case, differs = self.place, self.case, self.differs or Differs("nothing")
        place.witness.create_topics(case["topics"])
        place.witness.create_bucket(self.bucket, self.region)
        for fault in case.get("faults", []):
            operation = {"partNumber": "UploadPart", "?uploads": "CreateMultipartUpload"}[fault["contains"]]
            effect = {"error": {"code": fault["code"]}}
            place.add_fault({"operation": operation, "bucket": self.bucket, "count": fault["count"], "effect": effect})
        refusing = any(fault["status"] == 403 for fault in case.get("faults", []))
        for phase in sorted({record.get("phase", 0) for record in case["records"]}) or [0]:
            place.witness.produce([self.to_produce(record) for record in case["records"] if record.get("phase", 0) == phase])
            if refusing:
                # A person has to mend that; once mended, everything goes on.
                run = self.tidegate("run", "--drain", "--exit-on-failure")
                if run.returncode != 3 or "AccessDenied" not in run.stderr:
                    self.different(f"a refusal ended with {run.returncode}: {run.stderr[-1000:]}")
            run = self.tidegate("run", "--drain", *differs.arguments)
        wanted = differs.exit
        if run.returncode != wanted:
            self.different(f"it ended with {run.returncode}, not {wanted}: {run.stderr[-1500:]}")
        for text in differs.says:
            if text not in run.stderr:
                self.different(f"it does not say {text!r}: {run.stderr[-1500:]}")
        self.compare_objects()
        self.compare_committed()
        self.compare_letters()

    @staticmethod
    def to_produce(record):
        headers = [(name, decoded(value)) for name, value in record.get("headers", [])]
        return record | {"key": decoded(record["key"]), "value": decoded(record["value"]), "headers": headers}

    def compare_objects(self):
        ours, uploads = self.place.witness.stored(self.bucket), self.place.witness.uploads(self.bucket)
        if uploads:
            self.different(f"uploads were left behind: {uploads}")
        if self.differs and self.differs.objects is not None:
            theirs = {key: self.instead(text) for key, text in self.differs.objects.items()
                      if key in ours or not self.differs.at_most}
            self.stored = theirs.keys()
        else:
            theirs = {thing["key"]: thing for thing in self.wanted}
        # Names with parts of the clock.
        for pattern, replacement in case_patterns(self.case):
            ours = {re.sub(pattern, replacement, key): thing for key, thing in ours.items()}
            theirs = {re.sub(pattern, replacement, key): thing for key, thing in theirs.items()}
        for key in sorted(theirs.keys() - ours.keys()):
            self.different(f"object {key} is missing")
        for key in sorted(ours.keys() - theirs.keys()):
            self.different(f"object {key} is one too many: {ours[key]['data'][:200]}")
        for key in sorted(ours.keys() & theirs.keys()):
            self.compare_object(key, ours[key], theirs[key])

    def instead(self, text):
        codec = self.config.get("file.compression.type", "gzip")
        data = generated(text) if isinstance(text, dict) else text.encode()
        return {"text": as_json(data), "codec": codec, "type": "application/octet-stream"}

    def compare_object(self, key, ours, theirs):
        if ours["type"] != theirs["type"]:
            self.different(f"object {key} is {ours['type']}, not {theirs['type']}")
        try:
            data = unpack(theirs.get("codec"), ours["data"])
        except Exception as error:
            return self.different(f"object {key} cannot be unpacked: {error!r}")
        wanted = content(theirs)
        if wanted is None:
            if hashlib.sha256(data).hexdigest() != theirs["sha256"]:
                self.different(f"object {key} has other content: {len(data)} bytes, theirs {theirs['size']}")
        elif data != wanted:
            kind = self.config.get("format.output.type", "csv").lower()
            if kind == "csv" or not same_lines(data.decode("utf-8", "replace"), wanted.decode()):
                self.different(f"object {key} differs\n      ours   {data[:1500]}\n      theirs {wanted[:1500]}")

    def compare_committed(self):
        theirs = self.outcome.get("committed", {})
        if self.differs and self.differs.committed is not None:
            theirs = self.differs.committed
            if self.differs.at_most:
                theirs = {of: offset for of, offset in theirs.items() if any(key.startswith(of) for key in self.stored)}
        theirs = {key: offset for key, offset in theirs.items() if offset is not None}
        ours = {key: offset for key, offset in self.place.witness.committed(f"connect-{self.name}").items() if offset > 0}
        if ours != theirs:
            self.different(f"committed is {ours}, theirs {theirs}")

    def compare_letters(self):
        if "dlq" not in self.case:
            return
        def shown(letter, bytes_of):
            # Of a stack trace the first line is for readers, the rest is Java's.
            headers = [(name, (text or "").strip().split("\n")[0].strip()) for name, text in letter["headers"]]
            return repr((bytes_of(letter["key"]), bytes_of(letter["value"]), letter["timestamp"], headers))
        ours = sorted(shown(letter, as_bytes) for letter in self.place.witness.records(self.case["dlq"]))
        theirs = sorted(shown(letter, decoded) for letter in self.outcome.get("dlq", []))
        if ours != theirs:
            self.different("dead letters differ\n      ours   " + "\n             ".join(ours) +
                           "\n      theirs " + "\n             ".join(theirs))


def case_patterns(case):
    return case.get("key_pattern", [])


# ---- JSON ----

def same_lines(ours, theirs):
    """Whether two JSON texts have the same lines, each equal as JSON."""
    ours, theirs = ours.split("\n"), theirs.split("\n")
    return len(ours) == len(theirs) and all(same_line(*pair) for pair in zip(ours, theirs))


def same_line(ours, theirs):
    if ours == theirs:
        return True
    if ours[-1:] == "," or theirs[-1:] == ",":
        return ours[-1:] == theirs[-1:] and same_line(ours[:-1], theirs[:-1])
    read = lambda text: json.loads(text, parse_float=decimal.Decimal)
    try:
        return same_json(read(ours), read(theirs))
    except ValueError:
        return False


def same_json(ours, theirs):
    """Equal but for what upstream does to numbers: everything that is no 64-bit integer goes through a double there."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(same_json(ours[key], theirs[key]) for key in ours)
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(same_json, ours, theirs))
    numbers = (int, decimal.Decimal)
    if isinstance(ours, numbers) and not isinstance(ours, bool):
        if isinstance(theirs, str):
            # A number beyond a double's range became a text.
            return theirs in ("Infinity", "-Infinity") and str(float(ours)) == theirs.replace("Infinity", "inf")
        if not isinstance(theirs, numbers) or isinstance(theirs, bool):
            return False
        wrapped = isinstance(ours, int) and (ours + (1 << 63)) % (1 << 64) - (1 << 63)
        return ours == theirs or float(ours) == float(theirs) or wrapped == theirs
    return type(ours) is type(theirs) and ours == theirs


# ---- all of them ----

def main():
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    if wanted == "--copy":
        return copy()
    started, dir = time.monotonic(), Path(tempfile.mkdtemp(prefix="replay-"))
    cases = [case for case in all_cases() if wanted in case["case"]["name"]]
    if not cases:
        sys.exit(f"no case holds {wanted!r} in its name")
    place = Place(dir)
    counts, failed = {}, []

    def one(recording):
        replay = Replay(place, recording)
        try:
            return replay, replay.run()
        except Unknown as unknown:
            return replay, f"not replayed: {unknown}"
        except Exception:
            replay.different(traceback.format_exc())
            return replay, "same"

    try:
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            for replay, verdict in pool.map(one, cases):
                if replay.found:
                    verdict = "DIFFERENT"
                    failed.append(replay.name)
                    print(f"DIFFERENT {replay.name}", *replay.found, sep="\n    ", flush=True)
                elif wanted:
                    why = f" ({replay.differs.why})" if replay.differs else ""
                    print(f"{replay.name}: {verdict}{why}", flush=True)
                counts[verdict] = counts.get(verdict, 0) + 1
    finally:
        place.end()
    told = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
    print(f"{len(cases)} cases in {time.monotonic() - started:.0f} s: {told}")
    if failed:
        print(f"files in {dir}")
        sys.exit(1)
    shutil.rmtree(dir)


if __name__ == "__main__":
    main()
