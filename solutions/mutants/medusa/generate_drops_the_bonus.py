"""Writes the accepted candidates and forgets the bonus, which only becomes the next root.

task: medusa.generate
says: drops-bonus-token
"""

def generate(model, cache, heads, ids, max_new_tokens, tops):
    if max_new_tokens < 1:
        raise ValueError(f"max_new_tokens must be 1 or more, got {max_new_tokens}")
    row = tree_pass(model, cache, ids, list(range(-1, len(ids) - 1)))[:, -1:]
    root = int(model.logits(row).argmax())
    new, sizes = [root], []
    while len(new) < max_new_tokens:
        past = cache.length()
        tokens, parents = candidate_tree(root, head_logits(model, heads, row)[:, 0], tops)
        x = tree_pass(model, cache, tokens, parents)
        next_tokens = model.logits(x)[0].argmax(-1)  # (N,)
        path = best_path(tokens, parents, next_tokens)
        cache.keep([*range(past), *(past + node for node in path)])
        row = x[:, path[-1:]]
        new += next_tokens[path[:-1]].tolist()
        root = int(next_tokens[path[-1]])
        sizes.append(len(path))
    return new[:max_new_tokens], sizes
