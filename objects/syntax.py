"""The spelling rules of Kubernetes: names, labels, keys, addresses. Each returns what is wrong in words, or ''.

Only single texts are judged here; what a whole object needs is in `objects.validation`.

Rules: apimachinery `util/validation` (tables `apimachinery_util_validation`).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

Problem = Callable[[str], str]
"""Takes a text; returns '' when it is fine, else what is wrong and what is allowed."""

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_DNS_1035_LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_DNS_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_DNS_SUBDOMAIN_UNDERSCORE = re.compile(r"_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*")
_QUALIFIED_NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_ENV_NAME = re.compile(r"[ -<>-~]+")
_CONFIG_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_PORT_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_HTTP_HEADER = re.compile(r"[-A-Za-z0-9]+")
_PATH = re.compile(r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+")
_PERCENT = re.compile(r"[0-9]+%")


def dns_label_problem(text: str) -> str:
    """RFC 1123 label: names of namespaces, containers, volumes."""
    if len(text) <= 63 and _DNS_LABEL.fullmatch(text):
        return ""
    return _why_not(text, 63, "lower-case letters, digits and '-', with a letter or digit first and last")


def dns_1035_label_problem(text: str) -> str:
    """RFC 1035 label: names of services, which must begin with a letter."""
    if len(text) <= 63 and _DNS_1035_LABEL.fullmatch(text):
        return ""
    return _why_not(text, 63, "lower-case letters, digits and '-', with a letter first and a letter or digit last")


def dns_subdomain_problem(text: str) -> str:
    """RFC 1123 subdomain: names of most objects (`my-app`, `db.example.com`)."""
    if len(text) <= 253 and _DNS_SUBDOMAIN.fullmatch(text):
        return ""
    return _why_not(
        text, 253, "lower-case letters, digits, '-' and '.', with a letter or digit first and last in each part"
    )


def dns_subdomain_with_underscore_problem(text: str) -> str:
    """As `dns_subdomain_problem`, each part may also hold '_'."""
    if len(text) <= 253 and _DNS_SUBDOMAIN_UNDERSCORE.fullmatch(text):
        return ""
    return _why_not(text, 253, "lower-case letters, digits, '_', '-' and '.', with a letter or digit last in each part")


def fully_qualified_name_problem(text: str) -> str:
    """A subdomain of at least three parts, as `metrics.example.com`."""
    return dns_subdomain_problem(text) or (
        "" if text.count(".") >= 2 else "must have at least three parts separated by dots"
    )


def label_key_problem(text: str) -> str:
    """A label or annotation key: `[prefix/]name`, the prefix a DNS subdomain, the name at most 63 characters."""
    prefix, slash, name = text.rpartition("/")
    if slash:
        problem = dns_subdomain_problem(prefix) if prefix else "must not be empty"
        if problem:
            return f"prefix before '/' {problem}"
    if not name:
        return "name part must not be empty"
    if len(name) <= 63 and _QUALIFIED_NAME.fullmatch(name):
        return ""
    return f"name part {_why_not(name, 63, _QUALIFIED_WORDS)}"


def domain_prefixed_key_problem(text: str) -> str:
    """A label key whose prefix is required, as `example.com/name`."""
    if "/" not in text:
        return "must have a domain before it, as example.com/name"
    return label_key_problem(text)


def domain_prefixed_path_problem(text: str) -> str:
    """A path below a domain, as `example.com/ingress-controller`."""
    domain, slash, path = text.partition("/")
    if not slash or not path:
        return "must have a domain before it, as example.com/name"
    if problem := dns_subdomain_problem(domain):
        return f"domain before '/' {problem}"
    return "" if _PATH.fullmatch(path) else "must hold no characters that paths of URLs cannot have"


def path_segment_problem(text: str) -> str:
    """What can stand between two '/' of a URL: names of roles, of kinds, of metrics."""
    if not text:
        return "must not be empty"
    if text in (".", "..") or "/" in text or "%" in text:
        return "must not be '.' or '..' and must not hold '/' or '%'"
    return ""


def label_value_problem(text: str) -> str:
    """A label value: empty, or at most 63 characters."""
    if not text or (len(text) <= 63 and _QUALIFIED_NAME.fullmatch(text)):
        return ""
    return _why_not(text, 63, _QUALIFIED_WORDS)


_QUALIFIED_WORDS = "letters, digits, '-', '_' and '.', with a letter or digit first and last"


def env_name_problem(text: str) -> str:
    """Name of an environment variable: printable ASCII without '='."""
    if _ENV_NAME.fullmatch(text):
        return ""
    return "must be printable ASCII characters without '='" if text else "must not be empty"


def config_key_problem(text: str) -> str:
    """Key of a ConfigMap or Secret: usable as a file name."""
    if text in (".", "..") or text.startswith(".."):
        return "must not begin with '..' and must not be '.'"
    if len(text) <= 253 and _CONFIG_KEY.fullmatch(text):
        return ""
    return _why_not(text, 253, "letters, digits, '-', '_' and '.'")


def port_name_problem(text: str) -> str:
    """Name of a port (an IANA service name): at most 15 characters with at least one letter."""
    if len(text) <= 15 and _PORT_NAME.fullmatch(text) and re.search("[a-z]", text):
        return ""
    return _why_not(text, 15, "lower-case letters, digits and single '-' between them, with at least one letter")


def http_header_problem(text: str) -> str:
    return "" if _HTTP_HEADER.fullmatch(text) else "must be an HTTP header's name: letters, digits and '-'"


def percent_problem(text: str) -> str:
    """`25%`: what may stand where a number of pods can be given as a share."""
    return "" if _PERCENT.fullmatch(text) else "must be a whole number or a percentage such as 25%"


def _why_not(text: str, limit: int, allowed: str) -> str:
    if not text:
        return "must not be empty"
    if len(text) > limit:
        return f"must be at most {limit} characters long (it has {len(text)})"
    return f"may only hold {allowed}"


# --- addresses ----------------------------------------------------------------------------------------------------


def ip_problem(text: str, *, canonical: bool = False) -> str:
    """An IPv4 or IPv6 address without port, brackets or zone. canonical: also in its RFC 5952 spelling."""
    if _has_leading_zero(text):
        return "must not have leading zeros (10.0.0.1, not 10.0.0.01)"
    if "%" in text:
        return "must be an IP address without a zone"
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return "must be an IP address"
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return f"must not be an IPv4-mapped IPv6 address (write {address.ipv4_mapped})"
    return f"must be in canonical form ({address})" if canonical and str(address) != text else ""


def cidr_problem(text: str, *, canonical: bool = False) -> str:
    """A network such as 10.0.0.0/8: no address bits beyond the prefix. canonical: also in RFC 5952 spelling."""
    address, slash, prefix = text.partition("/")
    if not slash or not re.fullmatch("[0-9]{1,3}", prefix):
        return "must be a network in CIDR form such as 10.0.0.0/8"
    problem = ip_problem(address)
    if problem:
        return f"must be a network in CIDR form such as 10.0.0.0/8; its address {problem}"
    if len(prefix) > 1 and prefix.startswith("0"):
        return "must not have leading zeros in its prefix length"
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return "must be a network in CIDR form such as 10.0.0.0/8"
    if str(network.network_address) != str(ipaddress.ip_address(address)):
        return f"must not have address bits beyond its prefix length (write {network})"
    return f"must be in canonical form ({network})" if canonical and str(network) != text else ""


def _has_leading_zero(text: str) -> bool:
    """Whether an IPv4 part begins with 0: some programs read it as octal, others as decimal."""
    dotted = text.rpartition(":")[2]
    return re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,4}){3}", dotted) is not None and any(
        len(part) > 1 and part.startswith("0") for part in dotted.split(".")
    )
