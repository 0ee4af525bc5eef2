"""What Docker Engines of different versions say of themselves: for rules that depend on it, beside the lab's real ones.

20.10, 26 and 28 were recorded in the lab (`curl --unix-socket … /version`). Of 27 and 29 the lab finds no package:
theirs follow Docker's documentation (API 1.47 with 1.24 as the oldest; 1.52 with 1.44). Cut to the fields that anything
of ours reads.
"""

from __future__ import annotations

from typing import Any


def _version(engine: str, api: str, oldest: str) -> dict[str, Any]:
    components = [{"Name": name} for name in ("Engine", "containerd", "runc", "docker-init")]
    return {"Version": engine, "ApiVersion": api, "MinAPIVersion": oldest, "Components": components, "Os": "linux"}


VERSION_ANSWERS = {
    "20.10": _version("20.10.24+dfsg1", "1.41", "1.12"),
    "26": _version("26.1.5+dfsg1", "1.45", "1.24"),
    "27": _version("27.5.1", "1.47", "1.24"),
    "28": _version("28.5.2+dfsg4", "1.51", "1.24"),
    "29": _version("29.0.4", "1.52", "1.44"),
}
"""By major version: the answer to `GET /version`."""
