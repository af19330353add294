"""Follows each node's first child and gives up if it is wrong.

task: medusa.best_path
says: first-child-only
"""

def best_path(tokens, parents, next_tokens):
    path = [0]
    while path[-1] in parents:
        child = parents.index(path[-1])
        if tokens[child] != next_tokens[path[-1]]:
            break
        path.append(child)
    return path
