"""An S3 server on this computer, with an empty bucket."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import s3fs
from moto.backends import get_backend
from moto.server import ThreadedMotoServer


@contextmanager
def s3_server() -> Iterator[None]:
    """Serve on a free port of loopback, which the environment names; its one bucket is called ``bucket``."""
    get_backend("s3").reset()  # all servers of a process share what they hold
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "a")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "b")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.delenv("AWS_PROFILE", raising=False)
        s3fs.S3FileSystem(skip_instance_cache=True).mkdir("bucket")
        yield
    server.stop()
