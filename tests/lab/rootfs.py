"""The file tree of a lab host: the machine's own programs, and everything else private.

`/usr` is the machine's, read-only (mounted at boot by `host_init.sh`); `/etc` has what programs need of the machine's
and users of its own; the rest starts empty. So a host has its own `/var`, `/tmp` and `/run`, and never sees this
repository, the tester's home, or the machine's passwords and keys.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from tests.lab import engines, sshd
from tests.lab.errors import LabError
from tests.lab.hostspec import HostSpec
from tests.lab.names import HostNames
from tests.lab.processes import run

# Above the ids of the people and services that this machine may have.
USER_ID = 20_000
_DIRECTORIES = (
    *("dev", "etc/docker", "home", "mnt", "opt/lab", "proc", "root", "run", "srv", "sys", "usr", ".old"),
    *("var/cache", "var/lib/containerd", "var/lib/docker", "var/log"),
)
_PERSISTENT = ("docker", "containerd", "etc-docker")
_ETC_OF_THE_MACHINE = (
    *("alternatives", "iproute2", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "pam.conf", "pam.d", "security"),
    *("bash.bashrc", "debian_version", "default/locale", "environment", "ethertypes", "gai.conf", "host.conf"),
    *(
        "locale.alias",
        "localtime",
        "login.defs",
        "mime.types",
        "mke2fs.conf",
        "networks",
        "nsswitch.conf",
        "os-release",
    ),
    *("profile", "protocols", "rpc", "services", "shells", "terminfo", "timezone", "xattr.conf"),
)
"""What programs read and everybody may; no user, key, certificate or configuration of a service."""
_PASSWD = """\
root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
sshd:x:101:65534::/run/sshd:/usr/sbin/nologin
dockremap:x:19999:19999::/:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
"""
_GROUP = """\
root:x:0:
daemon:x:1:
tty:x:5:
disk:x:6:
sudo:x:27:
shadow:x:42:
docker:x:998:
dockremap:x:19999:
nogroup:x:65534:
"""
# Whom an engine with `userns-remap: default` makes its containers' root.
_SUBORDINATE_IDS = "dockremap:1000000:65536\n"


def build_root(names: HostNames, spec: HostSpec, *, address: str, client_key: Path) -> None:
    """Make the host's root anew; what its engine has stored (images, above all) is kept beside it and survives."""
    remove_root(names)
    root = names.root
    for directory in _DIRECTORIES:
        (root / directory).mkdir(parents=True, exist_ok=True)
    for directory in ("tmp", "var/tmp"):
        (root / directory).mkdir(parents=True, exist_ok=True)
        (root / directory).chmod(0o1777)
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        _mirror_top_level(Path("/") / name, root / name)
    (root / "var/run").symlink_to("/run")
    _forget_another_engines_data(names, spec)
    for name in _PERSISTENT:
        (names.state / name).mkdir(parents=True, exist_ok=True)
    _write_etc(names, root / "etc")
    _write_user(root, spec)
    _write_ssh(names, spec, address=address, client_key=client_key)
    shutil.copy(Path(__file__).with_name("runc_wrapper.sh"), root / "opt/lab/runc")
    (root / "opt/lab/runc").chmod(0o755)
    (root / "opt/lab/runc.real").touch()
    if spec.memory_bytes:
        memory_info(names).write_text(_render_memory_info(spec.memory_bytes))
    if spec.disk_bytes:
        _ensure_disk(disk_image(names), spec.disk_bytes)


def remove_root(names: HostNames) -> None:
    """Remove the root directory; refused while something is mounted in it, because that would be deleted too."""
    prefix = f"{names.root}/"
    mounted = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    inside = [place for place in mounted if place == str(names.root) or place.startswith(prefix)]
    if inside:
        raise LabError(f"mounted in the root of {names.host}: {', '.join(inside)}; unmount that first")
    if names.root.exists():
        shutil.rmtree(names.root)


def disk_image(names: HostNames) -> Path:
    return names.state / "disk.img"


def memory_info(names: HostNames) -> Path:
    return names.state / "meminfo"


def restore_host_key(names: HostNames) -> None:
    """Give the host back the key that it had when its root was built."""
    for suffix in ("", ".pub"):
        shutil.copy(names.state / f"ssh/{sshd.HOST_KEY}{suffix}", names.root / f"etc/ssh/{sshd.HOST_KEY}{suffix}")


def _mirror_top_level(source: Path, target: Path) -> None:
    """Debian's `/bin -> usr/bin` and its like; a real directory becomes a mount point."""
    if source.is_symlink():
        target.symlink_to(source.readlink())
    elif source.is_dir():
        target.mkdir()


