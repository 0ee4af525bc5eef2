"""Tables of apimachinery `util/validation`: spelling of names and addresses."""

from __future__ import annotations

import re

from objects.syntax import (
    cidr_problem,
    dns_subdomain_with_underscore_problem,
    domain_prefixed_key_problem,
    fully_qualified_name_problem,
    ip_problem,
)
from objects.validation.found import Found
from tests.kubernetes.tables import Case, table

LEFT_OUT: dict[str, str] = {}


def canonical_form_in(text: str) -> set[str]:
    """What a message says should be written instead: in quotes or parentheses."""
    return set(re.findall(r'[("\s]([0-9a-f:.]*[:.][0-9a-f:./]*)[)"\s]?', text))


@table("apimachinery_util_validation/ip__TestIsValidIP")
def test_ip(case: Case) -> None:
    strict, lenient = ip_problem(case["in"], canonical=True), ip_problem(case["in"])
    assert (bool(strict), bool(lenient)) == (bool(case["err"]), bool(case["legacyStrictErr"]))
    if "canonical form" in case["err"]:
        assert canonical_form_in(strict) == canonical_form_in(case["err"])


@table("apimachinery_util_validation/ip__TestIsValidCIDR")
def test_cidr(case: Case) -> None:
    strict, lenient = cidr_problem(case["in"], canonical=True), cidr_problem(case["in"])
    assert (bool(strict), bool(lenient)) == (bool(case["err"]), bool(case["legacyStrictErr"]))
    if "canonical form" in case["err"]:
        assert canonical_form_in(strict) == canonical_form_in(case["err"])


@table("apimachinery_util_validation/ip__TestGetWarningsForIP")
def test_what_kubernetes_warns_about_is_refused_or_not_canonical(case: Case) -> None:
    assert bool(ip_problem(case["address"], canonical=True)) == bool(case.get("want"))


@table("apimachinery_util_validation/ip__TestGetWarningsForCIDR")
def test_networks_that_kubernetes_warns_about(case: Case) -> None:
    assert bool(cidr_problem(case["cidr"], canonical=True)) == bool(case.get("want"))


@table("apimachinery_util_validation/validation__TestIsDNS1123SubdomainWithUnderscore")
def test_subdomain_with_underscore(case: Case) -> None:
    assert bool(dns_subdomain_with_underscore_problem(case["value"])) == bool(case.get("expected"))


@table("apimachinery_util_validation/validation__TestIsDomainPrefixedKey")
def test_domain_prefixed_key(case: Case) -> None:
    assert bool(domain_prefixed_key_problem(case["value"])) == bool(case["expected"])


@table("apimachinery_util_validation/validation__TestIsFullyQualifiedName")
def test_fully_qualified_name(case: Case) -> None:
    assert bool(fully_qualified_name_problem(case["targetName"])) == bool(case.get("err"))


@table("apimachinery_util_validation/validation__TestIsInRange")
def test_range(case: Case) -> None:
    found = Found()
    found.number((), case["value"], least=case["min"], most=case["max"])
    # The table holds the cases that are out of range; those within are not in it.
    assert bool(found.errors) == (not case["min"] <= case["value"] <= case["max"])
