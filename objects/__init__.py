"""The Kubernetes objects that Berth acts on, as immutable typed values.

Pure leaf of the architecture: nothing here reads a clock, draws a random number, does I/O or logs, and nothing here
imports another room.
"""
