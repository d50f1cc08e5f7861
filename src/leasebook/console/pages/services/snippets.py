"""How to call a service from a program: a few lines in each of four languages, with its own address."""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec

SERVICES: Final = "/services/"
QUESTION: Final = "What is a lease?"


class Snippet(msgspec.Struct, frozen=True):
    """A few lines of a language."""

    language: str
    text: str


def snippets_of(service: Any) -> list[Snippet]:
    """Return the lines for a service: calls of chat or of completions, or a plain call where it has another purpose.

    The key is in the variable ``LEASEBOOK_SERVICE_KEY``, so that no program has it in its text.
    """
    base = service.url.rpartition(SERVICES)[0] + "/v2"
    if service.service_type == "completions":
        body: dict[str, Any] = {"model": service.service_id, "prompt": QUESTION}
        return _of_models(base, "completions", "completions", body)
    if service.service_type == "chat":
        body = {"model": service.service_id, "messages": [{"role": "user", "content": QUESTION}]}
        return _of_models(base, "chat/completions", "chat.completions", body)
    return [
        Snippet("curl", _curl(f"{service.url}/", {"prompt": QUESTION})),
        Snippet("Python", _python(f"{service.url}/", {"prompt": QUESTION})),
        Snippet("Node.js", _node(f"{service.url}/", {"prompt": QUESTION})),
        Snippet("Go", _go(f"{service.url}/", {"prompt": QUESTION})),
    ]


def _of_models(base: str, path: str, method: str, body: dict[str, Any]) -> list[Snippet]:
    given = ", ".join(f"{name}={json.dumps(value)}" for name, value in body.items())
    said = "choices[0].text" if method == "completions" else "choices[0].message.content"
    python = (
        "import os\n\nimport openai\n\n"
        f'client = openai.OpenAI(base_url="{base}", api_key=os.environ["LEASEBOOK_SERVICE_KEY"])\n'
        f"answer = client.{method}.create({given})\n"
        f"print(answer.{said})\n"
    )
    address = f"{base}/{path}"
    return [
        Snippet("Python (openai)", python),
        Snippet("curl", _curl(address, body)),
        Snippet("Node.js", _node(address, body)),
        Snippet("Go", _go(address, body)),
    ]


def _curl(address: str, body: dict[str, Any]) -> str:
    return (
        f'curl "{address}" \\\n'
        '  -H "Authorization: Bearer $LEASEBOOK_SERVICE_KEY" \\\n'
        '  -H "Content-Type: application/json" \\\n'
        f"  -d '{json.dumps(body)}'\n"
    )


def _python(address: str, body: dict[str, Any]) -> str:
    return (
        "import json\nimport os\nfrom urllib.request import Request, urlopen\n\n"
        'headers = {"Authorization": "Bearer " + os.environ["LEASEBOOK_SERVICE_KEY"],\n'
        '           "Content-Type": "application/json"}\n'
        f"body = json.dumps({json.dumps(body)}).encode()\n"
        f'with urlopen(Request("{address}", body, headers)) as answer:\n'
        "    print(answer.read().decode())\n"
    )


def _node(address: str, body: dict[str, Any]) -> str:
    return (
        f'const answer = await fetch("{address}", {{\n'
        '  method: "POST",\n'
        "  headers: {\n"
        "    Authorization: `Bearer ${process.env.LEASEBOOK_SERVICE_KEY}`,\n"
        '    "Content-Type": "application/json",\n'
        "  },\n"
        f"  body: JSON.stringify({json.dumps(body)}),\n"
        "});\n"
        "console.log(await answer.text());\n"
    )


def _go(address: str, body: dict[str, Any]) -> str:
    return (
        "package main\n\n"
        'import (\n\t"io"\n\t"net/http"\n\t"os"\n\t"strings"\n)\n\n'
        "func main() {\n"
        f"\tbody := strings.NewReader(`{json.dumps(body)}`)\n"
        f'\trequest, err := http.NewRequest("POST", "{address}", body)\n'
        "\tif err != nil {\n\t\tpanic(err)\n\t}\n"
        '\trequest.Header.Set("Authorization", "Bearer "+os.Getenv("LEASEBOOK_SERVICE_KEY"))\n'
        '\trequest.Header.Set("Content-Type", "application/json")\n'
        "\tanswer, err := http.DefaultClient.Do(request)\n"
        "\tif err != nil {\n\t\tpanic(err)\n\t}\n"
        "\tdefer answer.Body.Close()\n"
        "\tio.Copy(os.Stdout, answer.Body)\n"
        "}\n"
    )
