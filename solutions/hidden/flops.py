"""Hidden cases of `flops`: see `llmlab.grading.hidden`."""

from llmlab.checks.flops import intensity, layers, memory, passes, seconds
from llmlab.checks.protocol import Case
from llmlab.models.shapes import ACCELERATORS, MODELS


SEED = 27_182


def extra() -> list[Case]:
    """Real models of other kinds: a wide head (Gemma), a small grouped one, OPT with its biases, other accelerators."""
    gemma, smol, opt = MODELS["Gemma-7B"], MODELS["SmolLM2-135M"], MODELS["OPT-13B"]
    return [
        layers.attention_case(layers.GROUPED, smol, 4, 700, 700),
        layers.attention_case(layers.AFTER, gemma, 1, 9, 2500),
        layers.mlp_case(layers.THREE, gemma, 333),
        passes.forward_case(passes.KINDS, MODELS["Llama-3.1-70B"], 4, 1, 3000),
        passes.generation_case(passes.CACHED, smol, 50, 200, True),
        passes.generation_case(passes.PLAIN, smol, 50, 40, False),
        memory.parameters_case(memory.BIASED, opt),
        memory.parameters_case(memory.GROUPED, gemma),
        memory.cache_case(memory.MANY, MODELS["TinyLlama-1.1B"], 6, 1500, 1),
        memory.batch_case(memory.FITS, MODELS["Mistral-7B"], ACCELERATORS["L4"], 4096),
        intensity.attention_case(intensity.SHARED, smol, 1, 4000),
        seconds.step_case(seconds.STUDY, opt, ACCELERATORS["A100 SXM 80GB"], 10, 2048),
    ]
