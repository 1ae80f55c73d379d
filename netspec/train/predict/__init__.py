"""Trained runs put to use: loaded again and asked about new rows."""
