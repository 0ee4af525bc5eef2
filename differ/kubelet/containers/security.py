"""`securityContext` of pod and container in Docker's terms. Pure.

A container's setting wins over the pod's. Where nothing is said about seccomp and AppArmor, Docker's default profiles
stay: Kubernetes would run unconfined, and safer is better here.
"""

from __future__ import annotations

from differ.kubelet.actions import SecuritySettings
from objects.api.pods import (
    AppArmorProfile,
    Container,
    Pod,
    PodSecurityContext,
    SeccompProfile,
    SecurityContext,
    SELinuxOptions,
)
from objects.errors import ContainerConfigError


def security_settings(pod: Pod, container: Container) -> SecuritySettings:
    """What the process may. Raises ContainerConfigError for a contradiction or a profile that cannot be had."""
    outer = pod.spec.security_context or PodSecurityContext()
    inner = container.security_context or SecurityContext()
    user = outer.run_as_user if inner.run_as_user is None else inner.run_as_user
    group = outer.run_as_group if inner.run_as_group is None else inner.run_as_group
    non_root = outer.run_as_non_root if inner.run_as_non_root is None else inner.run_as_non_root
    if non_root and user == 0:
        raise ContainerConfigError(f"container {container.name}: runAsUser 0 breaks its runAsNonRoot")
    if group is not None and user is None:
        # Docker reads `user[:group]`: a group alone would need the name of the image's user.
        raise ContainerConfigError(f"container {container.name}: runAsGroup needs a runAsUser")
    groups = (*outer.supplemental_groups, *(() if outer.fs_group is None else (outer.fs_group,)))
    capabilities = inner.capabilities
    return SecuritySettings(
        user="" if user is None else str(user) + ("" if group is None else f":{group}"),
        forbids_root=bool(non_root) and user is None,
        groups=tuple(str(group) for group in dict.fromkeys(groups)),
        is_privileged=bool(inner.privileged),
        has_read_only_root=bool(inner.read_only_root_filesystem),
        added_capabilities=capabilities.add if capabilities else (),
        dropped_capabilities=capabilities.drop if capabilities else (),
        options=_options(outer, inner),
    )


def _options(outer: PodSecurityContext, inner: SecurityContext) -> tuple[str, ...]:
    options = []
    if inner.allow_privilege_escalation is False:
        options.append("no-new-privileges")
    options += _seccomp(inner.seccomp_profile or outer.seccomp_profile)
    options += _app_armor(inner.app_armor_profile or outer.app_armor_profile)
    options += _se_linux(inner.se_linux_options or outer.se_linux_options)
    if inner.proc_mount == "Unmasked":
        options.append("systempaths=unconfined")
    return tuple(options)


def _seccomp(profile: SeccompProfile | None) -> list[str]:
    if profile is None or profile.type == "RuntimeDefault":
        return []
    if profile.type == "Unconfined":
        return ["seccomp=unconfined"]
    raise ContainerConfigError(f"seccomp profile {profile.localhost_profile}: profiles of the host are not supported")


def _app_armor(profile: AppArmorProfile | None) -> list[str]:
    if profile is None or profile.type == "RuntimeDefault":
        return []
    return ["apparmor=unconfined" if profile.type == "Unconfined" else f"apparmor={profile.localhost_profile}"]


def _se_linux(options: SELinuxOptions | None) -> list[str]:
    if options is None:
        return []
    parts = {"user": options.user, "role": options.role, "type": options.type, "level": options.level}
    return [f"label={name}:{value}" for name, value in parts.items() if value]
