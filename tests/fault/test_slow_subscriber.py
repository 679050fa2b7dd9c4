"""Two subscriber processes on one publisher, one of them stopped for a while."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from spikedaq.bus import decode, encode, encode_samples, samples_header, topic_for
from spikedaq.model import Block, BlockFlag
from spikedaq.outlet import Publisher

TOPIC = topic_for("bench", "alpha", "samples")
# Enough to fill the queues of both sides and the kernel's buffers between them (a few MB each) several times over.
N_WHILE_STOPPED = 20_000

SUBSCRIBER = """
import json, sys
from spikedaq.bus import decode_samples
from spikedaq.inlet import Subscriber

url, topic = sys.argv[1:]
numbers = []
with Subscriber(url, [topic]) as subscriber:
    for message in subscriber:
        samples = decode_samples(message)
        assert (samples[:, 0] == message.header["n"] % 32768).all()
        numbers.append(message.header["n"])
        print(json.dumps({"at": numbers[-1]}), flush=True)
        if message.header.get("last"):
            break
    print(json.dumps({"numbers": numbers, "missed": subscriber.missed[topic], "malformed": subscriber.malformed}))
"""


class Watcher:
    """A subscriber process; a thread keeps the newest number it says it has."""

    def __init__(self, endpoint: str) -> None:
        command = [sys.executable, "-c", SUBSCRIBER, endpoint, TOPIC]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.at = -1
        self.report: dict[str, object] = {}
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            said = json.loads(line)
            if "at" in said:
                self.at = said["at"]
            else:
                self.report = said

    @property
    def state(self) -> str:
        return Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0]

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.thread.join()


def wait_until(what: str, condition: object, timeout_s: float = 60.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.0005)


class Source:
    """Publishes block after block, each with its number in its samples."""

    def __init__(self, publisher: Publisher) -> None:
        self.publisher = publisher
        self.n = 0

    def publish(self, *, last: bool = False) -> None:
        samples = np.full((100, 8), self.n % 32768, np.int16)
        block = Block(1, self.n, 0, self.n * 100, self.n * 10000, 100, BlockFlag(0), samples)
        if last:
            header = {**samples_header(block, n=self.n, epoch="e", t_ns=0, u_ns=0), "last": True}
            message = encode(TOPIC, header, samples.T.tobytes())
        else:
            message = encode_samples(TOPIC, block, n=self.n, epoch="e", t_ns=0, u_ns=0)
        assert decode(message).header["n"] == self.n
        self.publisher.publish(TOPIC, message)
        self.n += 1


@pytest.mark.slow
def test_a_stopped_subscriber_knows_what_it_missed_and_the_other_misses_nothing() -> None:
    with Publisher("tcp://127.0.0.1:0") as publisher:
        source = Source(publisher)
        watchers = [Watcher(publisher.endpoint) for _ in range(2)]
        healthy, stopped = watchers
        try:

            def both_have_begun() -> bool:
                source.publish()
                return all(watcher.at >= 0 for watcher in watchers)

            wait_until("both subscribers to get a first block", both_have_begun)
            os.kill(stopped.process.pid, signal.SIGSTOP)
            wait_until("the subscriber to be stopped", lambda: stopped.state == "T")
            stopped_at = stopped.at
            for _ in range(N_WHILE_STOPPED):
                source.publish()
                # The healthy one is a subscriber that keeps up; only then is it entitled to everything.
                if source.n % 100 == 0:
                    wait_until("the healthy subscriber to keep up", lambda: source.n - healthy.at < 400)
            assert stopped.state == "T"
            assert stopped.at - stopped_at < 1000
            os.kill(stopped.process.pid, signal.SIGCONT)

            def both_have_ended() -> bool:
                source.publish(last=True)
                return all(watcher.process.poll() is not None for watcher in watchers)

            wait_until("both subscribers to end", both_have_ended)
        finally:
            for watcher in watchers:
                watcher.end()

    def missing(watcher: Watcher) -> set[int]:
        numbers = watcher.report["numbers"]
        assert isinstance(numbers, list)
        assert numbers == sorted(set(numbers))
        return set(range(numbers[0], numbers[-1] + 1)) - set(numbers)

    assert missing(healthy) == set()
    assert healthy.report["missed"] == 0
    assert len(missing(stopped)) > 1000
    assert stopped.report["missed"] == len(missing(stopped))
    assert [watcher.report["malformed"] for watcher in watchers] == [0, 0]
