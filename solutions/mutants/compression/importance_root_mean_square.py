"""The root of the mean square.

task: compression.channel_importance
says: root-mean-square
"""

def channel_importance(activations):
    return activations.flatten(0, -2).square().mean(0).sqrt()
