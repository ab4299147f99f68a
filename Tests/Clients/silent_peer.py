"""A client that holds what it was given and gives nothing back."""

import socket

import h2.config
import h2.connection
from support import DEADLINE_S


class SilentPeer:
    """A connection that says as much as it is told to, and then neither reads nor answers."""

    def __init__(self, address, key=None, tenant=None):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=DEADLINE_S)
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.address, self.key, self.tenant = address, key, tenant

    def greet(self):
        self.h2.initiate_connection()
        self.flush()
        return self

    def begin(self, path, count=1):
        """Opens calls whose requests never end."""
        headers = [
            (":method", "POST"), (":path", path), (":scheme", "http"), (":authority", self.address),
            ("te", "trailers"), ("content-type", "application/grpc"), ("authorization", f"Bearer {self.key}"),
            ("tollgate-tenant", self.tenant)]
        for _ in range(count):
            self.h2.send_headers(self.h2.get_next_available_stream_id(), headers)
        self.flush()
        return self

    def flush(self):
        self.socket.sendall(self.h2.data_to_send())

    def close(self):
        self.socket.close()
