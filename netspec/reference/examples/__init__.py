"""Specs that show each word; every one passes ``netspec check``."""
