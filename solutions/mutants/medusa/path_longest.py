"""Chooses the path with the most matches and cuts it at its first miss.

task: medusa.best_path
says: longest-not-best
"""

def best_path(tokens, parents, next_tokens):
    def matches(node):
        return [int(tokens[n]) == int(next_tokens[parents[n]]) for n in line(node)[1:]]

    def line(node):
        return ([] if parents[node] < 0 else line(parents[node])) + [node]

    node = max(range(len(parents)), key=lambda n: sum(matches(n)))
    good = matches(node)
    return line(node)[: 1 + (good + [False]).index(False)]
