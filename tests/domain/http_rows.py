"""The settings about connections, as rows of the test of settings: see ``Row`` there."""

from pathlib import Path

HTTP_ROWS = [
    ("http.head_seconds", 10, "1", 1, "600", 600),
    ("http.body_seconds", 10, "1", 1, "600", 600),
    ("http.body_bytes_per_second", 1024, "1", 1, "1073741824", 1 << 30),
    ("http.bodies_max_bytes", 64 << 20, "16384", 16_384, "1099511627776", 1 << 40),
    ("http.idle_seconds", 75, "1", 1, "3600", 3600),
    ("http.write_seconds", 60, "1", 1, "3600", 3600),
    ("http.connections_max", None, "1", 1, "1000000", 1_000_000),
    ("http.connections_per_address_max", None, "1", 1, "1000000", 1_000_000),
    ("tls.cert_file", None, '"/k/cert"', Path("/k/cert"), "cert", Path("cert")),
    ("tls.key_file", None, '"/k/key"', Path("/k/key"), "key", Path("key")),
    ("admin.port", None, "0", 0, "65535", 65535),
    ("admin.host", "127.0.0.1", '"::1"', "::1", "localhost", "localhost"),
]
