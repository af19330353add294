"""Cuts the cache to the new length, as after a rejected chain.

task: medusa.generate
says: keeps-the-first-rows
"""

def generate(model, cache, heads, ids, max_new_tokens, tops):
    if max_new_tokens < 1:
        raise ValueError(f"max_new_tokens must be 1 or more, got {max_new_tokens}")
    row = tree_pass(model, cache, ids, list(range(-1, len(ids) - 1)))[:, -1:]
    new, sizes = [int(model.logits(row).argmax())], []
    while len(new) < max_new_tokens:
        past = cache.length()
        tokens, parents = candidate_tree(new[-1], head_logits(model, heads, row)[:, 0], tops)
        x = tree_pass(model, cache, tokens, parents)
        next_tokens = model.logits(x)[0].argmax(-1)  # (N,)
        path = best_path(tokens, parents, next_tokens)
        cache.keep([*range(past), *range(past, past + len(path))])
        row = x[:, path[-1:]]
        new += next_tokens[path].tolist()  # the target's choices: the accepted tokens and the bonus
        sizes.append(len(path))
    return new[:max_new_tokens], sizes
