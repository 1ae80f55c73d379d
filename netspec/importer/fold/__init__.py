"""From the tree of levels to phrases: blocks, loops, residuals and parameters, where the tree repeats itself."""
