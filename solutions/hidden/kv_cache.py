"""Hidden cases of `kv_cache`: see `llmlab.grading.hidden`."""

import torch

from llmlab.checks.kv_cache import attend, loop, passes, places, rows, stores, windows
from llmlab.checks.kv_cache.engine import splits
from llmlab.checks.kv_cache.tiny import Tiny
from llmlab.checks.protocol import Case

SEED = 53_117


def extra() -> list[Case]:
    """Longer texts, other head counts, three layers, float64, a cut in the middle of a growth."""
    generator = torch.Generator().manual_seed(SEED)
    deep = Tiny(SEED, 6, 3, head_dim=4, layers=3)
    text = passes.texts(generator, deep, (14, 9))
    long = places.left_padded([17, 3, 24], 24)
    teller = stores.Teller(generator, 3, 2, (2, 3, 5), torch.float64)
    teller.append(5).append(1).do("truncate", 4).append(6).do("view", 1).do("truncate", 9).append(1).do(
        "view", 2
    ).do("view", 0)
    return [
        rows.row_case(rows.SCORES, *rows.grown(generator, (2, 2, 7, 7), 2, (0, 6), columns=2)),
        places.place_case(places.PADDED, long, 11),
        places.mask_case(places.PADDED, long, 11),
        places.mask_case(places.WINDOW, long, 6, 5),
        attend.attention_case(attend.GROUPED, *attend.drawn(generator, 2, 8, 4, 3, 9, 4)),
        attend.attention_case(attend.MASKED, *attend.drawn(generator, 2, 6, 2, 4, 9, 3, (9, 5))),
        teller.case(stores.CUT, "three layers, growth after a cut"),
        windows.story(generator, windows.SEEN, 3, 5, (7, 1, 2, 9, 1), (1, 2, 2), ()),
        passes.forward_case(passes.SPLIT, deep, splits(*text, (5, 1, 4, 3, 1)), own="KVCache"),
        passes.forward_case(passes.WINDOW, deep, splits(*text, (6, 1, 5, 2)), window=5, own="WindowCache"),
        passes.prefill_case(passes.MASKED, deep, text, 4, past=3, window=6, own="WindowCache"),
        loop.written(loop.BATCH, generator, SEED, (7, 4), 6, heads=(6, 3), own=True, counted=True),
    ]
