"""Numbers that differ between equal steps: as parameters, as expressions in an index or over shapes, as lists."""
