"""Asks `tidegate serve` what a real Kafka Connect 4.1.0 worker was asked, and compares the answers.

    dev/replay-connect [FILTER]    the cases whose names hold FILTER (all)
    dev/replay-connect --copy      makes dev/connect-cases.jsonl anew from the recordings in TIDEGATE_CONFORMANCE

`tidegate local` is broker and S3, `tidegate serve` the worker. The recordings were made with Kafka's own file sink; ours is
Aiven's class, so keys of either class are left out of configurations and definitions, and what differs from worker to
worker (ids, times, versions, lists of classes, documentation) has one name. Compared are status, telling headers, and the
body: all of it, its shape, or not at all, as each step says; a step may allow other answers that a saner server gives. Where
Tidegate differs on purpose (docs/differences.md), DIFFERENCES says what it must answer instead. Ends with 1 if anything
else differs.

With TIDEGATE_CONFORMANCE=DIR the cases are those of DIR/connect-rest.
"""
import http.client, json, os, re, shutil, signal, socket, subprocess, sys, tempfile, time, traceback
from dataclasses import dataclass
from pathlib import Path

from witness import Witness

ROOT = Path(__file__).resolve().parent.parent
OWN_CASES = ROOT / "dev" / "connect-cases.jsonl"
BINARY = os.environ.get("TIDEGATE_BIN", "target/debug/tidegate")
PROFILE = "aiven-s3"
KEY_ID, SECRET = "AKIAREPLAYREPLAY0000", "replay/replay/replay/replay/replay/repla"
REGION, BUCKET = "eu-west-1", "conformance"


# ---- what differs on purpose ----

@dataclass
class Differs:
    """What Tidegate answers instead, and which difference of docs/differences.md that is."""
    why: str
    status: int
    # What the body's text holds.
    says: tuple = ()


def later(plugin):
    return Differs("transforms and predicates come with a later release", 404, (f"Unknown plugin {plugin}.",))


HOIST = "org.apache.kafka.connect.transforms.HoistField$Value"
DIFFERENCES = {
    ("plugins-more", "transform"): later(HOIST),
    ("plugins-more", "transform-encoded"): later(HOIST),
    ("plugins-more", "transform-router"): later("org.apache.kafka.connect.transforms.RegexRouter"),
    ("plugins-more", "transform-alias"): later("RegexRouter"),
    ("plugins-more", "predicate"): later("org.apache.kafka.connect.transforms.predicates.TopicNameMatches"),
    ("validate", "transforms"): Differs(
        "transforms come with a later release: until then they are refused, by name", 200,
        ('"error_count": 1', "transforms are not supported by this release")),
}


# ---- cases ----

def all_cases():
    """The profile and the framework's keys, and each case with its answers."""
    outside = os.environ.get("TIDEGATE_CONFORMANCE")
    if not outside:
        first, *lines = OWN_CASES.read_text().splitlines()
        return json.loads(first), [json.loads(line) for line in lines]
    directory = Path(outside) / "connect-rest"
    read = lambda path: json.loads(path.read_text())
    head = {"profile": read(directory / "profiles" / f"{PROFILE}.json"), "framework": read(directory / "framework.json")}
    cases = []
    for path in sorted((directory / "requests").glob("*.json")):
        cases.append({"name": path.stem, "case": read(path), "golden": read(directory / "golden" / path.name)})
    return head, cases


def copy():
    if not os.environ.get("TIDEGATE_CONFORMANCE"):
        sys.exit("TIDEGATE_CONFORMANCE names no directory")
    head, cases = all_cases()
    lines = [json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in [head, *cases]]
    OWN_CASES.write_text("".join(lines))
    print(f"{len(cases)} cases in {OWN_CASES.relative_to(ROOT)}")


# ---- the place ----

