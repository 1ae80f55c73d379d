"""Weights from outside: they are found, their keys and shapes are held against a spec's, and they fill its module.

``places`` finds what a text names, ``files`` reads each format, ``matching`` says which tensor becomes which and
``near`` how keys would have to be renamed, ``report`` tells it, ``load`` fills a module. Until then, safetensors need
no torch: their keys and shapes stand in a header of JSON.
"""
