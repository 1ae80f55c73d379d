"""Control flow of other libraries: loops as scans, branches that are both computed."""
