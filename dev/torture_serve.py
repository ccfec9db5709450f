"""Kills `tidegate serve` at random moments and looks what is left.

    dev/torture-serve [KILLS]     (default 20)

Environment
    TORTURE_SEED      chooses everything that chance decides here (what the processes make of it is their own)
    TIDEGATE_BIN      the binary; else it is built
    TIDEGATE_LOG      what serve logs

The embedded broker and the embedded AWS live through all of it. Three writers create, reconfigure, patch, pause, resume,
stop and delete connectors over REST, each its own, as fast as they are answered; a producer writes records, which a
connector called mover moves. Serve gets SIGKILL at a random moment, also while it starts, and is started again on the same
directory.

After each start: what was answered with success is there, exactly; what got no answer is there or is not, whole; nothing
else is there. At the end every record is in exactly one object.
"""
import http.client, json, os, random, re, shutil, signal, socket, subprocess, sys, tempfile, threading, time, urllib.request
from collections import Counter
from pathlib import Path

from confluent_kafka import Producer

ROOT = Path(__file__).resolve().parent.parent
KILLS = int(sys.argv[1]) if len(sys.argv) > 1 else 20
SEED = int(os.environ.get("TORTURE_SEED") or random.SystemRandom().randrange(1 << 32))
WRITERS, NAMES = 3, 4
dice = random.Random(SEED)


def say(text):
    print(f"{time.monotonic() - STARTED:7.1f} s  {text}", flush=True)


def binary():
    given = os.environ.get("TIDEGATE_BIN")
    if given:
        return given
    subprocess.run(["cargo", "build", "--quiet", "--bin", "tidegate"], cwd=ROOT, check=True)
    return str(Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / "tidegate")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Unanswered(Exception):
    """The request may have been done, or not."""


