"""Has `tidegate object` (argument 2) and boto3 with the aws CLI (argument 3) read what the other wrote, in the embedded AWS
(argument 1)."""

import json
import os
import subprocess
import sys
import tempfile

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

PROGRAM, TIDEGATE, CLI = sys.argv[1:4]
# Nothing of the machine's own configuration may leak into the clients.
for name in [name for name in os.environ if name.startswith(("AWS_", "TIDEGATE_"))]:
    del os.environ[name]
os.environ.update(AWS_EC2_METADATA_DISABLED="true", AWS_CONFIG_FILE="/dev/null", AWS_SHARED_CREDENTIALS_FILE="/dev/null")
passed, failed = 0, []
BIG = os.urandom(23 << 20)
SMALL = os.urandom(1000)


def check(name):
    """Runs a test when it is defined."""

    def run(test):
        global passed
        try:
            test()
            passed += 1
            print(f"ok      {name}")
        except Exception as error:  # every failure is reported, then the next test runs
            failed.append(name)
            print(f"FAILED  {name}: {type(error).__name__}: {error}")

    return run


server = subprocess.Popen([PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
said = json.loads(server.stdout.readline())
endpoint, keys = said["endpoint"], said["admin"]
config = Config(retries={"total_max_attempts": 1}, signature_version="s3v4")
s3 = boto3.client("s3", endpoint_url=endpoint, region_name="eu-central-1", aws_access_key_id=keys["key"],
                  aws_secret_access_key=keys["secret"], config=config)
s3.create_bucket(Bucket="desk", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
directory = tempfile.TemporaryDirectory()
here = directory.name
# In another region than the bucket: it is to be found.
with open(f"{here}/connections.toml", "w") as file:
    file.write(f"""[connections.desk]
kind = "keys"
region = "eu-west-1"
access_key_id = {{ env = "ID" }}
secret_access_key = {{ env = "SECRET" }}
fence = "check"
bucket = "desk"
endpoints = {{ s3 = "{endpoint}", sts = "{endpoint}" }}
""")
for name, content in (("big", BIG), ("small", SMALL), ("empty", b"")):
    with open(f"{here}/{name}", "wb") as file:
        file.write(content)


def tidegate(*arguments, **more):
    variables = {**os.environ, "ID": keys["key"], "SECRET": keys["secret"], "TIDEGATE_CONNECTION": "desk",
                 "TIDEGATE_CONNECTIONS": f"{here}/connections.toml", "TIDEGATE_STATE_DIR": f"{here}/state"}
    done = subprocess.run([TIDEGATE, *arguments], env=variables, capture_output=True, cwd=here, timeout=60, **more)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def told(*arguments):
    return json.loads(tidegate(*arguments, "-o", "json"))


def cli(*arguments, **more):
    variables = {**os.environ, "AWS_ACCESS_KEY_ID": keys["key"], "AWS_SECRET_ACCESS_KEY": keys["secret"],
                 "AWS_ENDPOINT_URL": endpoint, "AWS_DEFAULT_REGION": "eu-central-1"}
    done = subprocess.run([CLI, *arguments], env=variables, capture_output=True, cwd=here, timeout=60, **more)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def read(name):
    with open(f"{here}/{name}", "rb") as file:
        return file.read()


@check("the aws CLI and boto3 read what we put, in one piece and in parts, with all that belongs to it")
def _():
    for name, content in (("big", BIG), ("small", SMALL), ("empty", b"")):
        for checksum in ("crc64nvme", "crc32c", "none"):
            tidegate("object", "put", name, f"s3://desk/ours/{name}", "--content-type", "text/x", "--metadata", "run=7",
                     "--tag", "team=a b", "--sse", "sse-s3", "--storage-class", "STANDARD_IA", "--checksum", checksum)
            # The client compares the checksum by itself.
            cli("s3", "cp", f"s3://desk/ours/{name}", "back")
            assert read("back") == content
            head = s3.head_object(Bucket="desk", Key=f"ours/{name}", ChecksumMode="ENABLED")
            assert (head["ContentType"], head["Metadata"], head["ServerSideEncryption"], head["StorageClass"]) == \
                ("text/x", {"run": "7"}, "AES256", "STANDARD_IA"), head
            assert checksum == "none" or f"Checksum{checksum.upper()}" in head, head
            tags = s3.get_object_tagging(Bucket="desk", Key=f"ours/{name}")["TagSet"]
            assert tags == [{"Key": "team", "Value": "a b"}], tags
            assert s3.get_object(Bucket="desk", Key=f"ours/{name}")["Body"].read() == content


def checksums_of(name):
    head = s3.head_object(Bucket="desk", Key=f"theirs/{name}", ChecksumMode="ENABLED")
    return [(field, value) for field, value in head.items() if field.startswith("Checksum") and field != "ChecksumType"]


@check("we read what the aws CLI and boto3 put, and compare their checksums")
def _():
    for name, content in (("big", BIG), ("small", SMALL), ("empty", b"")):
        cli("s3", "cp", name, f"s3://desk/theirs/{name}", "--content-type", "text/y", "--metadata", "run=8", "--sse", "AES256")
        got = told("object", "get", f"s3://desk/theirs/{name}", "back")
        whole = all("-" not in value for field, value in checksums_of(name))
        assert read("back") == content and got["verified"].startswith("CRC" if whole else "size"), got
        head = told("object", "head", f"s3://desk/theirs/{name}")
        assert (head["content_type"], head["metadata"], head["encryption"]) == ("text/y", {"run": "8"}, "AES256"), head
        assert tidegate("object", "cat", f"s3://desk/theirs/{name}") == content
    # Composite: the parts' checksums have a checksum. There only the size can be compared.
    for algorithm, verified in (("CRC32", "CRC32"), ("SHA256", "size")):
        s3.put_object(Bucket="desk", Key="summed", Body=SMALL, ChecksumAlgorithm=algorithm)
        assert told("object", "get", "s3://desk/summed", "back")["verified"] == verified
    parts = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20)
    s3.upload_file(f"{here}/big", "desk", "composite", Config=parts, ExtraArgs={"ChecksumAlgorithm": "SHA256"})
    assert told("object", "get", "s3://desk/composite", "back")["verified"] == "size" and read("back") == BIG


@check("standard input and output on both sides, and names with everything in them")
def _():
    for key in ("plain", "a b/c+d", "\u00fc/%20", "x&y=z?#", "trailing/", "dots/../up", "a//b", "'\"<>;"):
        tidegate("object", "put", "-", "--key", key, input=SMALL)
        assert s3.get_object(Bucket="desk", Key=key)["Body"].read() == SMALL, key
        assert cli("s3api", "head-object", "--bucket", "desk", "--key", key)
        s3.put_object(Bucket="desk", Key=key, Body=b"other")
        assert tidegate("object", "cat", "--key", key) == b"other", key
        to = f"copied/{key}".rstrip("/")
        tidegate("object", "copy", "--key", key, "--to-key", to)
        assert s3.get_object(Bucket="desk", Key=to)["Body"].read() == b"other", key
    listed = [object["Key"] for object in s3.list_objects_v2(Bucket="desk")["Contents"]]
    assert [object["key"] for object in told("object", "list")["objects"]] == listed


@check("tags, moves, links and deletes are the same from both sides")
def _():
    s3.put_object(Bucket="desk", Key="t", Body=SMALL, Tagging="a=1&b=2")
    assert told("object", "tag", "get", "--key", "t")["tags"] == {"a": "1", "b": "2"}
    tidegate("object", "tag", "put", "--key", "t", "--tag", "c=x y")
    assert s3.get_object_tagging(Bucket="desk", Key="t")["TagSet"] == [{"Key": "c", "Value": "x y"}]
    tidegate("object", "move", "--key", "t", "--to-key", "u")
    assert s3.get_object_tagging(Bucket="desk", Key="u")["TagSet"] == [{"Key": "c", "Value": "x y"}]
    tidegate("object", "tag", "delete", "--key", "u")
    assert s3.get_object_tagging(Bucket="desk", Key="u")["TagSet"] == []
    link = told("object", "presign", "--key", "u")["url"]
    assert subprocess.run(["curl", "-sf", link], capture_output=True).stdout == SMALL
    link = told("object", "presign", "--key", "v", "--put", "--content-type", "text/csv")["url"]
    subprocess.run(["curl", "-sf", "-T", f"{here}/small", "-H", "content-type: text/csv", link], check=True)
    assert s3.head_object(Bucket="desk", Key="v")["ContentType"] == "text/csv"
    for number in range(1001):
        s3.put_object(Bucket="desk", Key=f"many/{number}", Body=b"")
    assert told("object", "delete", "--recursive", "s3://desk/many/", "--yes")["deleted"] == 1001
    assert "Contents" not in s3.list_objects_v2(Bucket="desk", Prefix="many/")


@check("versions are listed, read, and deleted one by one")
def _():
    s3.put_bucket_versioning(Bucket="desk", VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket="desk", Key="v", Body=b"first")["VersionId"]
    stored = json.loads(tidegate("object", "put", "small", "--key", "v", "-o", "json"))
    assert s3.get_object(Bucket="desk", Key="v", VersionId=stored["version_id"])["Body"].read() == SMALL
    assert tidegate("object", "cat", "--key", "v", "--version-id", first) == b"first"
    tidegate("object", "copy", "--key", "v", "--version-id", first, "--to-key", "back")
    assert s3.get_object(Bucket="desk", Key="back")["Body"].read() == b"first"
    tidegate("object", "delete", "--key", "v")
    versions = s3.list_object_versions(Bucket="desk", Prefix="v")
    assert len(versions["DeleteMarkers"]) == 1
    tidegate("object", "delete", "--key", "v", "--version-id", first)
    left = [version["VersionId"] for version in s3.list_object_versions(Bucket="desk", Prefix="v")["Versions"]]
    assert first not in left and stored["version_id"] in left, left


server.stdin.close()
server.wait(timeout=20)
directory.cleanup()
print(f"{passed} passed, {len(failed)} failed")
sys.exit(1 if failed else 0)
