"""Drives the embedded AWS (argument 1: its program) with boto3 and the aws CLI (argument 2: its program)."""

import base64
import datetime
import hashlib
import io
import json
import os
import socket
import subprocess
import sys
import tempfile
import urllib.request
import zlib

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError, CredentialRetrievalError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from iam_rolesanywhere_session import CredentialsRetrievalError, IAMRolesAnywhereSession

PROGRAM, CLI = sys.argv[1:3]
# Nothing of the machine's own configuration may leak into the clients.
for name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[name]
os.environ.update(AWS_EC2_METADATA_DISABLED="true", AWS_CONFIG_FILE="/dev/null", AWS_SHARED_CREDENTIALS_FILE="/dev/null")

passed, failed = 0, []


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


def refused(code, call, status=None, text=None):
    try:
        call()
    except ClientError as error:
        answer = error.response
        assert answer["Error"]["Code"] == code, answer["Error"]
        assert status is None or answer["ResponseMetadata"]["HTTPStatusCode"] == status, answer["ResponseMetadata"]
        assert text is None or text in answer["Error"]["Message"], answer["Error"]
        return
    raise AssertionError(f"not refused with {code}")


class Server:
    def __init__(self, directory=None, trust_anchor=None):
        args = [PROGRAM] + ([directory] if directory else []) + (["--trust-anchor", trust_anchor] if trust_anchor else [])
        self.process = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.said = json.loads(self.process.stdout.readline())
        self.endpoint = self.said["endpoint"]

    def stop(self):
        self.process.stdin.close()
        self.process.wait(timeout=20)

    def client(self, service, who, token=None, region="us-east-1", **config):
        keys = self.said[who] if isinstance(who, str) else who
        config = {"retries": {"total_max_attempts": 1}, "signature_version": "v4" if service != "s3" else "s3v4", **config}
        return boto3.client(
            service,
            endpoint_url=config.pop("endpoint", self.endpoint),
            region_name=region,
            aws_access_key_id=keys["key"],
            aws_secret_access_key=keys["secret"],
            aws_session_token=token or keys.get("token"),
            config=Config(**config),
        )

    def local(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.endpoint}/_local/{path}", data=data, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
            return json.loads(text) if text else None

    def assume(self, **more):
        # Not checked by the client: it is the server that is to refuse.
        sts = self.client("sts", "vendor", parameter_validation=False)
        arguments = {"RoleArn": self.said["role"], "RoleSessionName": "check", **more}
        answer = sts.assume_role(**arguments)["Credentials"]
        return {"key": answer["AccessKeyId"], "secret": answer["SecretAccessKey"], "token": answer["SessionToken"]}


# Not every resolver knows that all of `.localhost` is this machine.
resolve = socket.getaddrinfo
socket.getaddrinfo = lambda host, *more, **named: resolve(
    "127.0.0.1" if str(host).endswith(".localhost") else host, *more, **named)

server = Server()
s3 = server.client("s3", "admin")
right_id = server.said["external_id"]


@check("create, list, locate and delete buckets")
def _():
    s3.create_bucket(Bucket="first")
    ireland = server.client("s3", "admin", region="eu-west-1")
    ireland.create_bucket(Bucket="second", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    assert {"first", "lake", "second"} <= {b["Name"] for b in s3.list_buckets()["Buckets"]}
    assert s3.get_bucket_location(Bucket="first")["LocationConstraint"] is None
    assert ireland.get_bucket_location(Bucket="second")["LocationConstraint"] == "eu-west-1"
    assert ireland.head_bucket(Bucket="second")["BucketRegion"] == "eu-west-1"
    refused("BucketAlreadyOwnedByYou", lambda: ireland.create_bucket(
        Bucket="second", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}), 409)
    refused("InvalidBucketName", lambda: s3.create_bucket(Bucket="127.0.0.1"), 400)
    refused("NoSuchBucket", lambda: s3.get_object(Bucket="nowhere", Key="k"), 404)
    s3.put_object(Bucket="first", Key="k")
    refused("BucketNotEmpty", lambda: s3.delete_bucket(Bucket="first"), 409)
    s3.delete_object(Bucket="first", Key="k")
    s3.delete_bucket(Bucket="first")