class Place:
    def __init__(self, dir):
        self.dir, self.tidegate, self.port, self.serving = dir, binary(), free_port(), None
        self.local = subprocess.Popen([self.tidegate, "local", "--dir", dir / "local", "--kafka-listen", "127.0.0.1:0",
                                       "--aws-listen", "127.0.0.1:0"], stdin=subprocess.DEVNULL,
                                      stdout=open(dir / "local.out", "w"), stderr=open(dir / "local.log", "w"))
        deadline = time.monotonic() + 30
        while not (dir / "local" / "orders.json").exists():
            if time.monotonic() > deadline or self.local.poll() is not None:
                sys.exit(f"tidegate local did not start; see {dir}/local.log")
            time.sleep(0.05)
        self.exports = dict(re.findall(r"^export (\w+)=(\S+)$", (dir / "local.out").read_text(), re.M))
        self.config = json.loads((dir / "local" / "orders.json").read_text())["config"]

    def serve(self):
        environment = {key: value for key, value in os.environ.items()
                       if key == "TIDEGATE_LOG" or not key.startswith(("AWS_", "TIDEGATE_"))}
        environment |= {key: value for key, value in self.exports.items() if key.startswith("AWS_")}
        self.serving = subprocess.Popen(
            [self.tidegate, "serve", "--listen", f"127.0.0.1:{self.port}", "--data-dir", self.dir / "data",
             "--bootstrap-server", self.exports["TIDEGATE_BOOTSTRAP_SERVERS"], "--memory", "64MiB"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open(self.dir / "serve.log", "a"), env=environment)

    def kill(self):
        self.serving.kill()
        self.serving.wait()

    def await_serve(self):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.serving.poll() is not None:
                sys.exit(f"serve ended by itself with {self.serving.returncode}; see {self.dir}/serve.log")
            try:
                return self.ask("GET", "/connectors")[1]
            except Unanswered:
                time.sleep(0.01)
        sys.exit(f"serve does not answer; see {self.dir}/serve.log")

    def ask(self, method, path, body=None, timeout=30):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            headers = {"Content-Type": "application/json"} if body is not None else {}
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text else None
        except (OSError, http.client.HTTPException) as error:
            raise Unanswered(str(error)) from error
        finally:
            connection.close()

    def end(self):
        for process in (self.serving, self.local):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()


class Truth:
    """What is known of one connector: the states of which one must be found. A state is None, or configuration and target."""

    def __init__(self):
        self.may_be = [None]

    @property
    def now(self):
        return self.may_be[-1]


class Writer(threading.Thread):
    """Changes its own connectors, one request at a time, until nobody answers."""

    def __init__(self, place, number, truths, seed):
        super().__init__(daemon=True)
        self.place, self.truths, self.dice, self.done, self.stop = place, truths, random.Random(seed), 0, False
        self.problem = None

    def run(self):
        try:
            while not self.stop and self.write():
                pass
        except Exception as error:  # told by the main thread
            self.problem = error

    def write(self):
        name = self.dice.choice(list(self.truths))
        truth = self.truths[name]
        method, path, body, then, wanted = self.choose(name, truth.now)
        truth.may_be = [truth.now, then]
        try:
            status, answer = self.place.ask(method, path, body)
        except Unanswered:
            return False
        if status not in wanted:
            if status in (409, 503):  # busy: refused, and nothing was done
                truth.may_be = truth.may_be[:1]
                return True
            raise AssertionError(f"{method} {path} got {status}: {answer}")
        truth.may_be = [then]
        self.done += 1
        return True

    def choose(self, name, now):
        config = self.place.config | {"name": name, "topics": f"nothing-{name}", "file.max.records": str(self.dice.randrange(1, 10**6))}
        if now is None:
            if self.dice.random() < 0.5:
                return "PUT", f"/connectors/{name}/config", config, (config, "RUNNING"), (201,)
            state = self.dice.choice(["RUNNING", "PAUSED", "STOPPED"])
            return "POST", "/connectors", {"name": name, "config": config, "initial_state": state}, (config, state), (201,)
        old, target = now
        draw = self.dice.random()
        if draw < 0.3:
            return "PUT", f"/connectors/{name}/config", config, (config, target), (200,)
        if draw < 0.5:
            patch = {"file.max.records": config["file.max.records"], "file.compression.type": None}
            patched = {key: value for key, value in (old | patch).items() if value is not None}
            return "PATCH", f"/connectors/{name}/config", patch, (patched, target), (200,)
        if draw < 0.6:
            return "PUT", f"/connectors/{name}/pause", None, (old, "PAUSED"), (202,)
        if draw < 0.7:
            return "PUT", f"/connectors/{name}/resume", None, (old, "RUNNING"), (202,)
        if draw < 0.8:
            return "PUT", f"/connectors/{name}/stop", None, (old, "STOPPED"), (204,)
        if draw < 0.85:
            return "POST", f"/connectors/{name}/restart", None, (old, target), (204,)
        return "DELETE", f"/connectors/{name}", None, None, (204,)


class Records(threading.Thread):
    """Produces orders until stopped; knows how many each partition has taken."""

    def __init__(self, bootstrap):
        super().__init__(daemon=True)
        self.producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5, "enable.idempotence": False})
        self.ends, self.stop, self.failed = Counter(), False, 0

    def run(self):
        number = 0
        while not self.stop:
            self.producer.produce("orders", json.dumps({"order": number}), key=str(number), on_delivery=self.delivered)
            number += 1
            self.producer.poll(0)
            time.sleep(0.005)
        self.producer.flush(30)

    def delivered(self, error, message):
        if error:
            self.failed += 1
        else:
            self.ends[message.partition()] = max(self.ends[message.partition()], message.offset() + 1)


def look(place, truths, quiet=True):
    """Holds what is there against what was accepted."""
    _, all = place.ask("GET", "/connectors?expand=info&expand=status")
    known = {name for name, truth in truths.items() if any(truth.may_be)} | {"mover"}
    if set(all) - known:
        raise AssertionError(f"there are {sorted(set(all) - known)}, which nobody made or which were deleted")
    if "mover" not in all:
        raise AssertionError("the mover is gone")
    for name, truth in truths.items():
        found = None
        if name in all:
            target = target_of(place, name)
            found = (all[name]["info"]["config"], target)
        if not any(found == state for state in truth.may_be):
            raise AssertionError(f"{name} is {found}, and should be one of {truth.may_be}")
        truth.may_be = [found]


