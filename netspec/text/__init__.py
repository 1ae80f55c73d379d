"""Texts that leave netspec: one function that quotes for each target, and the spelling of quantities with units."""
