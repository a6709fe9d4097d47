"""Stock boto3 and the object store: transfers in parts, conditional writes, presigned URLs, listings, errors by class.

Started by run.mjs. Presigned URLs are used by urllib, which knows nothing of AWS.
"""

import concurrent.futures
import hashlib
import os
import tempfile
import time
import urllib.error
import urllib.request

import boto3
from boto3.s3.transfer import TransferConfig
from boto3_checks import ENDPOINT, check, client, equal, finish, refused
from botocore.config import Config
from botocore.exceptions import ClientError

PLAIN = urllib.request.build_opener(urllib.request.ProxyHandler({}))
s3 = client("s3")
bucket = "conformance-boto3"


@check("R200 s3: bucket, object, metadata, waiters, copy, tags")
def _():
    s3.create_bucket(Bucket=bucket)
    s3.get_waiter("bucket_exists").wait(Bucket=bucket)
    put = s3.put_object(Bucket=bucket, Key="odd/ü +&%#?.txt", Body="grüße\n".encode(), Metadata={"run": "17"}, ContentType="text/x-log")
    equal(put["ETag"], '"' + hashlib.md5("grüße\n".encode()).hexdigest() + '"')
    got = s3.get_object(Bucket=bucket, Key="odd/ü +&%#?.txt")
    equal((got["Body"].read().decode(), got["Metadata"], got["ContentType"]), ("grüße\n", {"run": "17"}, "text/x-log"))
    s3.get_waiter("object_exists").wait(Bucket=bucket, Key="odd/ü +&%#?.txt")
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "odd/ü +&%#?.txt"})
    s3.put_object_tagging(Bucket=bucket, Key="copy", Tagging={"TagSet": [{"Key": "a", "Value": "b c"}]})
    equal(s3.get_object_tagging(Bucket=bucket, Key="copy")["TagSet"], [{"Key": "a", "Value": "b c"}])


@check("R200 s3 upload_file and download_file in parts, whole and ranged; checksums hold")
def _():
    data = os.urandom(17 * 1024 * 1024 + 5)
    config = TransferConfig(multipart_threshold=6 * 1024 * 1024, multipart_chunksize=5 * 1024 * 1024, max_concurrency=4)
    with tempfile.TemporaryDirectory() as folder:
        source, target = os.path.join(folder, "source"), os.path.join(folder, "target")
        with open(source, "wb") as file:
            file.write(data)
        s3.upload_file(source, bucket, "parts.bin", Config=config)
        s3.download_file(bucket, "parts.bin", target, Config=config)
        with open(target, "rb") as file:
            assert file.read() == data, "the bytes differ"
    assert s3.head_object(Bucket=bucket, Key="parts.bin")["ETag"].endswith('-4"')
    equal(s3.get_object(Bucket=bucket, Key="parts.bin", Range="bytes=-7")["Body"].read(), data[-7:])
    equal(s3.get_object(Bucket=bucket, Key="parts.bin", PartNumber=2)["Body"].read(), data[5 * 1024 * 1024 : 10 * 1024 * 1024])


