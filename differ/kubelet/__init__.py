"""The kubelet as a pure function: desired pods against observed containers, to actions and status."""
