"""Readers, one for each form in which data lie on disk or come with a package."""
