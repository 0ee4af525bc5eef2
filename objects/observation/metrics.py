"""Where pods tell metrics of their own, and how these are read, as values."""

from __future__ import annotations

from objects.observation.host import ObservedStruct


class MetricPattern(ObservedStruct):
    """A metric that a regular expression finds: its first group is the value. is_counter: it only ever grows."""

    name: str
    pattern: str
    is_counter: bool = False


class MetricEndpoint(ObservedStruct):
    """An HTTP endpoint of a pod. patterns: none for the text format of Prometheus."""

    port: int
    path: str = "/metrics"
    is_tls: bool = False
    patterns: tuple[MetricPattern, ...] = ()


class Scrape(ObservedStruct):
    """One endpoint of one pod that is to be read. names: of the metrics that somebody asks for."""

    pod_uid: str
    address: str
    endpoint: MetricEndpoint
    names: tuple[str, ...]


class Scraped(ObservedStruct):
    """What an endpoint answered. problem: why it did not, '' when it did."""

    scrape: Scrape
    text: str = ""
    problem: str = ""


class MetricReading(ObservedStruct):
    """One value of one metric of a pod, summed over its series."""

    value: float
    is_counter: bool = False


class QueryResult(ObservedStruct):
    """What a metrics server says to a query now. value: None when it says nothing; problem: why, '' when it did."""

    query: str
    value: float | None = None
    problem: str = ""
