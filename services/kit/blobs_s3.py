"""Blobs in S3-compatible storage: `s3://key:secret@host:port/bucket?tls=0&region=eu-south-1`.

Without key and secret, those of the environment or of the machine's role are taken; without a host, Amazon's own. The
bucket must keep no versions, or what is erased stays. Large content goes in parts from file to wire, and from wire to
file: 8 MiB of it are in memory. What a store that is away does is `Unavailable` after three tries.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import parse_qs, unquote, urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from services.kit import log
from services.kit.blobs import checked
from services.kit.errors import AscoltoError, Invalid, NotFound, Unavailable
from services.kit.spool import PIECE_BYTES, Content, Spool

if TYPE_CHECKING:
    from services.kit.config import Settings

_SETTING = "ASCOLTO_BLOBS"
_PART_BYTES = 8 * 1024 * 1024  # S3 allows 10,000 parts of 5 MiB and more
_STALE = timedelta(days=1)  # no upload of a living process takes as long
_MISSING = {"NoSuchKey", "NotFound", "404"}
_REFUSED = {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "Forbidden", "403"}
_OURS_ALREADY = {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}
_NO_CONSTRAINT = {"", "us-east-1"}  # API reference of CreateBucket: this region must not be named
_CONFIG: dict[str, Any] = {
    "connect_timeout": 3,
    "read_timeout": 15,
    "retries": {"mode": "standard", "total_max_attempts": 3},
    "max_pool_connections": 32,
}


@dataclass(frozen=True, slots=True)
class _Place:
    """What the URL says."""

    endpoint: str | None
    bucket: str
    region: str
    key: str | None
    secret: str | None

    @classmethod
    def parse(cls, url: str) -> _Place:
        """Raises `Invalid`, without showing the secret."""
        parts = urlsplit(url)
        options = parse_qs(parts.query)
        bucket = parts.path.strip("/")
        if (
            not bucket
            or "/" in bucket
            or options.keys() - {"tls", "region"}
            or bool(parts.username) != bool(parts.password)
        ):
            raise Invalid(
                f"{_SETTING} cannot be used: write s3://key:secret@host:port/bucket, with ?tls=0 for plain HTTP and "
                "region=… where the storage has regions.",
                field=_SETTING,
            )
        scheme = "http" if options.get("tls") == ["0"] else "https"
        return cls(
            endpoint=f"{scheme}://{parts.netloc.rpartition('@')[2]}" if parts.hostname else None,
            bucket=bucket,
            region=options.get("region", [""])[0],
            key=unquote(parts.username) if parts.username else None,
            secret=unquote(parts.password) if parts.password else None,
        )


class S3Blobs:
    """Blobs as objects of one bucket."""

    def __init__(self, url: str, spool: Spool) -> None:
        place = _Place.parse(url)
        self._bucket, self._region, self._spool = place.bucket, place.region, spool
        self._where = place.endpoint or "S3"
        self._log = log.logger("blobs")
        self._client: Any = boto3.session.Session().client(
            "s3",
            endpoint_url=place.endpoint,
            region_name=place.region or ("us-east-1" if place.endpoint else None),
            aws_access_key_id=place.key,
            aws_secret_access_key=place.secret,
            config=Config(**_CONFIG, s3={"addressing_style": "path" if place.endpoint else "auto"}),
        )

    @classmethod
    def for_settings(cls, settings: Settings) -> S3Blobs:
        """Those of `ASCOLTO_BLOBS`; what is fetched lies in the data folder meanwhile."""
        return cls(settings.blobs, Spool(settings.data / "fetched"))

    def prepare(self) -> None:
        """Makes the bucket. Raises `Unavailable` where that is not allowed."""
        try:
            self._head()
        except NotFound:
            more: dict[str, Any] = {}
            if self._region not in _NO_CONSTRAINT:
                more["CreateBucketConfiguration"] = {"LocationConstraint": self._region}
            try:
                self._client.create_bucket(Bucket=self._bucket, **more)
            except ClientError as error:
                if _code(error) not in _OURS_ALREADY:
                    raise Unavailable(
                        f"The bucket {self._bucket} of {self._where} is missing and cannot be made ({_code(error)}): "
                        f"make it, or allow the key of {_SETTING} to."
                    ) from error

    def reach(self) -> None:
        """Raises `Unavailable` when the storage does not answer or refuses our key."""
        try:
            self._head()
        except NotFound:
            return  # it answers; `prepare` makes the bucket

    def faults(self) -> list[str]:
        """A bucket that is missing, or keeps versions: what was erased must be gone."""
        try:
            self._head()
        except NotFound:
            return [f"There is no bucket {self._bucket} in {self._where}: run `ascolto migrate`, or make it."]
        with self._told(f"The bucket {self._bucket}"):
            state = self._client.get_bucket_versioning(Bucket=self._bucket).get("Status")
        if state == "Enabled":
            said = "suspend its versioning and let a lifecycle rule remove noncurrent versions"
            return [f"The bucket {self._bucket} keeps old versions, so that erased files stay: {said}."]
        return []

    def _head(self) -> None:
        with self._told(f"The bucket {self._bucket}"):
            self._client.head_bucket(Bucket=self._bucket)

    def put(self, key: str, data: Content) -> None:
        """Stores `data`, in parts when it is large; a part that fails leaves nothing behind."""
        with self._told(f"Blob {checked(key)}"):
            if len(data) <= _PART_BYTES:
                self._client.put_object(Bucket=self._bucket, Key=key, Body=bytes(data))
            else:
                self._put_parts({"Bucket": self._bucket, "Key": key}, data)

    def _put_parts(self, target: dict[str, str], data: Content) -> None:
        begun = self._client.create_multipart_upload(**target, ChecksumAlgorithm="CRC32")  # what each part brings too
        upload = target | {"UploadId": begun["UploadId"]}
        try:
            parts = []
            for number, at in enumerate(range(0, len(data), _PART_BYTES), 1):
                done = self._client.upload_part(**upload, PartNumber=number, Body=data[at : at + _PART_BYTES])
                sums = {name: value for name, value in done.items() if name.startswith("Checksum")}
                parts.append({"PartNumber": number, "ETag": done["ETag"]} | sums)
            self._client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
        except BaseException:
            self._abort(upload)
            raise

    def _abort(self, upload: dict[str, str]) -> None:
        try:
            self._client.abort_multipart_upload(**upload)
        except (BotoCoreError, ClientError) as error:  # `clear` of a later start finds it
            self._log.warning("blobs.upload_left", key=upload["Key"], reason=str(error))

    def get(self, key: str) -> bytes:
        """The bytes."""
        return b"".join(self._pieces(key))

    def fetch(self, key: str) -> Content:
        """The bytes, or a file of the data folder that goes with the last reference to it."""
        writer = self._spool.writer(in_memory=PIECE_BYTES)
        try:
            for piece in self._pieces(key):
                writer.write(piece)
            return writer.content()
        finally:
            writer.close()

    def open(self, key: str) -> BinaryIO:
        """A file to read and close; it has no name."""
        file = tempfile.SpooledTemporaryFile(max_size=PIECE_BYTES)  # noqa: SIM115 (the caller closes it)
        try:
            for piece in self._pieces(key):
                file.write(piece)
        except BaseException:
            file.close()
            raise
        file.seek(0)
        return cast("BinaryIO", file)

    def _pieces(self, key: str) -> Iterator[bytes]:
        with self._told(f"Blob {checked(key)}"):
            body = self._client.get_object(Bucket=self._bucket, Key=key)["Body"]
            with body:
                yield from body.iter_chunks(PIECE_BYTES)

    def delete(self, key: str) -> None:
        """Removes it, if it is there."""
        with self._told(f"Blob {checked(key)}"):
            self._client.delete_object(Bucket=self._bucket, Key=key)

    def keys(self, prefix: str) -> Iterator[str]:
        """Keys that begin with `prefix`, a thousand a call."""
        with self._told(f"The bucket {self._bucket}"):
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
                for item in page.get("Contents", ()):
                    yield str(item["Key"])

    def written_at(self, key: str) -> datetime:
        """When it was stored, to the second."""
        with self._told(f"Blob {checked(key)}"):
            found: datetime = self._client.head_object(Bucket=self._bucket, Key=key)["LastModified"]
        return found.astimezone(UTC)

    def ping(self) -> None:
        """Raises `Unavailable` when nothing can be stored."""
        self.put("kit/ping/0", b"")

    def clear(self) -> None:
        """Ends uploads and removes fetched files older than a day: younger ones may be another process's.

        A storage that is away holds up no start: it is logged, and the next start clears.
        """
        before = datetime.now(UTC) - _STALE
        self._spool.clear(before=before)
        try:
            with self._told(f"The bucket {self._bucket}"):
                for page in self._client.get_paginator("list_multipart_uploads").paginate(Bucket=self._bucket):
                    for upload in page.get("Uploads", ()):
                        if upload["Initiated"] < before:
                            self._abort({"Bucket": self._bucket, "Key": upload["Key"], "UploadId": upload["UploadId"]})
        except AscoltoError as error:
            self._log.warning("blobs.not_cleared", reason=error.message)

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Turns the library's errors into ours."""
        try:
            yield
        except ClientError as error:
            code = _code(error)
            if code in _MISSING:
                raise NotFound(f"{what} is not in {self._where}.") from error
            if code == "NoSuchBucket":
                reason = f"there is no bucket {self._bucket}; `ascolto migrate` makes it"
            elif code in _REFUSED:
                reason = f"{code}; look at the key of {_SETTING} and what it may do"
            else:
                reason = code
            raise Unavailable(f"{what} of {self._where} cannot be used: {reason}.", retry_after_s=1.0) from error
        except BotoCoreError as error:
            raise Unavailable(f"{self._where} does not answer: {type(error).__name__}.", retry_after_s=1.0) from error


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
