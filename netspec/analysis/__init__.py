"""Analyses: what is true of a graph — costs, memory, constraints — without torch."""
