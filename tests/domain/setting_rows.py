"""Every public setting: its default, and other values as a file and the environment write them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from leasebook.domain.replicas.engine_route import Route
from tests.domain.http_rows import HTTP_ROWS
from tests.domain.tenant_settings import TENANTS

READ = "QianfanReadAccessPolicy"


class Row(NamedTuple):
    """One setting: its default, and two other values as the file and the environment write them."""

    name: str
    default: object
    in_file: str
    from_file: object
    in_environment: str
    from_environment: object


ROWS = [
    Row("time_zone", "Asia/Shanghai", '"UTC"', "UTC", "Europe/Berlin", "Europe/Berlin"),
    Row("log_store.url", None, '"http://c:4318/v1/logs"', "http://c:4318/v1/logs", "https://c/x", "https://c/x"),
    Row("console.openid_issuer", None, '"https://a.b/c"', "https://a.b/c", "http://[::1]:9", "http://[::1]:9"),
    Row("console.openid_client_id", None, '"one"', "one", "a client", "a client"),
    Row("console.openid_account", None, f'"{"a" * 32}"', "a" * 32, "b" * 32, "b" * 32),
    Row("console.openid_groups", "", f'"ml={READ}"', f"ml={READ}", f"a b={READ}+{READ};", f"a b={READ}+{READ};"),
    Row("console.openid_groups_claim", "groups", '"roles"', "roles", "urn:x", "urn:x"),
    Row("console.openid_scopes", "openid profile", '"openid"', "openid", "openid groups", "openid groups"),
    Row("time_output", "zone", '"utc"', "utc", "utc", "utc"),
    Row("currency", "CNY", '"EUR"', "EUR", "USD", "USD"),
    Row("faults", "no", '"yes"', "yes", "yes", "yes"),
    Row("path_prefix", "", '"/qianfan"', "/qianfan", "/a.b/c-d", "/a.b/c-d"),
    Row("server.body_max_bytes", 1_048_576, "1024", 1024, "67108864", 67_108_864),
    Row("server.drain_seconds", 20, "0", 0, "600", 600),
    Row("release.lead_min_seconds", 0, "60", 60, "120", 120),
    Row("release.horizon_max_seconds", None, "1", 1, "86400", 86_400),
    Row("postpaid.balance_min", None, '"12.50"', "12.50", "0", "0"),
    Row("console.served", "yes", '"no"', "no", "no", "no"),
    Row("console.idle_minutes", 60, "1", 1, "1440", 1440),
    Row("console.session_hours", 12, "1", 1, "720", 720),
    Row("console.link_minutes", 10, "1", 1, "60", 60),
    Row("console.sign_ins_per_minute", 10, "1", 1, "1000", 1000),
    Row("retention_days", 7, "0", 0, "3650", 3650),
    Row("arrears.grace_hours", 24, "0", 0, "1", 1),
    Row("clock.jump_max_seconds", 300, "1", 1, "86400", 86_400),
    Row("batch.size_max", 512, "1", 1, "1024", 1024),
    Row("queue.length_max", 10_000, "1", 1, "1000000", 1_000_000),
    Row("due.batch_max", None, "1", 1, "10000", 10_000),
    Row("fairness.in_flight_max", 6, "1", 1, "128", 128),
    Row("fairness.batch_share_max", 32, "1", 1, "1024", 1024),
    Row("store.lock_wait_seconds", 8, "1", 1, "300", 300),
    Row("throttle.key_per_second", None, "1", 1, "100000", 100_000),
    Row("throttle.key_burst", None, "1", 1, "1000000", 1_000_000),
    Row("throttle.account_per_second", None, "1", 1, "100000", 100_000),
    Row("throttle.account_burst", None, "1", 1, "1000000", 1_000_000),
    Row("quote.keep_minutes", 15, "1", 1, "1440", 1440),
    Row("tokens.keep_hours", 48, "49", 49, "8784", 8784),
    Row("reminders.before", "1d,1h", '"none"', "none", "90d,999h,9999m", "90d,999h,9999m"),
    Row("approvals.remind_before", "1d,1h", '"none"', "none", "99d,999h,9999m", "99d,999h,9999m"),
    Row("public_url", None, '"https://a.example"', "https://a.example", "http://[::1]:8080", "http://[::1]:8080"),
    Row("readiness.lateness_max_seconds", 30, "1", 1, "86400", 86_400),
    Row("trusted_proxies", "", '"10.0.0.1"', "10.0.0.1/32", "10.0.0.0/8, fd00::/8", "10.0.0.0/8,fd00::/8"),
    Row("metrics.accounts", "", f'"{"a" * 32}"', "a" * 32, f"{'b' * 32}, {'c' * 32}", f"{'b' * 32}, {'c' * 32}"),
    Row("costs.provider", "Leasebook", '"The Lessor"', "The Lessor", "出租人", "出租人"),
    Row("costs.exports_max", 8, "1", 1, "1000", 1000),
    Row("costs.exports_per_account_max", 2, "1", 1, "1000", 1000),
    Row("costs.export_seconds", 3600, "10", 10, "86400", 86_400),
    Row("audit.keep_days", 400, "0", 0, "36500", 36_500),
    *(Row(name, default, "1", 1, "7", 7) for name, default in TENANTS.items()),
    Row("engines_process.node", None, '"one"', "one", "two-2.example", "two-2.example"),
    Row("engines_gone", None, '"ray"', "ray", "process@old-host, ray", "process@old-host, ray"),
    Row("gateway.connect_seconds", 5, "1", 1, "60", 60),
    Row("gateway.first_byte_seconds", 300, "1", 1, "3600", 3600),
    Row("gateway.idle_seconds", 300, "1", 1, "3600", 3600),
    Row("gateway.headers_max_bytes", 32_768, "1024", 1024, "1048576", 1_048_576),
    Row("gateway.concurrency_max", 256, "1", 1, "100000", 100_000),
    Row("gateway.chat_body_max_bytes", 16_777_216, "1024", 1024, "1073741824", 1_073_741_824),
    Row("gateway.socket_idle_seconds", 300, "1", 1, "86400", 86_400),
    Row("gateway.socket_message_max_bytes", 16 << 20, "1024", 1024, "1073741824", 1 << 30),
    Row("gateway.sockets_per_key_max", 256, "1", 1, "100000", 100_000),
    Row("gateway.sockets_per_account_max", 1024, "1", 1, "100000", 100_000),
    Row(
        "engines",
        None,
        '"gpu-*=process, bj/gpu-1=ray"',
        (Route(None, "gpu-", True, "process"), Route("bj", "gpu-1", False, "ray")),
        "*=instant",
        (Route(None, "", True, "instant"),),
    ),
    Row("engines_process.units", None, '"cpu=4, gpu-1=8"', {"cpu": 4, "gpu-1": 8}, "cpu=0", {"cpu": 0}),
    Row("engines_process.sandbox", "require", '"prefer"', "prefer", "off", "off"),
    Row("engines_process.paths", "", '"/models/, /opt/a"', "/models,/opt/a", "/models", "/models"),
    Row("engines_process.devices", None, '"a=/dev/a"', "a=/dev/a", "0=/dev/b/c, *=/dev/d", "0=/dev/b/c, *=/dev/d"),
    Row("engines_process.uids", "2000000000-2000009999", '"5-9"', "5-9", "1-2", "1-2"),
    Row("engines_process.disk_max_bytes", 32 << 30, "1048576", 1 << 20, "1125899906842624", 1 << 50),
    Row("engines_process.processes_max", 4096, "16", 16, "4194304", 4_194_304),
    Row("engines_ray.address", None, '"head:6379"', "head:6379", "10.0.0.1:1", "10.0.0.1:1"),
    Row("engines_ray.serve_port", 8000, "8001", 8001, "9000", 9000),
    Row("create_deadline_minutes", 10, "1", 1, "1440", 1440),
    Row("crash_loop_minutes", 5, "0", 0, "10080", 10_080),
    Row("deadman_minutes", 5, "1", 1, "10080", 10_080),
    Row("reconciler.lease_seconds", 15, "2", 2, "600", 600),
    Row("log.format", "auto", '"json"', "json", "console", "console"),
    Row("log.level", "info", '"debug"', "debug", "error", "error"),
    Row("signature.age_max_seconds", 1800, "60", 60, "86400", 86_400),
    Row("signature.operator_age_max_seconds", 300, "60", 60, "86400", 86_400),
    Row("signature.operators_strict", "no", '"yes"', "yes", "yes", "yes"),
    Row("signature.host_without_port", "yes", '"no"', "no", "no", "no"),
    Row("bearer_token.max_seconds", 86_400, "60", 60, "2592000", 2_592_000),
    Row("refused_calls.keep_days", 30, "1", 1, "3650", 3650),
    Row("master_key_file", None, '"/k/one"', Path("/k/one"), "two", Path("two")),
    Row("webhook.allow_http", "no", '"yes"', "yes", "yes", "yes"),
    Row("webhook.allow_private", None, '"10.0.0.0/8"', "10.0.0.0/8", "fd00::/8, 10.0.0.0/8", "fd00::/8, 10.0.0.0/8"),
    Row("webhook.timeout_seconds", 10, "1", 1, "30", 30),
    Row("webhook.attempts_max", 64, "1", 1, "512", 512),
    Row("webhook.attempts_per_account", 16, "1", 1, "512", 512),
    Row("webhook.attempts_per_receiver", 8, "1", 1, "512", 512),
    Row("webhook.slow_seconds", 2, "1", 1, "30", 30),
    Row("webhook.slow_attempts_max", 32, "1", 1, "512", 512),
    Row("webhook.slow_attempts_per_account", 4, "1", 1, "512", 512),
    Row("webhook.give_up_hours", 72, "1", 1, "720", 720),
    Row("deliveries.keep_days", 7, "1", 1, "365", 365),
    Row("subscription.tests_per_hour", 20, "1", 1, "3600", 3600),
    Row("subscription.account_tests_per_hour", 60, "1", 1, "36000", 36_000),
    Row("mail.from", "leasebook@localhost", '"a@b.c"', "a@b.c", "d@e.f", "d@e.f"),
    Row("stock.ask_seconds", 10, "1", 1, "3600", 3600),
    Row("stock.node_gone_minutes", 10, "1", 1, "10080", 10080),
    Row("services.unknown_models", None, '"refuse"', "refuse", "count", "count"),
    Row("store.connect_seconds", 3, "1", 1, "60", 60),
    Row("store.answer_seconds", 7, "1", 1, "300", 300),
    Row("store.away_seconds", 5, "0", 0, "60", 60),
    Row("store.keepalive_seconds", 5, "1", 1, "7200", 7200),
    Row("store.tcp_user_timeout_seconds", 7, "1", 1, "300", 300),
    *(Row(*row) for row in HTTP_ROWS),
]
