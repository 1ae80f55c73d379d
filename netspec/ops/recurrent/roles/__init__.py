"""What the recurrent layers share, role by role as in ``netspec.ops.core.roles``."""
