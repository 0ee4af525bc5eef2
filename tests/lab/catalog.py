"""The images that every host of the lab has: small, static, and ending at once on SIGTERM.

As first process of a container a program without a handler ignores SIGTERM and costs the whole grace period; so each
command here is a shell that has one.
"""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path

from tests.lab.images import Entry, Image, archive, build_image
from tests.lab.processes import run

TOMCAT = "/root/apache-tomcat-7.0.42-v2"

# Opened for reading and writing, a FIFO never ends: one sleeping process, no child, and it leaves on a signal.
_WAIT = "trap 'exit 0' TERM INT; read _ <>/run/wait"
_SERVE = "trap 'kill $!; exit 0' TERM INT; httpd -f -p {port} -h {directory} & wait $!"
KEPT_ARCHIVES = 4
"""Of earlier catalogs: other checkouts may go on using theirs."""

_CGI = "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n'\n{command}\n"


def build_catalog() -> list[Image]:
    """All images of the lab. Takes a fraction of a second."""
    busybox = _busybox()
    return [
        busybox,
        _pause(busybox),
        _web(busybox, "v1", "web:v1", "nginx:1.7.9", "nginx:latest"),
        _web(busybox, "v2", "web:v2", "nginx:1.9.1"),
        _web(busybox, "v3", "web:v3"),
        build_image(
            "sample:v2",
            "resouer/sample:v2",
            base=busybox,
            files={"/sample.war": "hello from sample.war\n"},
            command=["sh", "-c", _WAIT],
        ),
        _tomcat(busybox),
    ]


def catalog_archive(directory: Path, images: list[Image]) -> bytes:
    """The images in `docker load` format, from the cache on disk if it holds exactly these.

    Labs that come up side by side, of other checkouts too, may ask at once: a file is there whole or not at all.
    """
    contents = " ".join(f"{image.image_id} {','.join(image.tags)}" for image in images)
    cached = directory / f"catalog-{hashlib.sha256(contents.encode()).hexdigest()[:16]}.tar"
    try:
        return cached.read_bytes()
    except FileNotFoundError:
        out = io.BytesIO()
        archive(images, out)
        directory.mkdir(parents=True, exist_ok=True)
        draft = directory / f"{cached.name}.{os.getpid()}"
        draft.write_bytes(out.getvalue())
        for old in sorted(directory.glob("catalog*.tar"), key=lambda path: path.stat().st_mtime)[:-KEPT_ARCHIVES]:
            old.unlink(missing_ok=True)
        draft.replace(cached)
        return out.getvalue()


def _busybox() -> Image:
    applets = run(["busybox", "--list"]).stdout.decode().split()
    program = Path("/bin/busybox").read_bytes()
    files = {f"/bin/{applet}": Entry(link="busybox", mode=0o777) for applet in applets if applet != "busybox"}
    files |= {
        "/bin/busybox": Entry(program, 0o755),
        "/etc/passwd": Entry(b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n"),
        "/etc/group": Entry(b"root:x:0:\nnogroup:x:65534:\n"),
        "/tmp/.keep": Entry(),
        "/root/.keep": Entry(),
        "/run/wait": Entry(mode=0o666, is_fifo=True),
    }
    tags = ["busybox:latest", "busybox:1.35", "gcr.io/google_containers/busybox:latest"]
    return build_image(*tags, files=files, command=["sh"])


def _pause(busybox: Image) -> Image:
    tags = ["pause:latest", "pause:3.9", "registry.k8s.io/pause:3.9", "gcr.io/google_containers/pause:2.0"]
    program = Entry(f"#!/bin/sh\n{_WAIT}\n".encode(), 0o755)
    return build_image(*tags, base=busybox, files={"/pause": program}, command=["/pause"])


def _web(busybox: Image, version: str, *tags: str) -> Image:
    """`GET /` answers its version, `/healthz` ok, `/cgi-bin/hostname` who answers, `/cgi-bin/environment` variables."""
    files = {
        "/www/index.html": Entry(f"{version}\n".encode()),
        "/www/healthz": Entry(b"ok\n"),
        "/www/cgi-bin/hostname": Entry(_CGI.format(command="hostname").encode(), 0o755),
        "/www/cgi-bin/environment": Entry(_CGI.format(command="env").encode(), 0o755),
    }
    serve = _SERVE.format(port="${PORT:-80}", directory="/www")
    return build_image(*tags, base=busybox, files=files, command=["sh", "-c", serve], ports=["80/tcp"])


def _tomcat(busybox: Image) -> Image:
    serve = _SERVE.format(port=8080, directory=f"{TOMCAT}/webapps")
    files = {
        f"{TOMCAT}/bin/start.sh": Entry(f"#!/bin/sh\n{serve}\n".encode(), 0o755),
        f"{TOMCAT}/webapps/index.html": Entry(b"tomcat\n"),
    }
    tags = ["mytomcat:7.0", "resouer/mytomcat:7.0"]
    return build_image(*tags, base=busybox, files=files, command=[f"{TOMCAT}/bin/start.sh"], ports=["8080/tcp"])
