"""Everything that ``netspec check`` looks at: faults, expectations, and what nothing reads."""
