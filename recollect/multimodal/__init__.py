"""Samples of several modalities and the networks that read them."""
