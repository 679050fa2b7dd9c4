"""Clients for the measurement: ``many_clients.py MODE URL N TOPIC...``; N of them in one process.

``one``: each reads one of the topics. ``all``: each reads all of them. Both say ``device seq t_boottime_ns`` for each
block when their standard input ends, and then ``missed`` and how many they missed. ``stall``: each subscribes to all of
them and never takes a message.
"""

from __future__ import annotations

import sys
import threading
import time

import zmq

from spikedaq.bus import MissCounter, decode

_HEAD_BYTES = 600  # of a message: its topic and header, without the samples


def main() -> None:
    """Serve until standard input ends."""
    mode, url, n, *topics = sys.argv[1:]
    context = zmq.Context()
    sockets: dict[zmq.Socket[bytes], int] = {}
    poller = zmq.Poller()
    for k in range(int(n)):
        socket = context.socket(zmq.SUB)
        socket.setsockopt(zmq.RCVHWM, 1000)
        for topic in [topics[k % len(topics)]] if mode == "one" else topics:
            socket.setsockopt(zmq.SUBSCRIBE, topic.encode())
        socket.connect(url)
        sockets[socket] = k
        poller.register(socket, zmq.POLLIN)
    print("ready", flush=True)
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    taken: list[tuple[int, bytes, int]] = []
    while not ended.is_set():
        if mode == "stall":
            ended.wait()
            break
        for socket, _ in poller.poll(200):
            try:
                while True:
                    head = socket.recv(zmq.NOBLOCK)[:_HEAD_BYTES]
                    taken.append((sockets[socket], head, time.clock_gettime_ns(time.CLOCK_BOOTTIME)))
            except zmq.Again:
                pass
    counters: dict[tuple[int, str], MissCounter] = {}
    for k, head, t_ns in taken:
        message = decode(head)
        counters.setdefault((k, message.topic), MissCounter()).update(message.header)
        print(message.topic.split("/")[1], message.header["seq"], t_ns)
    print("missed", sum(counter.missed for counter in counters.values()), 0, flush=True)
    context.destroy(linger=0)


if __name__ == "__main__":
    main()
