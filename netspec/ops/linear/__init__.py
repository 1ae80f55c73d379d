"""Products of matrices: linear layers, `matmul`, `einsum`."""
