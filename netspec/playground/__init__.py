"""The playground: a page in which specs are written and seen, with netspec itself running in the browser.

``session`` is what runs there and answers the page; ``build`` lays the page out in a folder, with the packages that
``lock.json`` names; ``link`` makes links to it that hold a spec. None of it needs torch.
"""
