"""The sources of specs beside a path: blocks of other files, and files of a git revision."""
