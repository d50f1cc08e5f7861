"""Calls an action once with the signer of bce-python-sdk, which covers the headers that it is given.

python signer.py PATH ACTION BODY; the address and the key come from the environment, as for the other programs.
"""

import hashlib
import json
import os
import secrets
import sys
from http.client import HTTPConnection
from urllib.parse import urlsplit

from baidubce.auth.bce_credentials import BceCredentials
from baidubce.auth.bce_v1_signer import sign


def main() -> None:
    path, action, body = sys.argv[1:]
    url = os.environ["QIANFAN_CONSOLE_API_BASE_URL"]
    if urlsplit(url).hostname not in ("127.0.0.1", "localhost", "::1"):
        raise SystemExit(2)
    keys = BceCredentials(os.environ["QIANFAN_ACCESS_KEY"], os.environ["QIANFAN_SECRET_KEY"])
    headers = {
        b"host": urlsplit(url).netloc.encode(),
        b"x-bce-content-sha256": hashlib.sha256(body.encode()).hexdigest().encode(),
        b"x-bce-nonce": secrets.token_hex(16).encode(),
    }
    # It is given only the name of the host; it covers everything that begins with x-bce- by itself.
    query = {b"Action": action.encode()}
    authorization = sign(keys, b"POST", path.encode(), headers, query, headers_to_sign={b"host"})
    sent = {name.decode(): value.decode() for name, value in headers.items()}
    sent |= {"Authorization": authorization.decode(), "Content-Type": "application/json"}
    connection = HTTPConnection(urlsplit(url).netloc)
    for _ in range(2):
        connection.request("POST", f"{path}?Action={action}", body.encode(), sent)
        answer = connection.getresponse()
        print(json.dumps([answer.status, json.loads(answer.read())]))


main()
