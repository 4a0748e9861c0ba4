"""Corrupted test images: official archives or made here, and how stored classifiers answer on them."""