@check("put, get, head, range and delete an object")
def _():
    body = os.urandom(300_000)
    put = s3.put_object(Bucket="lake", Key="a/b c+é", Body=body, Metadata={"tidegate-cut": "c1"}, ContentType="text/x",
                        CacheControl="no-store")
    assert put["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    got = s3.get_object(Bucket="lake", Key="a/b c+é")
    assert got["Body"].read() == body and got["Metadata"] == {"tidegate-cut": "c1"}
    assert got["ContentType"] == "text/x" and got["CacheControl"] == "no-store"
    head = s3.head_object(Bucket="lake", Key="a/b c+é")
    assert head["ContentLength"] == len(body) and head["ServerSideEncryption"] == "AES256"
    part = s3.get_object(Bucket="lake", Key="a/b c+é", Range="bytes=100-199")
    assert part["Body"].read() == body[100:200] and part["ContentRange"] == f"bytes 100-199/{len(body)}"
    assert s3.get_object(Bucket="lake", Key="a/b c+é", Range="bytes=-5")["Body"].read() == body[-5:]
    refused("InvalidRange", lambda: s3.get_object(Bucket="lake", Key="a/b c+é", Range="bytes=300000-"), 416)
    refused("304", lambda: s3.get_object(Bucket="lake", Key="a/b c+é", IfNoneMatch=put["ETag"]), 304)
    refused("PreconditionFailed", lambda: s3.get_object(Bucket="lake", Key="a/b c+é", IfMatch='"x"'), 412)
    s3.delete_object(Bucket="lake", Key="a/b c+é")
    s3.delete_object(Bucket="lake", Key="a/b c+é")
    refused("NoSuchKey", lambda: s3.get_object(Bucket="lake", Key="a/b c+é"), 404)
    refused("404", lambda: s3.head_object(Bucket="lake", Key="a/b c+é"), 404)
    s3.put_object(Bucket="lake", Key="empty")
    assert s3.get_object(Bucket="lake", Key="empty")["Body"].read() == b""


@check("every checksum, in headers and in trailers, right and wrong")
def _():
    for algorithm in ["CRC32", "SHA1", "SHA256"]:
        s3.put_object(Bucket="lake", Key="sum", Body=b"123456789", ChecksumAlgorithm=algorithm)
        got = s3.get_object(Bucket="lake", Key="sum", ChecksumMode="ENABLED")
        assert got[f"Checksum{algorithm}"] and got["Body"].read() == b"123456789"
    for algorithm, right in [("CRC32C", "4waSgw=="), ("CRC64NVME", "rosUhgp5mIg=")]:
        s3.put_object(Bucket="lake", Key="sum", Body=b"123456789", **{f"Checksum{algorithm}": right})
        assert s3.head_object(Bucket="lake", Key="sum", ChecksumMode="ENABLED")[f"Checksum{algorithm}"] == right
        refused("BadDigest", lambda: s3.put_object(
            Bucket="lake", Key="sum", Body=b"12345678", **{f"Checksum{algorithm}": right}), 400)
    refused("BadDigest", lambda: s3.put_object(Bucket="lake", Key="sum", Body=b"x",
            ContentMD5=base64.b64encode(hashlib.md5(b"y").digest()).decode()), 400)
    refused("InvalidDigest", lambda: s3.put_object(Bucket="lake", Key="sum", Body=b"x", ContentMD5="eA=="), 400)


@check("list with prefix, delimiter, pages, both versions")
def _():
    keys = [f"list/{day}/{n}" for day in ["a", "b", "c"] for n in range(3)] + ["list/z", "list/ü &<"]
    for key in keys:
        s3.put_object(Bucket="lake", Key=key, Body=b"x")
    for version in ["list_objects", "list_objects_v2"]:
        pages = s3.get_paginator(version).paginate(Bucket="lake", Prefix="list/", PaginationConfig={"PageSize": 2})
        assert [o["Key"] for page in pages for o in page.get("Contents", [])] == sorted(keys, key=str.encode)
        pages = list(s3.get_paginator(version).paginate(
            Bucket="lake", Prefix="list/", Delimiter="/", PaginationConfig={"PageSize": 1}))
        assert [p["Prefix"] for page in pages for p in page.get("CommonPrefixes", [])] == ["list/a/", "list/b/", "list/c/"]
        assert [o["Key"] for page in pages for o in page.get("Contents", [])] == ["list/z", "list/ü &<"]
    answer = s3.list_objects_v2(Bucket="lake", Prefix="list/", StartAfter="list/b/9", MaxKeys=1)
    assert answer["Contents"][0]["Key"] == "list/c/0" and answer["IsTruncated"]
    assert s3.list_objects_v2(Bucket="lake", MaxKeys=0)["KeyCount"] == 0
    deleted = s3.delete_objects(Bucket="lake", Delete={"Objects": [{"Key": key} for key in keys]})
    assert {d["Key"] for d in deleted["Deleted"]} == set(keys)
    assert "Contents" not in s3.list_objects_v2(Bucket="lake", Prefix="list/")


@check("upload in parts, list them, complete and abort")
def _():
    five = 5 << 20
    begun = s3.create_multipart_upload(Bucket="lake", Key="big", Metadata={"a": "b"}, ContentType="text/y")
    where = {"Bucket": "lake", "Key": "big", "UploadId": begun["UploadId"]}
    bodies = {1: os.urandom(five), 2: os.urandom(five), 7: b"end"}
    parts = []
    for number, body in bodies.items():
        tag = s3.upload_part(**where, PartNumber=number, Body=body)["ETag"]
        parts.append({"PartNumber": number, "ETag": tag})
    refused("404", lambda: s3.head_object(Bucket="lake", Key="big"))
    assert [p["PartNumber"] for p in s3.list_parts(**where)["Parts"]] == [1, 2, 7]
    assert s3.list_parts(**where, MaxParts=1)["NextPartNumberMarker"] == 1
    assert s3.list_multipart_uploads(Bucket="lake", Prefix="bi")["Uploads"][0]["UploadId"] == begun["UploadId"]
    def complete(parts, **more):
        return s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts}, **more)
    refused("InvalidPartOrder", lambda: complete([parts[1], parts[0]]), 400)
    refused("InvalidPart", lambda: complete([{**parts[0], "ETag": '"0"'}]), 400)
    refused("InvalidPart", lambda: complete([{**parts[0], "PartNumber": 3}]), 400)
    s3.upload_part(**where, PartNumber=3, Body=b"small")
    small = next(p for p in s3.list_parts(**where)["Parts"] if p["PartNumber"] == 3)
    refused("EntityTooSmall", lambda: complete(
        [parts[0], {"PartNumber": 3, "ETag": small["ETag"]}, parts[2]]), 400)
    s3.put_object(Bucket="lake", Key="big", Body=b"there first")
    refused("PreconditionFailed", lambda: complete(parts, IfNoneMatch="*"), 412)
    done = complete(parts)
    digest = hashlib.md5(b"".join(hashlib.md5(body).digest() for body in bodies.values())).hexdigest()
    assert done["ETag"] == f'"{digest}-3"', done["ETag"]
    got = s3.get_object(Bucket="lake", Key="big")
    assert got["Body"].read() == b"".join(bodies.values())
    assert got["Metadata"] == {"a": "b"} and got["ContentType"] == "text/y"
    refused("NoSuchUpload", lambda: complete(parts), 404)
    refused("NoSuchUpload", lambda: s3.upload_part(**where, PartNumber=1, Body=b"late"), 404)
    begun = s3.create_multipart_upload(Bucket="lake", Key="given-up")
    where = {"Bucket": "lake", "Key": "given-up", "UploadId": begun["UploadId"]}
    s3.abort_multipart_upload(**where)
    refused("NoSuchUpload", lambda: s3.abort_multipart_upload(**where), 404)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket="lake")


