"""Byte streams to pods and engines, and questions that hold no thread while they wait."""
