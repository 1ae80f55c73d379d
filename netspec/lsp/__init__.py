"""The language server: what an editor asks about a spec while it is being written."""