def _write_etc(names: HostNames, etc: Path) -> None:
    present = [name for name in _ETC_OF_THE_MACHINE if os.path.lexists(f"/etc/{name}")]
    run(["env", "-C", "/etc", "cp", "--archive", "--parents", *present, str(etc)])
    (etc / "passwd").write_text(_PASSWD)
    (etc / "group").write_text(_GROUP)
    (etc / "shadow").write_text(
        "".join(f"{line.split(':')[0]}:*:19700:0:99999:7:::\n" for line in _PASSWD.splitlines())
    )
    (etc / "shadow").chmod(0o640)
    for name in ("subuid", "subgid"):
        (etc / name).write_text(_SUBORDINATE_IDS)
    (etc / "sudoers.d").mkdir()
    (etc / "sudoers").write_text("root ALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n")
    (etc / "sudoers").chmod(0o440)
    (etc / "hostname").write_text(f"{names.host}\n")
    (etc / "hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {names.host}\n")
    # Nothing listens there: look-ups are refused at once instead of timing out.
    (etc / "resolv.conf").write_text("nameserver 127.0.0.1\noptions attempts:1\n")


def _write_user(root: Path, spec: HostSpec) -> None:
    etc = root / "etc"
    if spec.user == "root":
        return
    home = root / "home" / spec.user
    home.mkdir()
    os.chown(home, USER_ID, USER_ID)
    _append(etc / "passwd", f"{spec.user}:x:{USER_ID}:{USER_ID}::/home/{spec.user}:/bin/bash\n")
    _append(etc / "group", f"{spec.user}:x:{USER_ID}:\n")
    _append(etc / "shadow", f"{spec.user}:*:19700:0:99999:7:::\n")
    if spec.has_engine:
        _join_group(etc / "group", "docker", spec.user)
    if spec.has_engine and spec.has_sudo:
        rule = etc / "sudoers.d/lab"
        rule.write_text(f"{spec.user} ALL=(ALL) NOPASSWD: ALL\n")
        rule.chmod(0o440)


def _write_ssh(names: HostNames, spec: HostSpec, *, address: str, client_key: Path) -> None:
    directory = names.root / "etc/ssh"
    (directory / "authorized_keys").mkdir(parents=True)
    (directory / "sshd_config").write_text(sshd.render_config(spec, address))
    (directory / "authorized_keys" / spec.user).write_text(client_key.with_suffix(".pub").read_text())
    sshd.ensure_key(names.state / "ssh" / sshd.HOST_KEY, comment=names.host)
    restore_host_key(names)


def _forget_another_engines_data(names: HostNames, spec: HostSpec) -> None:
    """No engine reads what a newer one has stored, nor what lies in another kind of store."""
    engine = spec.engine or engines.machine_engine()
    maker = f"{engine} {json.dumps(spec.engine_settings, sort_keys=True)}\n"
    mark = names.state / "engine-data"
    if mark.exists() and mark.read_text() == maker:
        return
    stored = [str(names.state / name) for name in _PERSISTENT]
    run(["rm", "-rf", "--one-file-system", *stored, str(disk_image(names))])
    names.state.mkdir(parents=True, exist_ok=True)
    mark.write_text(maker)


def _ensure_disk(image: Path, size_bytes: int) -> None:
    """A sparse ext4 image of exactly this size; without blocks reserved for root, so that full means full."""
    if image.exists() and image.stat().st_size == size_bytes:
        return
    image.unlink(missing_ok=True)
    with image.open("wb") as file:
        file.truncate(size_bytes)
    run(["mkfs.ext4", "-q", "-m", "0", "-E", "lazy_itable_init=1,lazy_journal_init=1", str(image)])


def _render_memory_info(total_bytes: int) -> str:
    """The machine's /proc/meminfo with another total. Only the total is true: use is in the host's control group."""
    total = f"{total_bytes // 1024:>8} kB"
    lines = Path("/proc/meminfo").read_text().splitlines()
    totals = ("MemTotal:", "MemFree:", "MemAvailable:")
    return "\n".join(f"{line.split()[0]:<16}{total}" if line.startswith(totals) else line for line in lines) + "\n"


def _append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def _join_group(path: Path, group: str, user: str) -> None:
    lines = []
    for line in path.read_text().splitlines():
        if line.startswith(f"{group}:"):
            line += user if line.endswith(":") else f",{user}"
        lines.append(line)
    path.write_text("\n".join(lines) + "\n")
