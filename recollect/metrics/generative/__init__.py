"""How good generated samples are: pure functions on feature arrays (N, D) or images, plain numbers out.

Importing any module here is cheap; torch, torch-fidelity, scikit-learn and SciPy load when a function needs them.
"""
