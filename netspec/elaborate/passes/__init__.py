"""Passes over finished levels.

``hoisting`` runs on each scan's level as it is closed, so that the level is shared as it will stay. The others run on
the network's body, in the order of ``order.PASSES``.
"""