class Place:
    """The embedded broker and S3, a server over them, and what the profile wants to be there."""

    def __init__(self, dir, profile):
        self.dir, self.processes = dir, []
        aws = dir / "local" / "aws"
        aws.mkdir(parents=True)
        everything = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
        user = {"access_keys": [{"id": KEY_ID, "secret": SECRET}], "policies": {"all": everything}}
        (aws / "aws.json").write_text(json.dumps({"accounts": {"444455556666": {"users": {"replay": user}}}}))
        self.start("local", "local", "--dir", dir / "local", "--kafka-listen", "127.0.0.1:0", "--aws-listen", "127.0.0.1:0")
        exports = self.until("tidegate local did not start", self.exports)
        self.endpoint, bootstrap = exports["AWS_ENDPOINT_URL"], exports["TIDEGATE_BOOTSTRAP_SERVERS"]
        self.secrets = dir / "conformance-secret.properties"
        self.secrets.write_text("tasks=1\npassword=hunter2\n")
        self.witness = Witness(bootstrap, self.endpoint, KEY_ID, SECRET)
        self.witness.create_bucket(BUCKET, REGION)
        self.witness.create_topics({name: {"partitions": count} for name, count in profile["topics"].items()})
        # As in the recording: all of them went to the first partition.
        records = [{"topic": topic, "value": json.dumps({"n": number}), "timestamp": 1_700_000_000_000 + number}
                   for topic, count in profile["records"].items() for number in range(count)]
        self.witness.produce(records)
        worker = {
            "bootstrap.servers": bootstrap, "offset.flush.interval.ms": 500,
            "key.converter": "org.apache.kafka.connect.storage.StringConverter",
            "value.converter": "org.apache.kafka.connect.storage.StringConverter",
            "config.providers": "file",
            "config.providers.file.class": "org.apache.kafka.common.config.provider.FileConfigProvider",
        }
        (dir / "worker.properties").write_text("".join(f"{key}={value}\n" for key, value in worker.items()))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        self.start("serve", "serve", "--listen", self.address, "--data-dir", dir / "data", "--worker",
                   dir / "worker.properties")
        self.until("tidegate serve did not start", self.answers)

    def start(self, name, *arguments):
        with open(self.dir / f"{name}.out", "w") as out, open(self.dir / f"{name}.log", "w") as log:
            self.processes.append(subprocess.Popen([BINARY, *arguments], stdin=subprocess.DEVNULL, stdout=out, stderr=log))

    def until(self, what, look):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and all(process.poll() is None for process in self.processes):
            found = look()
            if found:
                return found
            time.sleep(0.05)
        self.end()
        logs = "".join(path.read_text() for path in sorted(self.dir.glob("*.log")))
        sys.exit(f"{what}: {logs}")

    def exports(self):
        text = (self.dir / "local.out").read_text()
        return dict(re.findall(r"^export (\w+)=(\S+)$", text, re.M)) if "tidegate run" in text else None

    def answers(self):
        try:
            return self.ask("GET", "/healthz", {}, b"")[0] == 200
        except OSError:
            return False

    def ask(self, method, path, headers, body):
        connection = http.client.HTTPConnection(self.address, timeout=60)
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            if body or method in ("POST", "PUT", "PATCH"):
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
        finally:
            connection.close()

    def end(self):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


# ---- one case ----

def at(body, path):
    """What a dotted path leads to; None if to nothing."""
    for part in path.split("."):
        if isinstance(body, list) and part.isdigit() and int(part) < len(body):
            body = body[int(part)]
        elif isinstance(body, dict) and part in body:
            body = body[part]
        else:
            return None
    return body


def shape(body):
    if isinstance(body, dict):
        return {key: shape(value) for key, value in body.items()}
    if isinstance(body, list):
        shapes = []
        for item in map(shape, body):
            if item not in shapes:
                shapes.append(item)
        return shapes
    return None if body is None else type(body).__name__


