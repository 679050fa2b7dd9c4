"""How stores in S3 let somebody in, and what they say when they do not."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from spikedaq.model import StoreError, require

_ENVIRONMENT = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_DEFAULT_REGION",
    "AWS_NO_SIGN_REQUEST",
)
"""What a connection is made by."""


@dataclass(frozen=True, slots=True)
class Access:
    """How to be let in; None: by the environment, the files in ~/.aws, or the machine's role.

    ``endpoint`` is for stores that are not Amazon's; None: AWS_ENDPOINT_URL, else Amazon. ``anonymous``, or
    AWS_NO_SIGN_REQUEST=yes, asks for public data without credentials.
    """

    key: str | None = None
    secret: str | None = None
    token: str | None = None
    region: str | None = None
    endpoint: str | None = None
    anonymous: bool = False


def connection(access: Access) -> Any:
    """Return s3fs's file system for an access and the environment of now."""
    return _connected(access, tuple(os.environ.get(name) for name in _ENVIRONMENT))


@lru_cache(maxsize=4)
def _connected(access: Access, environment: tuple[str | None, ...]) -> Any:
    """Return a connection; making one takes a second."""
    unsigned = (environment[-1] or "").lower() in ("yes", "true", "1")
    given = {"key": access.key, "secret": access.secret, "token": access.token, "endpoint_url": access.endpoint}
    return require("s3fs", "s3").S3FileSystem(
        anon=access.anonymous or unsigned,
        client_kwargs={"region_name": access.region} if access.region else {},
        use_listings_cache=False,  # what others put there shows
        skip_instance_cache=True,
        **{name: value for name, value in given.items() if value is not None},
    )


@contextmanager
def translated(place: object, doing: str = "read") -> Iterator[None]:
    """Turn what s3fs and botocore raise into a StoreError that names address and remedy; FileNotFoundError stays."""
    exceptions = require("botocore.exceptions", "s3")
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(errno.ENOENT, "no such bucket or key", str(place)) from error
    except exceptions.NoCredentialsError as error:
        raise StoreError(
            f"cannot {doing} {place}: there are no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
            "AWS_PROFILE, or run 'aws configure'; for public data set AWS_NO_SIGN_REQUEST=yes"
        ) from error
    except (exceptions.PartialCredentialsError, exceptions.ProfileNotFound) as error:
        raise StoreError(f"cannot {doing} {place}: {error}; mend the environment or ~/.aws/credentials") from error
    except exceptions.EndpointConnectionError as error:
        raise StoreError(
            f"cannot {doing} {place}: the endpoint does not answer; check network, region and AWS_ENDPOINT_URL"
        ) from error
    except PermissionError as error:
        raise StoreError(
            f"cannot {doing} {place}: denied ({_reason(error)}); check the credentials and what they allow"
        ) from error
    except (OSError, exceptions.BotoCoreError, exceptions.ClientError) as error:
        raise StoreError(f"cannot {doing} {place}: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    """Return what a store said, without the wrapping of three libraries."""
    lines = str(error.args[0] if error.args else error).strip().splitlines()
    return lines[-1] if lines else type(error).__name__
