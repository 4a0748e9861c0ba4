"""Pre-trained backbones and what methods on them share: adaptations, class statistics, merging, alignment.

Nothing is imported here: `registry` is read while planning, without torch.
"""
