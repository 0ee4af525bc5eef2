"""Keys and sshd configuration of lab hosts: texts and files only, no process is started here."""

from __future__ import annotations

from pathlib import Path

from tests.lab.hostspec import HostSpec
from tests.lab.processes import run

HOST_KEY = "ssh_host_ed25519_key"


def ensure_key(path: Path, *, comment: str) -> None:
    """An ed25519 key pair at `path` and `path`.pub; an existing one is kept."""
    if not path.exists() or not path.with_suffix(".pub").exists():
        new_key(path, comment=comment)


def new_key(path: Path, *, comment: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.unlink(missing_ok=True)
    path.with_suffix(".pub").unlink(missing_ok=True)
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)])


def public_key(path: Path) -> str:
    """`ssh-ed25519 AAAA...`, without the comment."""
    return " ".join(path.with_suffix(".pub").read_text().split()[:2])


def render_config(spec: HostSpec, address: str) -> str:
    """A Debian host's sshd as its package ships it, but for the place of authorized keys and the lab's options.

    `MaxSessions 10` and `MaxStartups 10:30:100` are left at their defaults, where the spec says nothing else: a client
    has to live with them.
    """
    lines = [
        *spec.sshd_lines,
        f"Port {spec.port}",
        f"ListenAddress {address}",
        f"HostKey /etc/ssh/{HOST_KEY}",
        "PidFile /run/sshd.pid",
        "AuthorizedKeysFile /etc/ssh/authorized_keys/%u",
        f"PermitRootLogin {'prohibit-password' if spec.user == 'root' else 'no'}",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "UsePAM no",
        "UseDNS no",
        f"AllowStreamLocalForwarding {'yes' if spec.stream_local_forwarding else 'no'}",
        f"AllowTcpForwarding {'yes' if spec.tcp_forwarding else 'no'}",
        "Subsystem sftp internal-sftp",
    ]
    return "\n".join(lines) + "\n"


def known_hosts_line(address: str, port: int, key: str) -> str:
    name = address if port == 22 else f"[{address}]:{port}"
    return f"{name} {key}\n"
