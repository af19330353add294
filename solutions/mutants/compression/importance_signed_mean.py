"""The mean with signs.

task: compression.channel_importance
says: signed-mean
"""

def channel_importance(activations):
    return activations.flatten(0, -2).mean(0)
