"""Which printer lists which kind. A kind without one is listed by name and age."""

from __future__ import annotations

from typing import Final

from objects.api.pods import Pod
from reconciler.cli.printing.cluster import CLUSTER_PRINTERS
from reconciler.cli.printing.configuration import CONFIGURATION_PRINTERS, PLAIN_PRINTER
from reconciler.cli.printing.network import NETWORK_PRINTERS
from reconciler.cli.printing.pods import POD_PRINTER
from reconciler.cli.printing.table import TablePrinter
from reconciler.cli.printing.workloads import WORKLOAD_PRINTERS

PRINTERS: Final[dict[str, TablePrinter]] = {
    Pod.KIND: POD_PRINTER,
    **WORKLOAD_PRINTERS,
    **CLUSTER_PRINTERS,
    **NETWORK_PRINTERS,
    **CONFIGURATION_PRINTERS,
}


def printer_of(kind: str) -> TablePrinter:
    """kind: as in a manifest (`Deployment`)."""
    return PRINTERS.get(kind, PLAIN_PRINTER)
