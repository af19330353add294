"""`load`: shipped names, folders of several kinds, and what a wrong name is told."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from llmlab.models import SHIPPED, LlamaConfig, UnknownModelError, load
from llmlab.models import loader as loader_module
from llmlab.models.loader import WEIGHTS, is_plain_llama, read_config

from .conftest import TINY, as_hf, left_padded, random_llama


@pytest.fixture
def tokenizer_json() -> str:
    """The shipped tokenizer, cut to nothing: any file that loads will do for models with random weights."""
    return (WEIGHTS / "target" / "tokenizer.json").read_text(encoding="utf-8")


def save_hf(model, folder, tokenizer_json, **options):
    model.save_pretrained(folder, **options)
    (folder / "tokenizer.json").write_text(tokenizer_json, encoding="utf-8")
    return folder


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_names_have_the_whole_interface(name):
    lm = load(name)
    assert lm.name == name and dataclasses.is_dataclass(lm.config) and isinstance(lm.config, LlamaConfig)
    assert lm.config == lm.model.config and lm.vocab_size == lm.config.vocab_size == len(lm.pieces)
    assert (lm.pad_id, lm.bos_id, lm.eos_id) == (0, 1, 2)
    ids = torch.tensor([lm.encode("47 + 38 = 85"), lm.encode("52 - 38 = 14")])
    out = lm.next_logits(ids)
    assert out.shape == (2, 2048) and out.dtype == torch.float32 and not out.requires_grad
    assert name in repr(lm)


def test_target_is_the_default():
    assert load().name == "target"


def test_wrong_names_are_told_what_there_is():
    with pytest.raises(LookupError) as caught:
        load("traget")
    assert isinstance(caught.value, UnknownModelError)
    message = str(caught.value)
    for part in ("'traget'", "Did you mean 'target'?", *SHIPPED, "config.json", "owner/name"):
        assert part in message
    with pytest.raises(LookupError, match="no model 'xyzzy'") as caught:
        load("xyzzy")
    assert "Did you mean" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "../nowhere", "/nowhere/at/all", "a/b/c", "./x"])
def test_paths_that_are_not_there_are_named(name):
    if name == "":
        with pytest.raises(LookupError, match="no model ''"):
            load(name)
    else:
        with pytest.raises(LookupError, match=f"no model '{name}'"):
            load(name)


def test_a_folder_without_config_is_named(tmp_path):
    with pytest.raises(LookupError, match="has no config.json"):
        load(tmp_path)


def test_a_hub_name_without_a_network_is_told_so():
    """The suite runs with the hub switched off."""
    with pytest.raises(LookupError, match="no model 'nobody/nothing'.*the hub did not give it"):
        load("nobody/nothing")


def test_a_hub_name_with_a_network_loads_the_folder_it_gives(monkeypatch):
    asked = []
    monkeypatch.setattr(
        "huggingface_hub.snapshot_download", lambda name, **_: asked.append(name) or WEIGHTS / "draft"
    )
    lm = load("someone/small-llama")
    assert asked == ["someone/small-llama"] and lm.name == "someone/small-llama"
    assert torch.equal(lm.model.lm_head.weight, load("draft").model.lm_head.weight)


def test_weights_in_several_files_and_untied(tmp_path, tokenizer_json):
    model = random_llama(dataclasses.replace(TINY, tie_word_embeddings=False))
    save_hf(as_hf(model), tmp_path, tokenizer_json, max_shard_size="20KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    lm = load(tmp_path)
    ids = torch.randint(97, (2, 9), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.equal(lm.logits(ids), model(ids))


def test_weights_that_do_not_fit_are_named(tmp_path, tokenizer_json):
    save_hf(as_hf(random_llama()), tmp_path, tokenizer_json)
    state = load_file(tmp_path / "model.safetensors")
    del state["model.norm.weight"]
    save_file(state, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"missing \['model.norm.weight'\]"):
        load(tmp_path)


def test_gpt2_goes_through_transformers(tmp_path, tokenizer_json):
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    hf = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=2048, n_positions=64, n_embd=32, n_layer=2, n_head=2, bos_token_id=1, eos_token_id=2
        )
    ).eval()
    save_hf(hf, tmp_path, tokenizer_json)
    (tmp_path / "tokenizer_config.json").write_text(
        (WEIGHTS / "target" / "tokenizer_config.json").read_text()
    )
    lm = load(tmp_path)
    rows = [lm.encode("one two three"), lm.encode("four")]
    ids, mask = left_padded(rows)
    with torch.no_grad():
        alone = torch.stack([hf(torch.tensor([row])).logits[0, -1] for row in rows])
    assert (lm.next_logits(ids, mask) - alone).abs().max() <= 1e-4
    cache = lm.new_cache(2)
    parts = [lm.logits(ids[:, :2], mask[:, :2], cache), lm.logits(ids[:, 2:], mask[:, 2:], cache)]
    assert cache.length == ids.shape[1]
    difference = torch.cat(parts, dim=1) - lm.logits(ids, mask)
    assert difference[mask.bool()].abs().max() <= 1e-4
    cache.truncate(2)
    again = lm.logits(ids[:, 2:], mask[:, 2:], cache)
    assert (again - parts[1]).abs().max() <= 1e-5
    assert (lm.eos_id, lm.vocab_size, len(lm.pieces)) == (2, 2048, 2048)


def test_a_llama_with_scaled_rope_goes_through_transformers(tmp_path, tokenizer_json):
    from transformers import LlamaConfig as HFConfig
    from transformers import LlamaForCausalLM

    hf = LlamaForCausalLM(
        HFConfig(
            vocab_size=2048,
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=1,
            num_attention_heads=2,
            rope_parameters={"rope_type": "linear", "factor": 4.0, "rope_theta": 10000.0},
        )
    ).eval()
    save_hf(hf, tmp_path, tokenizer_json)
    (tmp_path / "tokenizer_config.json").write_text(
        (WEIGHTS / "target" / "tokenizer_config.json").read_text()
    )
    lm = load(tmp_path)
    ids = torch.arange(5, 25)[None]
    with torch.no_grad():
        assert (lm.logits(ids) - hf(ids).logits).abs().max() <= 1e-4


@pytest.mark.parametrize(
    "change",
    [
        {"model_type": "gpt2"},
        {"attention_bias": True},
        {"mlp_bias": True},
        {"hidden_act": "gelu"},
        {"rope_scaling": {"type": "linear", "factor": 2.0}},
        {"rope_parameters": {"rope_type": "llama3"}},
    ],
)
def test_what_the_lean_forward_does_not_compute_it_does_not_take(change):
    raw = json.loads((WEIGHTS / "target" / "config.json").read_text())
    assert is_plain_llama(raw)
    assert not is_plain_llama({**raw, **change})


def test_configs_of_transformers_4_are_read():
    raw = {
        "vocab_size": 10,
        "hidden_size": 8,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "rope_theta": 5e5,
    }
    config = read_config(raw)
    assert (config.head_dim, config.num_key_value_heads, config.rope_theta) == (4, 2, 5e5)
    assert (config.rms_norm_eps, config.tie_word_embeddings) == (1e-6, False)  # the defaults of LlamaConfig


def test_several_end_tokens_and_none():
    assert loader_module.special_ids({"eos_token_id": [7, 8], "bos_token_id": None}) == {"eos": 7}


def test_shipped_models_never_import_transformers():
    code = (
        "import sys\nfrom llmlab.models import load\nimport torch\n"
        "for name in ('target', 'draft', 'wide', 'outlier'):\n"
        "    load(name).next_logits(torch.tensor([[1, 5]]))\n"
        "try:\n    load('drafft')\nexcept LookupError:\n    pass\n"
        "print(sorted(m for m in sys.modules if m.split('.')[0] == 'transformers'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
