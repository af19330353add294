"""Hidden cases of `quantization`: see `llmlab.grading.hidden`."""

import torch

from llmlab.checks.protocol import Case
from llmlab.checks.quantization import blocks, floats, grids, kquant, layers, nibbles, tables

SEED = 57_301


def extra() -> list[Case]:
    """Other shapes, widths and groups, a table of 8 values, more blocks, a wider layer."""
    generator = torch.Generator().manual_seed(SEED)
    table = torch.tensor([-1.0, -0.62, -0.31, -0.1, 0.0, 0.27, 0.55, 1.0])
    layer = grids.weights(generator, 5, 24, 4, 8)
    codes = torch.randint(-8, 8, (3, 7), generator=generator).to(torch.int8)
    raw = torch.randint(0, 256, (3, 144), generator=generator)
    raw[:, [1, 3]] = raw[:, [1, 3]] % 0x3C
    apart = tables.apart(torch.randn(3, 10, generator=generator), table, 5)
    return [
        grids.symmetric_case(grids.ROWS, grids.weights(generator, 5, 6, 5, "tensor"), 5, "tensor"),
        grids.symmetric_case(grids.GROUPS, grids.weights(generator, 3, 15, 4, 5), 4, 5),
        grids.symmetric_case(grids.CLIPPED, grids.weights(generator, 2, 10, 3, 5, 0.7), 3, 5, 0.7),
        grids.affine_case(grids.MOVED, grids.lopsided(generator, 2, 10, 5, 5, 0.04), 5, 5),
        grids.affine_case(grids.ONE_SIDED, grids.lopsided(generator, 3, 5, 4, "tensor", 0.8), 4, "tensor"),
        nibbles.pack_case(nibbles.REFUSED, codes),
        nibbles.unpack_case(nibbles.ODD, torch.tensor(nibbles.packed_by_hand(codes.tolist()), dtype=torch.uint8), 7),
        floats.decode_case(floats.SPECIAL, [0, 1, 31, 32, 0x3E0, 0x3E1, 0x200 + 0x3E0, 0x1FF], (5, 5, True)),
        floats.round_case(floats.NEAREST, (torch.randn(30, generator=generator) * 3).tolist(), floats.E4M3),
        tables.codes_case(tables.OTHER, apart, table, 5),
        tables.double_case(tables.MANY, generator, 32, 16),
        blocks.eight_case(blocks.BLOCKS, blocks.weights(generator, 5, 127.0)),
        blocks.four_case(blocks.LAYOUT, blocks.weights(generator, 5, 8.0)),
        kquant.write_case(kquant.FIELDS, torch.stack([kquant.numbers(generator, lift) for lift in (0.0, -0.5, 0.5)])),
        kquant.read_case(kquant.NUMBERS, raw.to(torch.uint8)),
        layers.cache_case(layers.FEWER, generator, (2, 2, 6, 3), 5),
        layers.output_case(layers.BIAS, layer, torch.randn(5, generator=generator), 8,
                           torch.randn(2, 3, 24, generator=generator)),
        layers.bits_case(2 + (4 + 4 + 2.0) / 16, (2, 16, 4, 4, 16)),
    ]
