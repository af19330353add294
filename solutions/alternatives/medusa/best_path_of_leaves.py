"""Measures how far every path is right, and takes the best.

task: medusa.best_path
"""

def best_path(tokens, parents, next_tokens):
    tokens, choices = tokens.tolist(), next_tokens.tolist()
    paths = {0: [0]}
    for node, parent in enumerate(parents):
        if parent in paths and tokens[node] == choices[parent]:
            paths[node] = [*paths[parent], node]
    return max(paths.values(), key=len)