@check("checksums of uploads in parts, composite and of the whole")
def _():
    five, tail = os.urandom(5 << 20), b"end"
    for algorithm, kind in [("CRC32", "COMPOSITE"), ("CRC32", "FULL_OBJECT"), ("SHA256", "COMPOSITE")]:
        begun = s3.create_multipart_upload(
            Bucket="lake", Key="summed", ChecksumAlgorithm=algorithm, ChecksumType=kind)
        where = {"Bucket": "lake", "Key": "summed", "UploadId": begun["UploadId"]}
        parts = []
        for number, body in [(1, five), (2, tail)]:
            part = s3.upload_part(**where, PartNumber=number, Body=body, ChecksumAlgorithm=algorithm)
            field = f"Checksum{algorithm}"
            parts.append({"PartNumber": number, "ETag": part["ETag"], field: part[field]})
        done = s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
        if kind == "FULL_OBJECT":
            crc = zlib.crc32(five + tail).to_bytes(4, "big")
            assert done["ChecksumCRC32"] == base64.b64encode(crc).decode()
        else:
            assert done[f"Checksum{algorithm}"].endswith("-2")
    refused("InvalidRequest", lambda: s3.create_multipart_upload(
        Bucket="lake", Key="summed", ChecksumAlgorithm="SHA256", ChecksumType="FULL_OBJECT"), 400)


@check("the transfer manager uploads and downloads a large file")
def _():
    body = os.urandom(20 << 20)
    config = TransferConfig(multipart_threshold=8 << 20, multipart_chunksize=5 << 20, max_concurrency=4)
    s3.upload_fileobj(io.BytesIO(body), "lake", "managed", Config=config)
    out = io.BytesIO()
    s3.download_fileobj("lake", "managed", out, Config=config)
    assert out.getvalue() == body


@check("copy an object and a part of it")
def _():
    body = os.urandom(6 << 20)
    s3.put_object(Bucket="lake", Key="from here", Body=body, Metadata={"a": "1"})
    s3.copy_object(Bucket="lake", Key="to", CopySource={"Bucket": "lake", "Key": "from here"})
    got = s3.get_object(Bucket="lake", Key="to")
    assert got["Body"].read() == body and got["Metadata"] == {"a": "1"}
    s3.copy_object(Bucket="lake", Key="to", CopySource="lake/from here", MetadataDirective="REPLACE",
                   Metadata={"b": "2"})
    assert s3.head_object(Bucket="lake", Key="to")["Metadata"] == {"b": "2"}
    refused("InvalidRequest", lambda: s3.copy_object(Bucket="lake", Key="to", CopySource="lake/to"), 400)
    refused("NoSuchKey", lambda: s3.copy_object(Bucket="lake", Key="to", CopySource="lake/none"), 404)
    begun = s3.create_multipart_upload(Bucket="lake", Key="joined")
    where = {"Bucket": "lake", "Key": "joined", "UploadId": begun["UploadId"]}
    first = s3.upload_part_copy(**where, PartNumber=1, CopySource="lake/from here", CopySourceRange="bytes=0-5242879")
    last = s3.upload_part(**where, PartNumber=2, Body=b"tail")
    s3.complete_multipart_upload(**where, MultipartUpload={"Parts": [
        {"PartNumber": 1, "ETag": first["CopyPartResult"]["ETag"]}, {"PartNumber": 2, "ETag": last["ETag"]}]})
    assert s3.get_object(Bucket="lake", Key="joined")["Body"].read() == body[:5242880] + b"tail"


@check("conditional writes")
def _():
    s3.put_object(Bucket="lake", Key="once", Body=b"1", IfNoneMatch="*")
    refused("PreconditionFailed", lambda: s3.put_object(Bucket="lake", Key="once", Body=b"2", IfNoneMatch="*"), 412)
    tag = s3.head_object(Bucket="lake", Key="once")["ETag"]
    s3.put_object(Bucket="lake", Key="once", Body=b"3", IfMatch=tag)
    refused("PreconditionFailed", lambda: s3.put_object(Bucket="lake", Key="once", Body=b"4", IfMatch=tag), 412)
    refused("NoSuchKey", lambda: s3.put_object(Bucket="lake", Key="never", Body=b"4", IfMatch=tag), 404)
    assert s3.get_object(Bucket="lake", Key="once")["Body"].read() == b"3"


@check("server side encryption with a key of KMS, which must be there and let one use it")
def _():
    kms = server.client("kms", "admin")
    key = kms.create_key(Description="of check")["KeyMetadata"]["Arn"]
    s3.put_object(Bucket="lake", Key="kms", ServerSideEncryption="aws:kms", SSEKMSKeyId=key, Body=b"secret")
    head = s3.head_object(Bucket="lake", Key="kms")
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key)
    refused("InvalidEncryptionAlgorithmError", lambda: s3.put_object(Bucket="lake", Key="kms", ServerSideEncryption="x"))
    refused("KMS.NotFoundException", lambda: s3.put_object(
        Bucket="lake", Key="kms", ServerSideEncryption="aws:kms", SSEKMSKeyId="key-1"), 400)
    refused("AccessControlListNotSupported", lambda: s3.put_object(Bucket="lake", Key="kms", ACL="public-read"), 400)
    mine = server.client("s3", server.assume(ExternalId=right_id))
    refused("AccessDenied", lambda: mine.get_object(Bucket="lake", Key="kms"), 403, "kms:Decrypt")
    refused("AccessDenied", lambda: mine.put_object(
        Bucket="lake", Key="kms", ServerSideEncryption="aws:kms", SSEKMSKeyId=key), 403, "kms:GenerateDataKey")
    # Its policy lets the account decide, so a grant is what a role of other people's gets.
    role = server.said["role"]
    grant = kms.create_grant(KeyId=key, GranteePrincipal=role, Operations=["Decrypt"])
    assert mine.get_object(Bucket="lake", Key="kms")["Body"].read() == b"secret"
    assert [g["Operations"] for g in kms.list_grants(KeyId=key)["Grants"]] == [["Decrypt"]]
    kms.revoke_grant(KeyId=key, GrantId=grant["GrantId"])
    refused("AccessDenied", lambda: mine.get_object(Bucket="lake", Key="kms"), 403)
    kms.disable_key(KeyId=key)
    refused("KMS.DisabledException", lambda: s3.get_object(Bucket="lake", Key="kms"), 400)
    refused("NotFoundException", lambda: kms.describe_key(KeyId="alias/none"), 400)


@check("tags of objects")
def _():
    s3.put_object(Bucket="lake", Key="tagged", Tagging="a=b&c=d%20e")
    read = lambda: {t["Key"]: t["Value"] for t in s3.get_object_tagging(Bucket="lake", Key="tagged")["TagSet"]}
    assert read() == {"a": "b", "c": "d e"}
    s3.put_object_tagging(Bucket="lake", Key="tagged", Tagging={"TagSet": [{"Key": "x", "Value": "y"}]})
    assert read() == {"x": "y"}
    s3.delete_object_tagging(Bucket="lake", Key="tagged")
    assert read() == {}


