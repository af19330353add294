"""The mean over the wrong axis.

task: compression.channel_importance
says: over-the-channels
"""

def channel_importance(activations):
    return activations.abs().mean(-1)
