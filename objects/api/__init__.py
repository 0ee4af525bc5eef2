"""The structs of the Kubernetes APIs, by group: what a manifest of each kind may say. Hardly any behaviour."""
