"""Compares a node's token with the choice after that node.

task: medusa.best_path
says: compares-with-its-own-choice
"""

def best_path(tokens, parents, next_tokens):
    path = [0]
    for node in range(1, len(parents)):  # a parent stands before its children
        if parents[node] == path[-1] and tokens[node] == next_tokens[node]:
            path.append(node)
    return path
