"""The notes in files that netspec wrote: the op and the block that nodes are. Each is believed where it is proven."""
