"""One worker a host: observe, plan, perform, report."""
