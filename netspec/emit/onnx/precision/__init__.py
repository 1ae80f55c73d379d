"""Graphs in other precisions than they were trained in."""