@check("versions: what is replaced or deleted stays")
def _():
    s3.create_bucket(Bucket="kept")
    s3.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
    assert s3.get_bucket_versioning(Bucket="kept")["Status"] == "Enabled"
    first = s3.put_object(Bucket="kept", Key="k", Body=b"1")["VersionId"]
    s3.put_object(Bucket="kept", Key="k", Body=b"2")
    gone = s3.delete_object(Bucket="kept", Key="k")
    assert gone["DeleteMarker"]
    refused("NoSuchKey", lambda: s3.get_object(Bucket="kept", Key="k"), 404)
    refused("MethodNotAllowed", lambda: s3.get_object(Bucket="kept", Key="k", VersionId=gone["VersionId"]), 405)
    assert s3.get_object(Bucket="kept", Key="k", VersionId=first)["Body"].read() == b"1"
    pages = list(s3.get_paginator("list_object_versions").paginate(Bucket="kept", PaginationConfig={"PageSize": 1}))
    found = [v["VersionId"] for page in pages for v in page.get("Versions", []) + page.get("DeleteMarkers", [])]
    assert len(found) == 3 and len(set(found)) == 3, found
    refused("BucketNotEmpty", lambda: s3.delete_bucket(Bucket="kept"), 409)
    s3.delete_objects(Bucket="kept", Delete={"Objects": [{"Key": "k", "VersionId": v} for v in found]})
    s3.delete_bucket(Bucket="kept")