class Replay:
    def __init__(self, place, head, recording, run):
        self.place, self.profile, self.framework = place, head["profile"], head["framework"]
        self.name, self.case = recording["name"], recording["case"]
        self.golden = {answer["id"]: answer for answer in recording["golden"]}
        self.connector = f"cf-{self.name}-{run}"
        sink = self.profile["sink"]
        self.sink = sink["class"]
        self.vars = dict(self.profile["vars"]) | {
            "c": self.connector, "SINK_CLASS": sink["class"], "SINK_SIMPLE": sink["simple"], "SINK_ALIAS": sink["alias"],
            "S3_ENDPOINT": place.endpoint, "S3_BUCKET": BUCKET, "S3_REGION": REGION, "S3_KEY": KEY_ID, "S3_SECRET": SECRET,
            "SECRET_FILE": str(place.secrets)}
        self.found, self.counts = [], {"same": 0, "agreed": 0, "different": 0}

    # Requests.

    def fill(self, value):
        if isinstance(value, str):
            return re.sub(r"\{\{(\w+)\}\}", lambda match: self.vars[match[1]], value)
        if isinstance(value, list):
            return [self.fill(item) for item in value]
        if not isinstance(value, dict):
            return value
        if "$sink" not in value:
            return {self.fill(key): self.fill(item) for key, item in value.items()}
        config = {"connector.class": self.sink, "topics": self.vars["TOPIC"], "tasks.max": "1"}
        config |= self.fill(self.profile["sink"]["config"])
        changes = dict(value["$sink"])
        for key in changes.pop("$drop", []):
            config.pop(key, None)
        return config | self.fill(changes)

    def ask(self, step):
        headers = {"Accept": "application/json"}
        body = b""
        if "raw" in step:
            body = self.fill(step["raw"]).encode()
        elif "body" in step:
            body = json.dumps(self.fill(step["body"])).encode()
        if body:
            headers["Content-Type"] = "application/json"
        headers |= step.get("headers", {})
        headers = {name: value for name, value in headers.items() if value != "<none>"}
        return self.place.ask(step["method"], self.fill(step["path"]).replace(" ", "%20"), headers, body)

    def wait(self, wait):
        deadline = time.monotonic() + wait.get("timeout", 60)
        last = None
        while time.monotonic() < deadline:
            status, _, body = last = self.ask({"method": "GET", "path": wait["path"]})
            if "status" in wait and status == wait["status"]:
                return
            if "until" in wait and status == 200:
                body = json.loads(body)
                held = ((at(body, self.fill(path)), self.fill(value)) for path, value in wait["until"].items())
                if all(found is not None if value == "<any>" else found == value for found, value in held):
                    return
            time.sleep(0.05)
        raise TimeoutError(f"{wait} was never so; at last {last}")

    # Answers, in the recordings' words.

    def plain_config(self, config):
        own = set(self.profile["sink"]["config"]) | set(self.profile["own_keys"])
        return {key: value for key, value in config.items() if key not in own or key in self.framework["keys"]}

    def is_framework(self, key):
        return key in self.framework["keys"] or key.startswith(("transforms.", "predicates."))

    def plain(self, body, key=None):
        if isinstance(body, list):
            if body and all(isinstance(item, dict) and "display_name" in item for item in body):
                # Definitions of a connector; those of other plugins have none of its keys.
                if any(item["name"] == "connector.class" for item in body):
                    body = [item for item in body if self.is_framework(item["name"])]
            if key == "configs":
                return {item["value"]["name"]: self.plain(item) for item in body
                        if self.is_framework(item["value"]["name"]) or item["value"]["errors"]}
            if key == "groups":
                known = lambda group: group in self.framework["groups"] or group.startswith(("Transforms: ", "Predicates: "))
                return [group for group in body if known(group)]
            if key == "recommended_values":
                return ["<classes>"] if body else []
            return [self.plain(item) for item in body]
        if isinstance(body, dict):
            if key == "config":
                tasks = "task.class" in body
                body = self.plain_config(body)
                # What a connector hands to its tasks is its own affair.
                body = {"task.class": "<task-class>"} if tasks else body
            body = {self.plain(name): self.plain(value, name) for name, value in body.items()}
            if "connector.class" in body:
                body = self.plain_config(body)
            for name, word in [("version", "<version>"), ("worker_id", "<worker-id>"), ("commit", "<commit>"),
                               ("kafka_cluster_id", "<cluster-id>"), ("documentation", "<doc>")]:
                if isinstance(body.get(name), str):
                    body[name] = word
            if isinstance(body.get("last_modified"), int):
                body["last_modified"] = "<ms>"
            if body.get("name") == "connector.plugin.version":
                for name in ("default_value", "value"):
                    if name in body:
                        body[name] = "<version>"
            return body
        if isinstance(body, str):
            body = body.replace(self.connector, f"cf-{self.name}-<run>").replace(self.sink, "<sink-class>")
            body = body.replace(str(self.place.secrets), self.profile["vars"]["SECRET_FILE"])
            body = re.sub(r"(available connectors are: ).*", r"\1<list>", body)
            return re.sub(r"(Connector config ).*( contains no connector type)", r"\1<config>\2", body, flags=re.S)
        return body

    def plain_headers(self, headers):
        plain = {}
        for name in ("content-type", "location", "allow"):
            if name in headers:
                plain[name] = headers[name].split(";")[0] if name == "content-type" else headers[name]
        if "location" in plain:
            place = plain["location"].replace(f"http://{self.place.address}", "<base>")
            plain["location"] = place.replace(self.connector, f"cf-{self.name}-<run>")
        return plain

    # Comparing.

    def compare(self, step, status, headers, text):
        golden = self.golden[step["id"]]
        try:
            body = json.loads(text) if text else None
        except ValueError:
            body = {"<text>": text.decode(errors="replace")}
        body = self.plain(body)
        differs = DIFFERENCES.get((self.name, step["id"]))
        if differs:
            told = json.dumps(body)
            wrong = [says for says in differs.says if says not in told]
            if status != differs.status or wrong:
                return [f"agreed is {differs}, answered was {status} {told[:2000]}"]
            return None
        if status != golden["status"]:
            if status not in step.get("also_status", []):
                return [f"status {status}, not {golden['status']}: {body}"]
            # A saner server's error: in Connect's shape all the same.
            return [] if isinstance(body, (dict, list)) or not text else [f"answered {body}"]
        strict = step.get("strict", "text")
        if strict == "status":
            return []
        wanted = golden["body"]
        if step.get("pick"):
            body = {key: body.get(key) for key in step["pick"]}
        if strict == "shape":
            theirs, ours = shape(wanted), shape(body)
            return [] if ours == theirs else [f"shape {ours}, not {theirs}"]
        found = []
        if body != wanted:
            message = (body or {}).get("message", "") if isinstance(body, dict) else ""
            if not any(re.fullmatch(also, message) for also in step.get("also_message", [])):
                found += first_difference(body, wanted)
        if self.plain_headers(headers) != golden["headers"]:
            found.append(f"headers {self.plain_headers(headers)}, not {golden['headers']}")
        return found

    def run(self):
        if "source" in self.case.get("needs", []):
            return "needs a source connector"
        for step in self.case.get("setup", []):
            self.step(step, False)
        for step in self.case["steps"]:
            self.step(step, True)
        return None

    def step(self, step, compared):
        if "wait" in step:
            return self.wait(step["wait"])
        status, headers, text = self.ask(step)
        deadline = time.monotonic() + 20
        while status in step.get("retry_on", []) and time.monotonic() < deadline:
            time.sleep(0.1)
            status, headers, text = self.ask(step)
        if not compared:
            if status >= 400:
                raise RuntimeError(f"the case could not be set up: {status} {text}")
            return None
        found = self.compare(step, status, headers, text)
        self.counts["agreed" if found is None else "different" if found else "same"] += 1
        self.found += [f"{step['id']}: {line}" for line in found or []]

    def tear_down(self):
        for step in self.case.get("teardown", []):
            self.ask(step)
        names = json.loads(self.place.ask("GET", "/connectors", {}, b"")[2])
        for name in names:
            from urllib.parse import quote
            self.place.ask("DELETE", "/connectors/" + quote(name, safe=""), {}, b"")


