"""Small language models that come with the package, and a loader for others.

``load("target")`` gives an LM: the trained model with its tokenizer.
See docs/models.md for what is in the box.
"""

from llmlab.models.llama import KVCache, Llama, LlamaConfig
from llmlab.models.lm import LM
from llmlab.models.loader import SHIPPED, UnknownModelError, load

__all__ = ["LM", "SHIPPED", "KVCache", "Llama", "LlamaConfig", "UnknownModelError", "load"]