@check("R200 s3 multipart by hand: list_parts, abort leaves nothing, a wrong part is refused")
def _():
    upload = s3.create_multipart_upload(Bucket=bucket, Key="by-hand")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="by-hand", UploadId=upload, PartNumber=1, Body=b"x" * 1000)
    equal([row["Size"] for row in s3.list_parts(Bucket=bucket, Key="by-hand", UploadId=upload)["Parts"]], [1000])
    refused("InvalidPart", s3.complete_multipart_upload, Bucket=bucket, Key="by-hand", UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": '"00000000000000000000000000000000"'}]})
    assert part["ETag"]
    s3.abort_multipart_upload(Bucket=bucket, Key="by-hand", UploadId=upload)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    refused("NoSuchUpload", s3.upload_part, Bucket=bucket, Key="by-hand", UploadId=upload, PartNumber=1, Body=b"x")


@check("R200 s3 conditional writes and reads")
def _():
    first = s3.put_object(Bucket=bucket, Key="lock", Body=b"1", IfNoneMatch="*")
    refused("PreconditionFailed", s3.put_object, Bucket=bucket, Key="lock", Body=b"2", IfNoneMatch="*")
    s3.put_object(Bucket=bucket, Key="lock", Body=b"3", IfMatch=first["ETag"])
    refused("PreconditionFailed", s3.put_object, Bucket=bucket, Key="lock", Body=b"4", IfMatch=first["ETag"])
    now = s3.get_object(Bucket=bucket, Key="lock")
    equal(now["Body"].read(), b"3")
    refused("304", s3.get_object, Bucket=bucket, Key="lock", IfNoneMatch=now["ETag"])


@check("R200 s3 one of twenty concurrent if-none-match writers wins")
def _():
    def write(index):
        try:
            s3.put_object(Bucket=bucket, Key="race", Body=str(index).encode(), IfNoneMatch="*")
            return 1
        except ClientError as error:
            assert error.response["Error"]["Code"] in ("PreconditionFailed", "ConditionalRequestConflict"), error
            return 0

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        equal(sum(pool.map(write, range(20))), 1)


@check("R200 s3 presigned GET and PUT by urllib, in both signature versions; tampered and expired ones are refused")
def _():
    what = {"Bucket": bucket, "Key": "by url/ü.txt"}
    v4 = client("s3", config={"signature_version": "s3v4"})
    put = v4.generate_presigned_url("put_object", Params=what, ExpiresIn=60)
    equal(PLAIN.open(urllib.request.Request(put, data=b"through a URL", method="PUT")).status, 200)
    # What boto3 makes by default depends on its release and the region; both kinds are in use.
    for signer in (s3, v4, client("s3", config={"signature_version": "s3"})):
        good = signer.generate_presigned_url("get_object", Params={**what, "ResponseContentType": "text/x-log"}, ExpiresIn=60)
        answer = PLAIN.open(good)
        equal((answer.read(), answer.headers["Content-Type"]), (b"through a URL", "text/x-log"))
        late = signer.generate_presigned_url("get_object", Params=what, ExpiresIn=1)
        time.sleep(2.1)
        for bad in (late, good.replace("by%20url", "by%20URL"), good.replace("x-log", "html"), put.replace("by%20url", "by%20URL")):
            try:
                PLAIN.open(bad)
                raise AssertionError(f"accepted: {bad}")
            except urllib.error.HTTPError as error:
                equal(error.code, 403)


@check("R200 s3 listings: paginator, delimiter, start-after; delete_objects")
def _():
    keys = sorted([f"list/{index:03}" for index in range(45)] + ["list/sub/a", "list/sub/ü&b", "list/z+z"], key=lambda key: key.encode())
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: s3.put_object(Bucket=bucket, Key=key, Body=b""), keys))
    pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="list/", PaginationConfig={"PageSize": 10}))
    equal([row["Key"] for page in pages for row in page["Contents"]], keys)
    equal(len(pages), 5)
    flat = s3.list_objects_v2(Bucket=bucket, Prefix="list/", Delimiter="/", StartAfter="list/043")
    equal([row["Key"] for row in flat["Contents"]], ["list/044", "list/z+z"])
    equal([row["Prefix"] for row in flat["CommonPrefixes"]], ["list/sub/"])
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys]})
    equal(s3.list_objects_v2(Bucket=bucket, Prefix="list/")["KeyCount"], 0)


@check("R200 s3 errors by exception class")
def _():
    for expected, call in {
        s3.exceptions.NoSuchBucket: lambda: s3.list_objects_v2(Bucket="none-such-bucket-at-all"),
        s3.exceptions.NoSuchKey: lambda: s3.get_object(Bucket=bucket, Key="none"),
        s3.exceptions.NoSuchUpload: lambda: s3.abort_multipart_upload(Bucket=bucket, Key="none", UploadId="none"),
    }.items():
        try:
            call()
            raise AssertionError(f"accepted; expected {expected.__name__}")
        except expected:
            pass
    refused("404", s3.head_object, Bucket=bucket, Key="none")
    refused("BucketNotEmpty", s3.delete_bucket, Bucket=bucket)
    refused("InvalidRange", s3.get_object, Bucket=bucket, Key="copy", Range="bytes=1000-")
    refused("InvalidBucketName", boto3.client("s3", config=Config(parameter_validation=False), **ENDPOINT).create_bucket, Bucket="No_Such_Name")


@check("R200 s3 resource: a bucket is emptied and removed")
def _():
    resource = boto3.resource("s3", **ENDPOINT)
    resource.Bucket(bucket).objects.all().delete()
    resource.Bucket(bucket).delete()
    resource.Bucket(bucket).wait_until_not_exists()


finish()
