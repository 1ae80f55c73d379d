"""Nodes of control flow, and of the sequences that they carry along."""