def first_difference(ours, theirs, path="body"):
    if isinstance(ours, dict) and isinstance(theirs, dict):
        found = []
        for key in sorted(ours.keys() | theirs.keys()):
            if key not in ours:
                found.append(f"{path}.{key} is missing, should be {json.dumps(theirs[key])[:300]}")
            elif key not in theirs:
                found.append(f"{path}.{key} is {json.dumps(ours[key])[:300]}, should not be there")
            else:
                found += first_difference(ours[key], theirs[key], f"{path}.{key}")
        return found[:5]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        return [line for n, pair in enumerate(zip(ours, theirs)) for line in first_difference(*pair, f"{path}[{n}]")][:5]
    return [] if ours == theirs else [f"{path} is {json.dumps(ours)[:600]}, should be {json.dumps(theirs)[:600]}"]


# ---- all of them ----

def main():
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    if wanted == "--copy":
        return copy()
    started, dir = time.monotonic(), Path(tempfile.mkdtemp(prefix="replay-"))
    head, cases = all_cases()
    cases = [case for case in cases if wanted in case["name"]]
    if not cases:
        sys.exit(f"no case holds {wanted!r} in its name")
    place = Place(dir, head["profile"])
    counts, failed = {"same": 0, "agreed": 0, "different": 0}, []
    try:
        for number, recording in enumerate(cases):
            replay = Replay(place, head, recording, f"r{number}")
            try:
                left_out = replay.run()
                if left_out:
                    print(f"{replay.name}: not asked, {left_out}")
            except Exception:
                replay.counts["different"] += 1
                replay.found.append(traceback.format_exc())
            finally:
                replay.tear_down()
            if replay.found:
                failed.append(replay.name)
                print(f"DIFFERENT {replay.name}", *replay.found, sep="\n    ", flush=True)
            elif wanted:
                print(f"{replay.name}: {replay.counts}", flush=True)
            for verdict, count in replay.counts.items():
                counts[verdict] += count
    finally:
        place.end()
    print(f"{sum(counts.values())} requests of {len(cases)} cases in {time.monotonic() - started:.0f} s: {counts['same']} the "
          f"same, {counts['agreed']} differ as documented, {counts['different']} different")
    if failed:
        print(f"files in {dir}")
        sys.exit(1)
    shutil.rmtree(dir)


if __name__ == "__main__":
    main()
