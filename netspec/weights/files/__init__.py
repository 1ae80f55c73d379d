"""The formats that weights come in, a file each: what they hold is known before anything of it is read as numbers."""
