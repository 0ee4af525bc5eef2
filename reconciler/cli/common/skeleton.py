"""The files of a new GitOps repository, as text. Pure."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from typing import NamedTuple

import click

from hosts.ssh.target import PublicKey

_HOST = re.compile(
    r"(?P<name>[a-z0-9]([a-z0-9.-]*[a-z0-9])?)=((?P<user>[A-Za-z_][\w.-]*)@)?"
    r"(\[(?P<six>[0-9A-Fa-f:]+)\]|(?P<address>[\w.-]+))(:(?P<port>\d{1,5}))?"
)


class NewHost(NamedTuple):
    """A host as it was named on the command line. user: '' for the cluster's default."""

    name: str
    address: str
    user: str = ""
    port: int = 22


def parse_host(text: str) -> NewHost:
    """`NAME=[USER@]ADDRESS[:PORT]`; an IPv6 address stands in brackets. Raises UsageError."""
    match = _HOST.fullmatch(text)
    if match is None:
        raise click.UsageError(f"--host {text!r} is not NAME=[USER@]ADDRESS[:PORT], e.g. alpha=root@192.0.2.11")
    port = int(match["port"] or 22)
    return NewHost(match["name"], match["six"] or match["address"], match["user"] or "", port)


def skeleton_files(hosts: Iterable[tuple[NewHost, PublicKey]], *, key_file: str) -> dict[str, str]:
    """Path → text of a repository that is valid as it stands. key_file: private key for the hosts, on this machine."""
    files = {
        "README.md": _README,
        "berth.yaml": _CLUSTER.format(key_file=key_file),
        "apps/hello/hello.yaml": _HELLO,
    }
    for host, key in hosts:
        files[f"hosts/{host.name}.yaml"] = host_manifest(host, key)
    return files if len(files) > 3 else {**files, "hosts/README.md": _HOSTS}


def host_manifest(host: NewHost, key: PublicKey) -> str:
    lines = [
        "apiVersion: berth.dev/v1alpha1",
        "kind: Host",
        "metadata:",
        f"  name: {host.name}",
        "spec:",
        f'  address: "{host.address}"' if ":" in host.address else f"  address: {host.address}",
        *([f"  user: {host.user}"] if host.user else []),
        *([f"  port: {host.port}"] if host.port != 22 else []),
        f"  hostKey: {key.kind} {base64.b64encode(key.blob).decode()}",
    ]
    return "\n".join(lines) + "\n"


_CLUSTER = """\
# Settings of the cluster. Every field: docs/manifests.md of Berth.
apiVersion: berth.dev/v1alpha1
kind: Cluster
metadata:
  name: main
spec:
  ssh:
    user: root
    keyFiles: [{key_file}]     # on the machine that runs `berth run`
"""

_HELLO = """\
# Two pods that say hello. Change something, commit, push: that is a deployment.
apiVersion: apps/v1
kind: Deployment
metadata:
  name: hello
spec:
  replicas: 2
  selector:
    matchLabels: {app: hello}
  template:
    metadata:
      labels: {app: hello}
    spec:
      terminationGracePeriodSeconds: 2
      containers:
        - name: hello
          image: busybox:1.36
          command: ["sh", "-c", "trap exit TERM; while true; do echo hello from $HOSTNAME; sleep 5 & wait $!; done"]
          resources:
            requests: {cpu: 10m, memory: 8Mi}
"""

_HOSTS = """\
One file for each Docker host. The host key is what `ssh-keyscan -t ed25519 ADDRESS` prints after the address:

    apiVersion: berth.dev/v1alpha1
    kind: Host
    metadata:
      name: alpha
    spec:
      address: 192.0.2.11
      user: root
      hostKey: ssh-ed25519 AAAA...
"""

_README = """\
What runs on our Docker hosts. A push to `main` deploys, a revert rolls back; the state of things is on the branch
`berth/status`.

    berth.yaml      settings of the cluster
    hosts/          one file for each Docker host
    apps/<name>/    Kubernetes manifests of one application

Before a push:  `berth validate` and `berth plan`.  Afterwards: `berth get pods -A -o wide`.
"""
