"""Writes the inputs that the fuzz targets begin with: what people keep in Secrets, and what the admin API was recorded to answer."""

import base64
import hashlib
import json
import pathlib

ROOT = pathlib.Path(__file__).resolve().parent.parent
DATA = ROOT / "tests" / "data"


def write(target: str, content: bytes) -> None:
    folder = ROOT / "fuzz" / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / hashlib.sha256(content).hexdigest()[:16]).write_bytes(content)


def bodies(value):
    """The answers in a recording: whatever is called a body, however deep it is."""
    if isinstance(value, dict):
        for name, member in value.items():
            if name == "body" and isinstance(member, (dict, list)):
                yield json.dumps(member).encode()
            yield from bodies(member)
    elif isinstance(value, list):
        for member in value:
            yield from bodies(member)


for case in json.loads((DATA / "import" / "cases.json").read_text()):
    for data in (case["secret"] or {"data": {}})["data"].values():
        write("import", base64.b64decode(data))
for document in (DATA / "import").glob("*.pem"):
    write("import", document.read_bytes())
for recording in (DATA / "hydra").glob("*.json"):
    for body in bodies(json.loads(recording.read_text())):
        write("json", body)
for key in json.loads((DATA / "rfc" / "keys.json").read_text()).values():
    write("json", json.dumps({"keys": [key]}).encode())
