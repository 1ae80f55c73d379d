"""The parts that all ops share: the base class, the types of arguments, memory layout, window arithmetic."""
