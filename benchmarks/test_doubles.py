"""The test kit beside other doubles of clouds: what a test waits for, and what they do with calls that must not pass.

python -m benchmarks.test_doubles                             # the kit
python -m benchmarks.test_doubles --moto OTHER/python         # and moto, which that Python has installed
python -m benchmarks.test_doubles --localstack OTHER/python   # and LocalStack, without a container
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import time
from datetime import timedelta
from pathlib import Path
from typing import Final

ROUNDS: Final = 5
MEMORY: Final = r"""
def memory(process="self"):
    lines = open(f"/proc/{process}/status").read().splitlines()
    return next(line for line in lines if line.startswith("VmRSS")).split()[1]
"""
CALLS: Final = r"""
import json, time
ec2 = boto3.client("ec2", endpoint_url=url)
def buy():
    made = ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1, InstanceType="p3.2xlarge", ClientToken="t")
    return made["Instances"][0]["InstanceId"]
first = buy()
print(f"{name}: instances after one purchase is sent twice with one client token:", len({first, buy()}))
wrong = boto3.client("ec2", endpoint_url=url, aws_access_key_id="nobody", aws_secret_access_key="wrong")
print(f"{name}: a call with a wrong secret:", wrong.describe_instances()["ResponseMetadata"]["HTTPStatusCode"])
boto3.client("scheduler", endpoint_url=url).create_schedule(
    Name="s", ScheduleExpression="at(2001-01-01T00:00:00)", FlexibleTimeWindow={"Mode": "OFF"},
    Target={"Arn": "arn:aws:scheduler:::aws-sdk:ec2:terminateInstances", "RoleArn": "arn:aws:iam::123456789012:role/r",
            "Input": json.dumps({"InstanceIds": [first]})})
time.sleep(3)
found = {one["InstanceId"]: one["State"]["Name"] for row in ec2.describe_instances()["Reservations"]
         for one in row["Instances"]}
print(f"{name}: 3 s after a schedule of the past was to end the instance:", found[first])
"""
MOTO: Final = r"""
import json, logging, os, statistics, time, urllib.request
os.environ.update(AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="y", AWS_DEFAULT_REGION="us-east-1")
logging.getLogger("werkzeug").disabled = True
began = time.perf_counter()
import boto3
from moto import mock_aws
from moto.server import ThreadedMotoServer
import moto
with mock_aws():
    boto3.client("ec2").describe_instances()
print(f"moto {moto.__version__}: first start {time.perf_counter() - began:.2f} s")
def timed(work):
    took = []
    for _ in range(5):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return f"{statistics.median(took) * 1000:.1f} ms"
def once():
    with mock_aws():
        boto3.client("ec2").describe_instances()
print("moto: mock_aws with a client and a call", timed(once))
server = ThreadedMotoServer(port=0, verbose=False)
server.start()
url = "http://%s:%s" % server.get_host_and_port()
print("moto: reset of its server", timed(lambda: urllib.request.urlopen(
    urllib.request.Request(url + "/moto-api/reset", method="POST")).read()))
name = "moto"
exec(CALLS)
print(f"moto: memory of the process {int(memory()) // 1024} MiB")
server.stop()
"""
LOCALSTACK: Final = r"""
import os, signal, statistics, subprocess, sys, tempfile, time, urllib.error, urllib.request
os.environ.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_DEFAULT_REGION="us-east-1")
url = "http://127.0.0.1:4599"
folder = tempfile.mkdtemp()
def started():
    more = {"HOME": folder, "FILESYSTEM_ROOT": folder + "/fs", "GATEWAY_LISTEN": "127.0.0.1:4599",
            "SKIP_SSL_CERT_DOWNLOAD": "1", "DISABLE_EVENTS": "1"}
    process = subprocess.Popen([sys.executable, "-m", "localstack.runtime.main"], cwd=folder, env=os.environ | more,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        try:
            urllib.request.urlopen(url + "/_localstack/health", timeout=5).read()
            return process
        except OSError:
            time.sleep(0.02)
    raise SystemExit("LocalStack ended before it answered")
def stopped(process):
    process.send_signal(signal.SIGTERM)
    process.wait()
began = time.perf_counter()
import boto3
process = started()
boto3.client("ec2", endpoint_url=url).describe_instances()
from localstack import constants
print(f"localstack {constants.VERSION}: first start {time.perf_counter() - began:.2f} s")
try:
    urllib.request.urlopen(urllib.request.Request(url + "/_localstack/state/reset", method="POST")).read()
    print("localstack: has a reset")
except urllib.error.HTTPError as error:
    print("localstack: a call to reset its state:", error.code)
name = "localstack"
exec(CALLS)
print(f"localstack: memory of the process {int(memory(process.pid)) // 1024} MiB")
stopped(process)
took = []
for _ in range(5):
    began = time.perf_counter()
    process = started()
    boto3.client("ec2", endpoint_url=url).describe_instances()
    stopped(process)
    took.append(time.perf_counter() - began)
print(f"localstack: a server with a client and a call, started and stopped {statistics.median(took) * 1000:.1f} ms")
"""


def kit() -> None:
    """Measure the kit."""
    began = time.perf_counter()
    from leasebook.client import Client, ErrorAnswer
    from leasebook.testing import Leasebook

    wanted = {"stock": {"gpu-1": 100}, "balance": 10_000}
    with Leasebook(**wanted) as service:  # type: ignore[arg-type]
        service.client.describe_account()
        print(f"leasebook: first start {time.perf_counter() - began:.2f} s")
        one = {
            "billing": {"paymentTiming": "Postpaid"},
            "computeUnitConfig": {"type": "gpu-1"},
            "computeUnitCount": 1,
            "clientToken": "t",
        }
        bought = {service.account.call("/v2/computeunit", "PurchaseComputeUnit", one)["instanceId"] for _ in range(2)}
        print("leasebook: instances after one purchase is sent twice with one client token:", len(bought))
        try:
            Client(service.url, service.account.access_key, "wrong").describe_account()
        except ErrorAnswer as error:
            print("leasebook: a call with a wrong secret:", error.status, error.code)
        service.client.schedule_release(instance_id=bought.pop(), release_time=service.now + timedelta(hours=8))
        service.advance_to_next("RELEASE")
        print("leasebook: running after the clock was moved to the release:", len(list(service.client.each_of_units())))
        took = []
        for _ in range(ROUNDS + 1):
            began = time.perf_counter()
            service.reset()
            took.append(time.perf_counter() - began)
            time.sleep(0.3)  # a test runs meanwhile, and the next service is prepared
        print(f"leasebook: reset {statistics.median(took[1:]) * 1000:.1f} ms")
    took = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        with Leasebook(**wanted) as service:  # type: ignore[arg-type]
            service.client.describe_account()
        took.append(time.perf_counter() - began)
    print(f"leasebook: a kit with a client and a call, started and stopped {statistics.median(took) * 1000:.1f} ms")
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    print(f"leasebook: memory of the process {pages * os.sysconf('SC_PAGE_SIZE') >> 20} MiB")


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--moto", type=Path, help="A Python that has moto[server,ec2] and boto3.")
    parser.add_argument("--localstack", type=Path, help="A Python that has localstack-core[runtime] and boto3.")
    wanted = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    kit()
    for python, program in ((wanted.moto, MOTO), (wanted.localstack, LOCALSTACK)):
        if python is not None:
            subprocess.run([python, "-c", f"{MEMORY}\nCALLS = {CALLS!r}\n{program}"], check=True)


if __name__ == "__main__":
    main()