@check("a bucket policy lets in and keeps out")
def _():
    vendor = server.client("s3", "vendor")
    s3.put_object(Bucket="lake", Key="shared/k", Body=b"1")
    refused("NoSuchBucketPolicy", lambda: s3.get_bucket_policy(Bucket="lake"), 404)
    policy = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::lake/shared/*"},
        {"Effect": "Allow", "Principal": {"AWS": "222222222222"}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::lake/shared/*"}]}
    s3.put_bucket_policy(Bucket="lake", Policy=json.dumps(policy))
    assert len(json.loads(s3.get_bucket_policy(Bucket="lake")["Policy"])["Statement"]) == 2
    # The vendor's user may do nothing in S3 by his own account.
    refused("AccessDenied", lambda: vendor.get_object(Bucket="lake", Key="shared/k"), 403, "Access Denied")
    refused("AccessDenied", lambda: s3.put_object(Bucket="lake", Key="shared/k"), 403, "explicit deny in a resource-based policy")
    public = {"Version": "2012-10-17", "Statement": [{**policy["Statement"][1], "Principal": "*"}]}
    refused("AccessDenied", lambda: s3.put_bucket_policy(Bucket="lake", Policy=json.dumps(public)), 403, "BlockPublicPolicy")
    refused("MalformedPolicy", lambda: s3.put_bucket_policy(Bucket="lake", Policy="{}"), 400)
    s3.delete_bucket_policy(Bucket="lake")
    s3.put_object(Bucket="lake", Key="shared/k", Body=b"2")


@check("IAM: users, keys, roles, policies, profiles, providers")
def _():
    iam = server.client("iam", "admin")
    user = iam.create_user(UserName="ana", Path="/team/", Tags=[{"Key": "a", "Value": "b"}])["User"]
    assert user["Arn"] == "arn:aws:iam::111111111111:user/team/ana" and user["UserId"].startswith("AIDA")
    key = iam.create_access_key(UserName="ana")["AccessKey"]
    ana = {"key": key["AccessKeyId"], "secret": key["SecretAccessKey"]}
    assert server.client("sts", ana).get_caller_identity()["UserId"] == user["UserId"]
    refused("AccessDenied", lambda: server.client("iam", ana).get_user(), 403, "is not authorized to perform: iam:GetUser")
    iam.attach_user_policy(UserName="ana", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    assert server.client("iam", ana).get_user()["User"]["Tags"] == [{"Key": "a", "Value": "b"}]
    trust = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": user["Arn"]}, "Action": "sts:AssumeRole"}]}
    refused("MalformedPolicyDocument", lambda: iam.create_role(RoleName="r", AssumeRolePolicyDocument="{}"), 400)
    none = json.dumps(trust).replace("team/ana", "none")
    refused("MalformedPolicyDocument", lambda: iam.create_role(RoleName="r", AssumeRolePolicyDocument=none), 400,
            'Invalid principal in policy: "AWS":"arn:aws:iam::111111111111:user/none"')
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(trust), MaxSessionDuration=7200)["Role"]
    assert role["AssumeRolePolicyDocument"] == trust and role["MaxSessionDuration"] == 7200
    refused("EntityAlreadyExists", lambda: iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(trust)), 409)
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]}
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=json.dumps(document))
    assert iam.get_role_policy(RoleName="r", PolicyName="p")["PolicyDocument"] == document
    managed = iam.create_policy(PolicyName="m", PolicyDocument=json.dumps(document))["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="r", PolicyArn=managed)
    iam.put_role_permissions_boundary(RoleName="r", PermissionsBoundary=managed)
    assert iam.get_role(RoleName="r")["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"] == managed
    assert iam.get_policy_version(PolicyArn=managed, VersionId="v1")["PolicyVersion"]["Document"] == document
    assert [p["PolicyName"] for p in iam.list_attached_role_policies(RoleName="r")["AttachedPolicies"]] == ["m"]
    assert iam.list_role_policies(RoleName="r")["PolicyNames"] == ["p"]
    assert {"r", "orders"} <= {r["RoleName"] for page in iam.get_paginator("list_roles").paginate(
        PaginationConfig={"PageSize": 1}) for r in page["Roles"]}
    sts = server.client("sts", ana)
    assume = lambda: sts.assume_role(RoleArn=role["Arn"], RoleSessionName="check", DurationSeconds=7200)
    assert assume()["AssumedRoleUser"]["AssumedRoleId"] == role["RoleId"] + ":check"
    # Who is made anew under a trusted name is not trusted.
    iam.detach_user_policy(UserName="ana", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    refused("DeleteConflict", lambda: iam.delete_user(UserName="ana"), 409)
    iam.delete_access_key(UserName="ana", AccessKeyId=ana["key"])
    iam.delete_user(UserName="ana")
    refused("InvalidClientTokenId", assume, 403)
    iam.create_user(UserName="ana", Path="/team/")
    again = iam.create_access_key(UserName="ana")["AccessKey"]
    sts = server.client("sts", {"key": again["AccessKeyId"], "secret": again["SecretAccessKey"]})
    refused("AccessDenied", assume, 403)
    shown = iam.get_role(RoleName="r")["Role"]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["AWS"]
    assert shown == user["UserId"], shown
    iam.update_assume_role_policy(RoleName="r", PolicyDocument=json.dumps(trust))
    assume()
    iam.create_instance_profile(InstanceProfileName="i")
    iam.add_role_to_instance_profile(InstanceProfileName="i", RoleName="r")
    assert iam.get_instance_profile(InstanceProfileName="i")["InstanceProfile"]["Roles"][0]["RoleName"] == "r"
    refused("DeleteConflict", lambda: iam.delete_role(RoleName="r"), 409)
    arn = iam.create_open_id_connect_provider(Url="https://idp.example", ClientIDList=["sts.amazonaws.com"])[
        "OpenIDConnectProviderArn"]
    assert iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)["ClientIDList"] == ["sts.amazonaws.com"]
    refused("NoSuchEntity", lambda: iam.get_role(RoleName="none"), 404, "The role with name none cannot be found.")


@check("an edit of trust takes the time that it is given, and sessions can be revoked")
def _():
    server.local("PUT", "propagation", {"seconds": 3600})
    iam = server.client("iam", "admin")
    trust = iam.get_role(RoleName="orders")["Role"]["AssumeRolePolicyDocument"]
    open_to_nobody = json.loads(json.dumps(trust).replace(right_id, "another"))
    iam.update_assume_role_policy(RoleName="orders", PolicyDocument=json.dumps(open_to_nobody))
    assert iam.get_role(RoleName="orders")["Role"]["AssumeRolePolicyDocument"] == open_to_nobody
    old = server.client("s3", server.assume(ExternalId=right_id))
    server.local("PUT", "propagation", {"seconds": 0})
    iam.update_assume_role_policy(RoleName="orders", PolicyDocument=json.dumps(open_to_nobody))
    refused("AccessDenied", lambda: server.assume(ExternalId=right_id), 403)
    iam.update_assume_role_policy(RoleName="orders", PolicyDocument=json.dumps(trust))
    old.put_object(Bucket="lake", Key="still", Body=b"1")
    server.local("POST", "revoke", {"role": server.said["role"]})
    refused("AccessDenied", lambda: old.put_object(Bucket="lake", Key="still"), 403, "explicit deny")
    iam.delete_role_policy(RoleName="orders", PolicyName="AWSRevokeOlderSessions")
    old.put_object(Bucket="lake", Key="still", Body=b"1")


@check("STS: sessions of users, keys' accounts, refusals explained")
def _():
    sts = server.client("sts", "admin")
    session = sts.get_session_token(DurationSeconds=900)["Credentials"]
    session = {"key": session["AccessKeyId"], "secret": session["SecretAccessKey"], "token": session["SessionToken"]}
    mine = server.client("sts", session)
    assert mine.get_caller_identity()["Arn"] == "arn:aws:iam::111111111111:user/admin"
    refused("AccessDenied", lambda: mine.get_session_token(), 403, "Cannot call GetSessionToken with session credentials")
    refused("InvalidClientTokenId", lambda: server.client("iam", session).list_users(), 403)
    assert sts.get_access_key_info(AccessKeyId=server.said["vendor"]["key"])["Account"] == "222222222222"
    assert sts.get_access_key_info(AccessKeyId=session["key"])["Account"] == "111111111111"
    try:
        server.client("kms", server.assume(ExternalId=right_id)).list_keys()
        raise AssertionError("not refused")
    except ClientError as error:
        message = error.response["ResponseMetadata"]["HTTPHeaders"]["x-tidegate-authorization-message"]
    decoded = json.loads(sts.decode_authorization_message(EncodedMessage=message)["DecodedMessage"])
    assert decoded["context"]["action"] == "kms:ListKeys", decoded
    refused("InvalidAuthorizationMessageException", lambda: sts.decode_authorization_message(EncodedMessage="x"), 400)


@check("presigned URLs work, expire and cannot be changed")
def _():
    s3.put_object(Bucket="lake", Key="signed url", Body=b"hello")
    url = s3.generate_presigned_url("get_object", {"Bucket": "lake", "Key": "signed url"}, ExpiresIn=60)
    assert urllib.request.urlopen(url, timeout=10).read() == b"hello"
    for wrong in [url.replace("signed%20url", "other"), url.replace("X-Amz-Expires=60", "X-Amz-Expires=61")]:
        try:
            urllib.request.urlopen(wrong, timeout=10)
            raise AssertionError("a changed URL works")
        except urllib.error.HTTPError as error:
            assert error.code == 403 and b"SignatureDoesNotMatch" in error.read()
    server.local("POST", "faults", {"operation": "GetObject", "count": 1, "effect": {"clock_skew": {"seconds": 61}}})
    try:
        urllib.request.urlopen(url, timeout=10)
        raise AssertionError("an expired URL works")
    except urllib.error.HTTPError as error:
        assert error.code == 403 and b"Request has expired" in error.read()
    put = s3.generate_presigned_url("put_object", {"Bucket": "lake", "Key": "by url"}, ExpiresIn=60)
    request = urllib.request.Request(put, data=b"put", method="PUT", headers={"content-type": ""})
    assert urllib.request.urlopen(request, timeout=10).status == 200
    assert s3.get_object(Bucket="lake", Key="by url")["Body"].read() == b"put"


@check("virtual-host style")
def _():
    endpoint = server.endpoint.replace("127.0.0.1", "localhost")
    virtual = server.client("s3", "admin", endpoint=endpoint, s3={"addressing_style": "virtual"})
    virtual.put_object(Bucket="lake", Key="virtual/key", Body=b"v")
    assert s3.get_object(Bucket="lake", Key="virtual/key")["Body"].read() == b"v"


@check("who am I, as user and as session")
def _():
    me = server.client("sts", "admin").get_caller_identity()
    assert me["Arn"] == "arn:aws:iam::111111111111:user/admin" and me["UserId"].startswith("AIDA")
    session = server.client("sts", server.assume(ExternalId=right_id)).get_caller_identity()
    assert session["Arn"] == "arn:aws:sts::111111111111:assumed-role/orders/check"
    assert session["UserId"].startswith("AROA") and session["UserId"].endswith(":check")


@check("the right external id is let in; absent and wrong ones are not")
def _():
    server.assume(ExternalId=right_id)
    text = "User: arn:aws:iam::222222222222:user/app is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::111111111111:role/orders"
    refused("AccessDenied", lambda: server.assume(), 403, text)
    refused("AccessDenied", lambda: server.assume(ExternalId="acme-8a1"), 403, text)
    admin = server.client("sts", "admin")
    refused("AccessDenied", lambda: admin.assume_role(
        RoleArn=server.said["role"], RoleSessionName="check", ExternalId=right_id), 403)
    refused("AccessDenied", lambda: server.assume(RoleArn=server.said["role"] + "x", ExternalId=right_id), 403)


@check("parameters of AssumeRole are held to their limits")
def _():
    for code, text, more in [
        ("ValidationError", "greater than or equal to 900", {"DurationSeconds": 899}),
        ("ValidationError", "MaxSessionDuration", {"DurationSeconds": 3601}),
        ("ValidationError", "'roleSessionName' failed to satisfy constraint", {"RoleSessionName": "a b"}),
        ("ValidationError", "'roleSessionName' failed to satisfy constraint", {"RoleSessionName": "a" * 65}),
        ("ValidationError", "less than or equal to 2048", {"Policy": " " * 2049}),
        ("MalformedPolicyDocument", "", {"Policy": "{}"}),
        ("AccessDenied", "sts:TagSession", {"Tags": [{"Key": "a", "Value": "b"}]}),
        ("AccessDenied", "sts:SetSourceIdentity", {"SourceIdentity": "ana"}),
    ]:
        refused(code, lambda: server.assume(ExternalId=right_id, **more), text=text)


@check("a session does what its role may and no more; a session policy narrows it")
def _():
    mine = server.client("s3", server.assume(ExternalId=right_id))
    mine.put_object(Bucket="lake", Key="mine", Body=b"1")
    assert mine.get_object(Bucket="lake", Key="mine")["Body"].read() == b"1"
    refused("AccessDenied", lambda: mine.delete_object(Bucket="lake", Key="mine"), 403,
            'is not authorized to perform: s3:DeleteObject on resource: "arn:aws:s3:::lake/mine" because no identity-based policy allows the s3:DeleteObject action')
    refused("AccessDenied", lambda: mine.list_objects_v2(Bucket="lake"), 403)
    # Without the right to list the bucket, what is missing looks like what is forbidden.
    refused("403", lambda: mine.head_object(Bucket="lake", Key="missing"), 403)
    refused("AccessDenied", lambda: mine.get_object(Bucket="lake", Key="missing"), 403)
    policy = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::lake/a/*"}}
    narrow = server.client("s3", server.assume(ExternalId=right_id, Policy=json.dumps(policy)))
    narrow.put_object(Bucket="lake", Key="a/1", Body=b"1")
    refused("AccessDenied", lambda: narrow.put_object(Bucket="lake", Key="b/1", Body=b"1"), 403, "no session policy")
    refused("AccessDenied", lambda: narrow.delete_object(Bucket="lake", Key="a/1"), 403, "no identity-based policy")


@check("an expired session is refused in the words of each service")
def _():
    session = server.assume(ExternalId=right_id, DurationSeconds=900)
    server.local("POST", "faults", {"count": 2, "effect": {"clock_skew": {"seconds": 901}}})
    skewed = server.client("s3", session)
    refused("ExpiredToken", lambda: skewed.put_object(Bucket="lake", Key="late"), 400, "The provided token has expired.")
    refused("ExpiredToken", lambda: server.client("sts", session).get_caller_identity(), 403,
            "The security token included in the request is expired")
    skewed.put_object(Bucket="lake", Key="in time")
    server.local("POST", "faults", {"count": 1, "effect": "expire_session"})
    refused("ExpiredToken", lambda: skewed.put_object(Bucket="lake", Key="late"), 400)
    refused("ExpiredToken", lambda: skewed.put_object(Bucket="lake", Key="late"), 400)


@check("wrong keys, tokens, regions and clocks are refused")
def _():
    admin = server.said["admin"]
    put = {"Bucket": "lake", "Key": "no", "Body": b"x"}
    cases = [
        ("InvalidAccessKeyId", 403, {"key": "AKIAAAAAAAAAAAAAAAAA", "secret": "x"}),
        ("SignatureDoesNotMatch", 403, {**admin, "secret": "wrong"}),
        ("InvalidToken", 400, {**admin, "token": "nonsense"}),
        ("InvalidToken", 400, {**server.assume(ExternalId=right_id), "key": admin["key"]}),
    ]
    for code, status, who in cases:
        refused(code, lambda: server.client("s3", who).put_object(**put), status)
    stolen = {k: v for k, v in server.assume(ExternalId=right_id).items() if k != "token"}
    refused("InvalidAccessKeyId", lambda: server.client("s3", stolen).put_object(**put), 403)
    refused("InvalidClientTokenId", lambda: server.client("sts", cases[0][2]).get_caller_identity(), 403)
    refused("SignatureDoesNotMatch", lambda: server.client("sts", cases[1][2]).get_caller_identity(), 403)
    for skew in [-1000, 1000]:
        server.local("POST", "faults", {"operation": "PutObject", "count": 1, "effect": {"clock_skew": {"seconds": skew}}})
        refused("RequestTimeTooSkewed", lambda: s3.put_object(**put), 403)
    refused("AccessDenied", lambda: s3.put_object(**put, ExpectedBucketOwner="222222222222"), 403)
    refused("501", lambda: server.client("dynamodb", "admin").list_tables(), 501)


@check("faults: slow down, reset with and without effect, truncation, error in a 200")
def _():
    def strike(operation, effect):
        server.local("POST", "faults", {"operation": operation, "count": 1, "effect": effect})
    strike("PutObject", {"error": {"code": "SlowDown"}})
    refused("SlowDown", lambda: s3.put_object(Bucket="lake", Key="struck", Body=b"1"), 503)
    refused("404", lambda: s3.head_object(Bucket="lake", Key="struck"))
    for applied in [False, True]:
        strike("PutObject", {"reset": {"applied": applied}})
        try:
            s3.put_object(Bucket="lake", Key=f"reset {applied}", Body=b"1")
            raise AssertionError("no reset")
        except ClientError:
            raise
        except Exception as error:
            assert "onnection" in str(error), error
        keys = [o["Key"] for o in s3.list_objects_v2(Bucket="lake", Prefix="reset ").get("Contents", [])]
        assert keys == (["reset True"] if applied else []), keys
    strike("GetObject", "truncate_body")
    body = s3.get_object(Bucket="lake", Key="managed")["Body"]
    try:
        body.read()
        raise AssertionError("not truncated")
    except AssertionError:
        raise
    except Exception as error:
        assert "ncomplete" in type(error).__name__ + str(error) or "onnection" in str(error), repr(error)
    begun = s3.create_multipart_upload(Bucket="lake", Key="in 200")
    where = {"Bucket": "lake", "Key": "in 200", "UploadId": begun["UploadId"]}
    tag = s3.upload_part(**where, PartNumber=1, Body=b"1")["ETag"]
    strike("CompleteMultipartUpload", {"error_in_body": {"code": "InternalError"}})
    refused("InternalError", lambda: s3.complete_multipart_upload(
        **where, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": tag}]}))
    s3.complete_multipart_upload(**where, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": tag}]})
    counts = server.local("GET", "requests")
    assert counts["PutObject"]["SlowDown"] == 1 and counts["PutObject"]["reset"] == 2, counts["PutObject"]
    server.local("DELETE", "faults")


@check("the aws CLI copies, lists, presigns and assumes")
def _():
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL": server.endpoint,
        "AWS_ACCESS_KEY_ID": server.said["admin"]["key"],
        "AWS_SECRET_ACCESS_KEY": server.said["admin"]["secret"],
        # In the oldest regions the CLI still presigns in a way that AWS has given up.
        "AWS_DEFAULT_REGION": "eu-central-1",
    }

    def aws(*arguments):
        ran = subprocess.run([CLI, *arguments], env=environment, capture_output=True, text=True, timeout=60)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    with tempfile.TemporaryDirectory() as directory:
        large = os.path.join(directory, "large")
        with open(large, "wb") as out:
            out.write(os.urandom(18 << 20))
        aws("s3", "mb", "s3://by-cli")
        aws("s3", "cp", large, "s3://by-cli/in/large")
        assert "in/large" in aws("s3", "ls", "s3://by-cli", "--recursive")
        aws("s3", "cp", "s3://by-cli/in/large", large + ".back")
        assert open(large, "rb").read() == open(large + ".back", "rb").read()
        aws("s3", "sync", directory, "s3://by-cli/synced")
        assert aws("s3", "ls", "s3://by-cli/synced/").count("large") == 2
        url = aws("s3", "presign", "s3://by-cli/in/large").strip()
        assert len(urllib.request.urlopen(url, timeout=10).read()) == 18 << 20
        aws("s3", "rb", "--force", "s3://by-cli")
    made = json.loads(aws("iam", "create-user", "--user-name", "by-cli", "--output", "json"))
    assert made["User"]["Arn"] == "arn:aws:iam::111111111111:user/by-cli"
    assert "orders" in aws("iam", "list-roles", "--query", "Roles[].RoleName", "--output", "text")
    aws("iam", "put-user-policy", "--user-name", "by-cli", "--policy-name", "p", "--policy-document", json.dumps(
        {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}))
    assert "KeyId" in aws("kms", "create-key", "--output", "json")
    aws("s3api", "put-object", "--bucket", "lake", "--key", "by-cli", "--server-side-encryption", "aws:kms")
    assert json.loads(aws("sts", "get-caller-identity", "--output", "json"))["Account"] == "111111111111"
    environment.update(AWS_ACCESS_KEY_ID=server.said["vendor"]["key"], AWS_SECRET_ACCESS_KEY=server.said["vendor"]["secret"])
    session = json.loads(aws("sts", "assume-role", "--role-arn", server.said["role"], "--role-session-name", "cli",
                             "--external-id", right_id, "--output", "json"))
    assert session["AssumedRoleUser"]["Arn"].endswith("assumed-role/orders/cli")
    expires = datetime.datetime.fromisoformat(session["Credentials"]["Expiration"].replace("Z", "+00:00"))
    assert 3500 < (expires - datetime.datetime.now(datetime.timezone.utc)).total_seconds() <= 3600


@check("a directory survives a restart: keys, role, sessions, objects, unfinished uploads")
def _():
    with tempfile.TemporaryDirectory() as directory:
        before = Server(directory)
        first = before.client("s3", "admin")
        body = os.urandom(6 << 20)
        first.put_object(Bucket="lake", Key="kept/one", Body=b"old")
        first.put_object(Bucket="lake", Key="kept/one", Body=body, Metadata={"a": "b"})
        first.put_object(Bucket="lake", Key="kept", Body=b"a file where a directory is")
        first.put_object(Bucket="lake", Key="gone", Body=b"x")
        first.delete_object(Bucket="lake", Key="gone")
        begun = first.create_multipart_upload(Bucket="lake", Key="kept/two")
        where = {"Bucket": "lake", "Key": "kept/two", "UploadId": begun["UploadId"]}
        tags = [first.upload_part(**where, PartNumber=1, Body=body)["ETag"]]
        session = before.assume(ExternalId=right_id)
        assert oct(os.stat(os.path.join(directory, "aws.json")).st_mode)[-3:] == "600"
        before.process.kill()
        before.process.wait(timeout=20)
        # A line that was being written when the process died.
        with open(os.path.join(directory, "s3", "journal.jsonl"), "a") as journal:
            journal.write('{"event":"object_put","buck')
        after = Server(directory)
        # Ports and tokens are new ones.
        changing = {"endpoint", "keyless"}
        assert {k: v for k, v in after.said.items() if k not in changing} == {k: v for k, v in before.said.items() if k not in changing}
        second = after.client("s3", "admin")
        got = second.get_object(Bucket="lake", Key="kept/one")
        assert got["Body"].read() == body and got["Metadata"] == {"a": "b"}
        assert second.get_object(Bucket="lake", Key="kept")["Body"].read() == b"a file where a directory is"
        refused("404", lambda: second.head_object(Bucket="lake", Key="gone"))
        after.client("s3", session).put_object(Bucket="lake", Key="by old session", Body=b"1")
        tags.append(second.upload_part(**where, PartNumber=2, Body=b"tail")["ETag"])
        second.complete_multipart_upload(**where, MultipartUpload={"Parts": [
            {"PartNumber": n + 1, "ETag": tag} for n, tag in enumerate(tags)]})
        assert second.get_object(Bucket="lake", Key="kept/two")["Body"].read() == body + b"tail"
        after.stop()
        left = [os.path.join(at, name) for at, _, names in os.walk(os.path.join(directory, "s3")) for name in names]
        assert not [path for path in left if "/tmp/" in path.replace(directory, "") or "/uploads/" in path], left
        with open(os.path.join(directory, "s3", "buckets", "lake", "kept", "two"), "rb") as there:
            assert there.read() == body + b"tail"


def issue(common, key, issuer=None, issuer_key=None, ca=False):
    """A certificate, or an authority that has issued itself."""
    now = datetime.datetime.now(datetime.timezone.utc)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer.subject if issuer else subject)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
    builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    usages = dict.fromkeys(["content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only",
                            "decipher_only"], False)
    builder = builder.add_extension(
        x509.KeyUsage(digital_signature=not ca, key_cert_sign=ca, crl_sign=ca, **usages), critical=True)
    return builder.sign(issuer_key or key, hashes.SHA256())


def in_environment(variables, use):
    """Runs `use` with these variables, as a session that finds its own credentials."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        return use(boto3.Session(region_name="us-east-1"))
    finally:
        os.environ.clear()
        os.environ.update(before)


def writes(session, where):
    client = session.client("s3", endpoint_url=where.endpoint)
    client.put_object(Bucket="lake", Key="keyless", Body=b"x")
    return session.client("sts", endpoint_url=where.endpoint).get_caller_identity()["Arn"]


with tempfile.TemporaryDirectory() as directory:
    root_key = ec.generate_private_key(ec.SECP256R1())
    root = issue("Check root", root_key, ca=True)
    middle_key = rsa.generate_private_key(65537, 2048)
    middle = issue("Check middle", middle_key, root, root_key, ca=True)
    anchor = os.path.join(directory, "root.pem")
    with open(anchor, "wb") as file:
        file.write(root.public_bytes(serialization.Encoding.PEM))
    keyless = Server(trust_anchor=anchor)
    ways = keyless.said["keyless"]

    @check("boto3 as an instance, by the second version of the protocol alone")
    def _():
        imds = {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": keyless.endpoint + "/",
                "AWS_EC2_METADATA_V1_DISABLED": "true"}
        assert ":assumed-role/host/i-" in in_environment(imds, lambda session: writes(session, keyless))

    @check("boto3 as a container, with its token and not without")
    def _():
        container = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": ways["container"]["uri"]}
        right = {**container, "AWS_CONTAINER_AUTHORIZATION_TOKEN": ways["container"]["token"]}
        assert ":assumed-role/host/" in in_environment(right, lambda session: writes(session, keyless))
        try:
            in_environment(container, lambda session: writes(session, keyless))
        except CredentialRetrievalError:
            return
        raise AssertionError("credentials without a token")

    @check("boto3 as a service account")
    def _():
        token = os.path.join(directory, "token")
        with open(token, "w") as file:
            file.write(ways["web_identity"])
        variables = {"AWS_WEB_IDENTITY_TOKEN_FILE": token, "AWS_ROLE_ARN": ways["role"], "AWS_ROLE_SESSION_NAME": "boto",
                     "AWS_ENDPOINT_URL": keyless.endpoint}
        assert in_environment(variables, lambda session: writes(session, keyless)).endswith(":assumed-role/host/boto")

    @check("the aws CLI as an instance")
    def _():
        variables = {**os.environ, "AWS_EC2_METADATA_DISABLED": "false", "AWS_DEFAULT_REGION": "us-east-1",
                     "AWS_EC2_METADATA_SERVICE_ENDPOINT": keyless.endpoint + "/", "AWS_ENDPOINT_URL": keyless.endpoint}
        said = subprocess.run([CLI, "sts", "get-caller-identity"], env=variables, capture_output=True, text=True, timeout=60)
        assert ":assumed-role/host/i-" in said.stdout, said

    def anywhere(key, certificate, chain=None, **more):
        """AWS's own Roles Anywhere client. It knows https alone, and the embedded AWS has no certificate."""
        pem = lambda thing: thing.public_bytes(serialization.Encoding.PEM)
        secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        client = IAMRolesAnywhereSession(
            profile_arn=ways["roles_anywhere"]["profile"], role_arn=ways["role"],
            trust_anchor_arn=ways["roles_anywhere"]["trust_anchor"], certificate=pem(certificate), private_key=secret,
            certificate_chain=pem(chain) if chain else None, region="us-east-1",
            endpoint=keyless.endpoint.removeprefix("http://"), **more)
        send = client._session.send

        def plainly(request):
            request.url = request.url.replace("https://", "http://")
            return send(request)

        client._session.send = plainly
        return client.get_session()

    @check("AWS's Roles Anywhere client with RSA and EC keys, with a chain, and with a name")
    def _():
        for key in (rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1()),
                    ec.generate_private_key(ec.SECP384R1())):
            certificate = issue("worker", key, root, root_key)
            who = writes(anywhere(key, certificate), keyless)
            assert who.endswith(f":assumed-role/host/{certificate.serial_number:x}"), who
        chained = issue("worker", key, middle, middle_key)
        writes(anywhere(key, chained, middle), keyless)
        who = writes(anywhere(key, chained, middle, role_session_name="worker-1"), keyless)
        assert who.endswith(":assumed-role/host/worker-1"), who

    @check("AWS's Roles Anywhere client is refused without the chain, and with another authority's certificate")
    def _():
        key = ec.generate_private_key(ec.SECP256R1())
        for certificate in (issue("worker", key, middle, middle_key), issue("worker", key, issue("other", middle_key, ca=True), middle_key)):
            try:
                writes(anywhere(key, certificate), keyless)
            except CredentialsRetrievalError as error:
                assert error.status_code == 403 and "Untrusted" in error.message, error
                continue
            raise AssertionError("not refused")

    keyless.stop()

server.stop()
print(f"{passed} passed, {len(failed)} failed")
sys.exit(1 if failed else 0)
