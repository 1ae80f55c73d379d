"""A trained run put to use: it is loaded again and asked about new rows."""
