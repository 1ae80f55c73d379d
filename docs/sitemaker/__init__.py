"""The documentation site: pages written by hand, pages made of netspec's own classes, and one command that joins them.

``assemble`` gathers the sources beside the site and has Zensical build them; the other modules make the pages of a part
of the reference each. Nothing that is made is committed.
"""
