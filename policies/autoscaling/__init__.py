"""How many replicas a measured load asks for, and how fast a workload may follow it. Pure arithmetic."""
