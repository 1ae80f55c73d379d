"""Ops on signals: Fourier transforms, whole and of short stretches. A complex number is a pair, the last dimension."""