def target_of(place, name):
    """What is wanted of it: told by what it comes to."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        _, status = place.ask("GET", f"/connectors/{name}/status")
        state = status["connector"]["state"]
        if state in ("PAUSED", "STOPPED"):
            return state
        if state in ("RUNNING", "UNASSIGNED", "FAILED"):
            # A start begins with what is wanted: what shall hold still never ran.
            return "RUNNING"
        time.sleep(0.01)
    raise AssertionError(f"{name} comes to nothing: {status}")


def count(place, ends):
    bucket = place.dir / "local" / "aws" / "s3" / "buckets" / "orders-archive" / "orders"
    import gzip
    seen = Counter()
    for path in (path for path in bucket.rglob("*") if path.is_file()):
        partition = int(path.name.split("-")[0])
        for line in gzip.decompress(path.read_bytes()).decode().splitlines():
            seen[partition, json.loads(line)["offset"]] += 1
    expected = {(partition, offset) for partition, end in ends.items() for offset in range(end)}
    lost, strange = len(expected - seen.keys()), len(seen.keys() - expected)
    doubled = sum(times - 1 for times in seen.values())
    say(f"{len(expected)} records: lost {lost}, doubled {doubled}, strange {strange}")
    return len(expected) > 0 and lost == doubled == strange == 0


def torture(place):
    place.serve()
    place.await_serve()
    mover = place.config | {"tidegate.rotate.interval.ms": "500", "consumer.override.session.timeout.ms": "6000",
                            "consumer.override.heartbeat.interval.ms": "500"}
    status, answer = place.ask("PUT", "/connectors/mover/config", mover)
    if status != 201:
        sys.exit(f"the mover was refused: {answer}")
    records = Records(place.exports["TIDEGATE_BOOTSTRAP_SERVERS"])
    records.start()
    truths = {f"w{writer}-{name}": Truth() for writer in range(WRITERS) for name in range(NAMES)}
    writes = early = 0
    for kill in range(KILLS):
        writers = [Writer(place, number, {name: truth for name, truth in truths.items() if name.startswith(f"w{number}-")},
                          dice.random()) for number in range(WRITERS)]
        for writer in writers:
            writer.start()
        time.sleep(dice.uniform(0.02, 0.6))
        place.kill()
        for writer in writers:
            writer.join(60)
            if writer.problem:
                raise writer.problem
            writes += writer.done
        place.serve()
        if dice.random() < 0.2:
            # While it starts.
            time.sleep(dice.uniform(0.0, 0.3))
            place.kill()
            place.serve()
            early += 1
        place.await_serve()
        look(place, truths)
        if (kill + 1) % 10 == 0:
            say(f"{kill + 1} killed, {early} more while starting, {writes} accepted writes, each of them there")
    if writes < KILLS:
        raise AssertionError(f"only {writes} writes were accepted: nothing is shown by that")
    records.stop = True
    records.join(60)
    if records.failed:
        sys.exit(f"{records.failed} records could not be produced")
    say(f"draining {sum(records.ends.values())} records")
    deadline = time.monotonic() + 120
    committed = {}
    while time.monotonic() < deadline:
        _, offsets = place.ask("GET", "/connectors/mover/offsets")
        committed = {one["partition"]["kafka_partition"]: one["offset"]["kafka_offset"] for one in offsets["offsets"]}
        if all(committed.get(partition, 0) >= end for partition, end in records.ends.items()):
            break
        time.sleep(0.2)
    else:
        raise AssertionError(f"the mover is at {committed}, and the ends are {dict(records.ends)}")
    place.serving.send_signal(signal.SIGTERM)
    if place.serving.wait(60):
        raise AssertionError(f"a graceful end gave {place.serving.returncode}")
    return count(place, records.ends)


def main():
    dir = Path(tempfile.mkdtemp(prefix="torture-serve-"))
    say(f"seed {SEED}, {KILLS} kills, files in {dir}")
    place, ok = Place(dir), False
    try:
        ok = torture(place)
    finally:
        place.end()
        if ok:
            shutil.rmtree(dir)
        else:
            say(f"FAILED; seed {SEED}, files in {dir}")
    sys.exit(0 if ok else 1)


STARTED = time.monotonic()
if __name__ == "__main__":
    main()
