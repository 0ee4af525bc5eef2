"""Spelling rules: what passes, and what is said otherwise."""

from __future__ import annotations

import pytest

from objects.syntax import (
    Problem,
    cidr_problem,
    config_key_problem,
    dns_1035_label_problem,
    dns_label_problem,
    dns_subdomain_problem,
    env_name_problem,
    ip_problem,
    label_key_problem,
    label_value_problem,
    port_name_problem,
)


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        pytest.param(dns_label_problem, "a-1", id="label"),
        pytest.param(dns_label_problem, "1a", id="label-digit-first"),
        pytest.param(dns_1035_label_problem, "a1", id="service"),
        pytest.param(dns_subdomain_problem, "db.example.com", id="subdomain"),
        pytest.param(label_key_problem, "app.kubernetes.io/name", id="prefixed-key"),
        pytest.param(label_key_problem, "App_1.x", id="key-with-capitals"),
        pytest.param(label_value_problem, "", id="empty-value"),
        pytest.param(env_name_problem, "MY.VAR-1", id="env"),
        pytest.param(config_key_problem, "redis.conf", id="config-key"),
        pytest.param(port_name_problem, "http-server", id="port-name"),
        pytest.param(ip_problem, "10.0.0.1", id="ipv4"),
        pytest.param(ip_problem, "2001:db8::1", id="ipv6"),
        pytest.param(ip_problem, "2001:db8:0:0::1", id="ipv6-long"),
        pytest.param(cidr_problem, "10.0.0.0/8", id="cidr"),
        pytest.param(cidr_problem, "::/0", id="cidr-6"),
    ],
)
def test_passes(rule: Problem, text: str) -> None:
    assert rule(text) == ""


@pytest.mark.parametrize(
    ("rule", "text", "part"),
    [
        pytest.param(dns_label_problem, "A", "lower-case letters", id="capital"),
        pytest.param(dns_label_problem, "a.b", "lower-case letters", id="dot-in-label"),
        pytest.param(dns_label_problem, "-a", "first and last", id="dash-first"),
        pytest.param(dns_label_problem, "a\n", "lower-case letters", id="newline"),
        pytest.param(dns_label_problem, "", "must not be empty", id="empty"),
        pytest.param(dns_label_problem, "a" * 64, "at most 63 characters long (it has 64)", id="long"),
        pytest.param(dns_1035_label_problem, "1a", "a letter first", id="service-digit-first"),
        pytest.param(dns_subdomain_problem, "a..b", "in each part", id="two-dots"),
        pytest.param(label_key_problem, "a/b/c", "prefix before '/'", id="two-slashes"),
        pytest.param(label_key_problem, "/b", "prefix before '/' must not be empty", id="empty-prefix"),
        pytest.param(label_key_problem, "a/", "name part must not be empty", id="empty-name"),
        pytest.param(label_value_problem, "a b", "letters, digits", id="space"),
        pytest.param(env_name_problem, "A=B", "without '='", id="equals"),
        pytest.param(config_key_problem, "..", "'..'", id="dots"),
        pytest.param(config_key_problem, "a/b", "letters, digits", id="slash"),
        pytest.param(port_name_problem, "a-very-long-name", "at most 15", id="long-port-name"),
        pytest.param(port_name_problem, "80", "at least one letter", id="port-number-as-name"),
        pytest.param(port_name_problem, "a--b", "single '-'", id="two-dashes"),
        pytest.param(ip_problem, "10.0.0.01", "leading zeros", id="leading-zero"),
        pytest.param(ip_problem, "::ffff:10.0.0.1", "write 10.0.0.1", id="mapped"),
        pytest.param(ip_problem, "fe80::1%eth0", "without a zone", id="zone"),
        pytest.param(cidr_problem, "10.0.0.1", "CIDR form", id="no-prefix"),
        pytest.param(cidr_problem, "10.0.0.1/8", "write 10.0.0.0/8", id="bits-beyond"),
        pytest.param(cidr_problem, "10.0.0.0/33", "CIDR form", id="prefix-too-long"),
        pytest.param(cidr_problem, "10.0.0.0/08", "leading zeros", id="prefix-leading-zero"),
    ],
)
def test_is_refused_with_a_reason(rule: Problem, text: str, part: str) -> None:
    assert part in rule(text)


def test_canonical_spelling_on_request() -> None:
    assert ip_problem("2001:db8:0:0::1", canonical=True) == "must be in canonical form (2001:db8::1)"
    assert cidr_problem("2001:DB8::/32", canonical=True) == "must be in canonical form (2001:db8::/32)"
