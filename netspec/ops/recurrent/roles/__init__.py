"""The roles that the recurrent layers share, as in ``netspec.ops.core.roles``."""
