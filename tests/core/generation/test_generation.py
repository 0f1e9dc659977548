"""Models that write: ROUGE-L against its reference, loss on the reply alone, exact tasks learnt, reload, odd input."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import fieldtune
from fieldtune.data.dialogues import agent_turns
from fieldtune.errors import ArtefactError, ConfigError, InputError
from fieldtune.evaluate.generation import report, rouge_l, slot_accuracy
from fieldtune.models import generator as writing
from fieldtune.models.card import outdone
from fieldtune.models.encoder import room
from fieldtune.models.generator import Generator
from fieldtune.models.readable import warn_unwritten
from fieldtune.tasks import generation, task_module
from fieldtune.text import detokenise
from fieldtune.train.fit import fit
from fieldtune.train.settings import Settings
from fieldtune.train.tuning import set_dropout
from fieldtune.train.words import NEVER, writing_at_hand

WORDS = "card lost refund order account transfer cancel my the how".split()
REPLIES = {
    "my card is lost": "I am sorry your card {{Card Number}} is lost",
    "refund the order": "The refund of {{Order Number}} is on its way",
    "cancel my account": "How to cancel transfer {{Amount}} to us",
}
small = st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join)


@settings(deadline=None)  # the reference is slow to import
@given(small, small)
def test_rouge_l_is_the_reference_one(wanted: str, found: str) -> None:
    from rouge_score.rouge_scorer import RougeScorer

    theirs = RougeScorer(["rougeL"]).score(wanted, found)["rougeL"].fmeasure
    assert rouge_l(wanted, found) == pytest.approx(theirs, abs=1e-12)


def test_chinese_is_compared_by_sign_and_letters_with_marks_are_letters() -> None:
    assert rouge_l("请重置密码", "请 重置 您的密码") == pytest.approx(2 * (5 / 7) / (1 + 5 / 7))
    assert rouge_l("über uns", "uber uns") == 0.5


def test_slots_count_as_often_as_they_stand() -> None:
    assert slot_accuracy("no slot", "none") is None
    assert slot_accuracy("{{A}} {{A}} {{B}}", "{{A}} {{C}}") == pytest.approx(1 / 3)
    assert slot_accuracy("none", "{{A}}") == 0.0
    assert report(["a {{A}}", "b"], ["a {{A}}", "c"]) == {
        "rouge_l": 0.5, "exact_match": 0.5, "slot_accuracy": 1.0, "n": 2,
    }  # fmt: skip


def test_casing_comes_back() -> None:
    forms = detokenise.learn(["Ask the Help Centre. We use PayPal, don't we?", "Use the Help Centre of PayPal (24/7)."])
    assert detokenise.restore("we use paypal , don ' t we ? the help centre ( 24 / 7 ) .", forms) == (
        "We use PayPal, don't we? The Help Centre (24 / 7)."
    )


@pytest.mark.parametrize(
    "texts",
    [
        ["refund order=12", "send order=31 now", "order=44"],
        ["Case #A-10/B", "see Case #A-7/C", "Case #A-9/D"],
        ["a_b (c) 5% 3.5", "d_e (f) 7% 1.5"],
        ["say {{Order Number}}: 5", "ask {{Order Number}}: 7"],
        ["x = 1 ; y", "y = 2 ; z"],
    ],
)
def test_what_a_lower_case_tokenizer_parts_is_put_together_as_it_was_written(texts: list[str]) -> None:
    from tokenizers.pre_tokenizers import BertPreTokenizer

    writing = detokenise.learn(texts)
    for text in texts:
        words = re.findall(r"\{\{[^{}]*\}\}|[^{}]+", text)  # slots are tokens of their own
        parts = [
            part for one in words for part in ([one] if one[0] == "{" else _parted(BertPreTokenizer(), one.lower()))
        ]
        restored = detokenise.restore(" ".join(parts), writing)
        assert restored.lower() == text.lower()


@pytest.mark.parametrize(
    ("texts", "written", "wanted"),
    [
        (["refund order=12", "cancel order=77"], "refund order = 12", "refund order=12"),
        (["Refund it.", "Cancel it."], "refund it . cancel it .", "Refund it. Cancel it."),
        (["done. next: pay", "done. next: wait", "Ok"], "done. next : pay", "done. next: pay"),
        (["id a1. Paid in full", "id b2. Open since May"], "id c3 . paid", "id c3. Paid"),
        (["Total: 3\nof which: 2", "Total: 5\nof which: 1"], "total : 4\nof which : 3", "Total: 4\nof which: 3"),
        (["refund it", "cancel it"], "refund it . cancel it", "refund it. cancel it"),
        (["12 cards", "7 cards"], "12 cards", "12 cards"),
        (["退款 order", "取消 order"], "order", "Order"),
    ],
)
def test_capitals_stand_where_they_mostly_stood(texts: list[str], written: str, wanted: str) -> None:
    assert detokenise.restore(written, detokenise.learn(texts)) == wanted


def test_how_texts_are_written_is_the_same_from_json() -> None:
    writing = detokenise.learn(["refund it. now", "cancel it. now"])
    assert not writing.begin and not writing.within
    assert detokenise.Writing(**json.loads(json.dumps(writing.as_dict()))) == writing


def _parted(tokenizer: Any, text: str) -> list[str]:
    return [piece for piece, _ in tokenizer.pre_tokenize_str(text)]


def test_a_space_that_comes_and_goes_is_no_rule() -> None:
    assert not {"a-", "-a"} & set(detokenise.learn(["a-b", "c - d", "e-f", "g - h"]).gaps)


@pytest.fixture(scope="module")
def causal(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

    folder, tokenizer = tmp_path_factory.mktemp("causal"), AutoTokenizer.from_pretrained(tiny_encoder)
    tokenizer.eos_token = "[SEP]"
    torch.manual_seed(0)
    GPT2LMHeadModel(
        GPT2Config(
            vocab_size=len(tokenizer), n_embd=32, n_layer=2, n_head=2, n_positions=64, eos_token_id=3, bos_token_id=2
        )
    ).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def seq2seq(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import AutoTokenizer, T5Config, T5ForConditionalGeneration

    folder, tokenizer = tmp_path_factory.mktemp("t5"), AutoTokenizer.from_pretrained(tiny_encoder)
    tokenizer.eos_token = "[SEP]"
    torch.manual_seed(0)
    T5ForConditionalGeneration(
        T5Config(vocab_size=len(tokenizer), d_model=32, d_kv=16, d_ff=64, num_layers=2, num_heads=2, eos_token_id=3,
                 pad_token_id=0, decoder_start_token_id=0)
    ).save_pretrained(folder)  # fmt: skip
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(params=["two encoders", "seq2seq", "causal"])
def base(request: pytest.FixtureRequest, tiny_encoder: Path, seq2seq: Path, causal: Path) -> Path:
    return {"two encoders": tiny_encoder, "seq2seq": seq2seq, "causal": causal}[request.param]


def stepped(base: Path, plan: list[list[int]], accumulate: int, folder: Path) -> Generator:
    settings = Settings(accumulate=accumulate, warmup=0.0, max_length=32, max_target=24)
    made = generation.start(str(base), list(REPLIES.values()), settings)
    set_dropout(made.body, 0.0)
    pairs = writing.tokenised(made, list(REPLIES) * 2, list(REPLIES.values()) * 2)
    fit(
        made.body, generation.problem(made, pairs, 0.1), plan, settings, folder=folder,
        optimizer=torch.optim.SGD(made.body.parameters(), lr=0.1), seed=0, dtype=torch.float32, description="", show=False,
    )  # fmt: skip
    return made


def test_k_micro_batches_equal_one_batch(base: Path, tmp_path: Path) -> None:
    one = stepped(base, [[0, 1, 2, 3, 4, 5]], 1, tmp_path / "one")
    many = stepped(base, [[0], [1, 2, 3], [4, 5]], 3, tmp_path / "many")
    start = stepped_from(base)
    pairs = list(zip(one.body.parameters(), many.body.parameters(), start.body.parameters(), strict=True))
    assert max((a - b).abs().max() for a, b, _ in pairs) <= 1e-6
    assert max((a - c).abs().max() for a, _, c in pairs) > 1e-4


def stepped_from(base: Path) -> Generator:
    return generation.start(str(base), list(REPLIES.values()), Settings(max_length=32, max_target=24))


def test_words_that_no_reply_holds_cost_no_product_and_are_not_written(tiny_encoder: Path) -> None:
    made = stepped_from(tiny_encoder)
    pairs = writing.tokenised(made, list(REPLIES), list(REPLIES.values()))
    sources, targets = zip(*pairs, strict=True)
    batch, held = writing.batch_of(made, pairs), sorted({token for target in targets for token in target} | {0, 2})
    whole, _ = writing.scores(made.body, made.kind, batch)
    before = {name: weight.clone() for name, weight in made.body.state_dict().items()}
    with writing_at_hand(made.body, 0, sources, targets) as places:
        few, _ = writing.scores(made.body, made.kind, batch)
        torch.testing.assert_close(few, whole[:, held])
        assert torch.equal(places(torch.tensor(held)), torch.arange(len(held)))
    with_bias, _ = writing.scores(made.body, made.kind, batch)
    torch.testing.assert_close(with_bias[:, held], whole[:, held])
    others = [token for token in range(whole.shape[1]) if token not in held]
    torch.testing.assert_close(with_bias[:, others], whole[:, others] + NEVER)
    after = made.body.state_dict()
    assert {name for name in before if not torch.equal(before[name], after[name])} <= {
        "decoder.cls.predictions.bias", "decoder.cls.predictions.decoder.bias",
    }  # fmt: skip
    assert after.keys() == before.keys()


def test_only_the_tokens_of_the_reply_are_learnt(base: Path) -> None:
    made = stepped_from(base)
    pairs = writing.tokenised(made, ["my card", "the refund order to the account"], ["lost {{Amount}}", "how"])
    batch = writing.batch_of(made, pairs)
    logits, wanted = writing.scores(made.body, made.kind, batch)
    assert wanted.tolist() == [token for _, target in pairs for token in target]
    assert pairs[0][1][-2:] == [made.tokenizer.convert_tokens_to_ids("{{Amount}}"), writing.ending(made.tokenizer)]
    per_row = made.log_loss(["my card", "the refund order to the account"], ["lost {{Amount}}", "how"])
    lengths = np.asarray([len(target) for _, target in pairs])
    whole = torch.nn.functional.cross_entropy(logits, wanted, reduction="sum").item()
    assert (per_row * lengths).sum() == pytest.approx(whole, rel=1e-4)  # padding changes nothing


def test_replies_are_learnt_by_heart_and_survive_a_reload(base: Path, tmp_path: Path) -> None:
    table = pd.DataFrame({"source": list(REPLIES), "target": list(REPLIES.values())})
    done = fieldtune.finetune(
        "seq2seq", table, valid=table, model=str(base), out=tmp_path / "model", progress=False,
        settings={"epochs": 120, "learning_rate": 1e-2, "head_learning_rate": 1e-2, "dropout": 0.0, "max_length": 32,
                  "max_target": 24, "label_smoothing": 0.0},
    )  # fmt: skip
    assert done.metrics["slot_accuracy"] == 1.0
    assert done.metrics["rouge_l"] > 0.99
    model = fieldtune.load(done.path)
    assert model.generate(list(REPLIES))[0] == REPLIES["my card is lost"]
    assert model.log_loss(list(REPLIES), list(REPLIES.values())).mean() == pytest.approx(
        done.metrics["log_loss"], rel=1e-5
    )


def test_copying_is_the_rival_and_a_method(tiny_encoder: Path, tmp_path: Path, cli: Any) -> None:
    table = pd.DataFrame({"source": list(REPLIES) * 4, "target": list(REPLIES.values()) * 4})
    table["source"] += [f" {row}" for row in range(12)]
    table.to_csv(tmp_path / "t.csv", index=False)
    ran = cli(
        "train", "--task", "seq2seq", "--train", tmp_path / "t.csv", "--model", tiny_encoder, "--out", tmp_path / "full",
        "--set", "epochs=1", "--set", "max_target=8", "--json",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert "rouge_l" in ran.json["rivals"]["copy"]
    fieldtune.finetune("seq2seq", table, method="copy", model=str(tiny_encoder), out=tmp_path / "copy", progress=False)
    table.drop(columns="target").to_csv(tmp_path / "s.csv", index=False)
    ran = cli("predict", "--model", tmp_path / "copy", "--data", tmp_path / "s.csv", "--out", tmp_path / "p.csv")
    assert ran.code == 0, ran.err
    assert set(pd.read_csv(tmp_path / "p.csv")["predicted"]) <= set(REPLIES.values())


def test_copying_knows_the_rows_that_were_kept_apart_to_measure(tmp_path: Path) -> None:
    rows = pd.DataFrame([(f"how do I {one} in {where}", f"{one} {where}") for one in ("pay", "return", "ship", "call")
                         for where in ("Spain", "Italy", "Malta", "Chile", "Kenya")], columns=["source", "target"])  # fmt: skip
    done = fieldtune.finetune("seq2seq", rows, method="copy", out=tmp_path / "m", progress=False)
    assert done.metrics["n"] == 2
    assert fieldtune.load(done.path).generate(rows["source"].tolist()) == rows["target"].tolist()


def test_a_writer_of_ones_own_learns_on_from_the_command_line(base: Path, tmp_path: Path, cli: Any) -> None:
    rows = pd.DataFrame([(f"my card {n}", f"it is lost {n}") for n in range(20)], columns=["source", "target"])
    rows.to_csv(tmp_path / "t.csv", index=False)
    command = ("train", "--task", "seq2seq", "--train", tmp_path / "t.csv", "--set", "max_steps=2", "--set", "max_target=8",
               "--set", "max_length=16", "--json")  # fmt: skip
    assert cli(*command, "--model", base, "--out", tmp_path / "one").code == 0
    again = cli(*command, "--model", tmp_path / "one", "--out", tmp_path / "two")
    assert again.code == 0, again.err
    assert "not measured beside it, method copy" in again.err
    assert fieldtune.load(tmp_path / "two").generate(["my card 3"])


def test_a_figure_that_could_not_be_had_is_null_and_none(tiny_encoder: Path, tmp_path: Path) -> None:
    table = pd.DataFrame({"source": [f"{source} {row}" for row in range(4) for source in REPLIES]})
    table["target"] = table["source"]  # no slots, of which a share could be right
    given: dict[str, Any] = {"method": "copy", "model": str(tiny_encoder), "out": tmp_path / "plain", "rivals": True}
    for _ in range(2):  # the second finds it finished
        done = fieldtune.finetune("seq2seq", table, progress=False, **given)
        assert outdone(done.method, done.metrics, "slot_accuracy") == ""
    card = json.loads((tmp_path / "plain" / "fieldtune.json").read_text(), parse_constant=pytest.fail)  # no NaN in it
    assert (card["metrics"]["n"] > 0, card["metrics"]["slot_accuracy"]) == (True, None)
    assert "| `slot_accuracy` | none |" in (tmp_path / "plain" / "README.md").read_text()
    assert fieldtune.load(tmp_path / "plain").generate([]) == []


def test_a_dialogue_becomes_one_row_for_each_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    turns = [
        {"role": "customer", "text": "my card"}, {"role": "agent", "text": "which?"},
        {"role": "user", "content": "the lost one"}, {"role": "assistant", "text": "blocked"},
    ]  # fmt: skip
    table = pd.DataFrame({"turns": [turns, turns[:1]]})
    assert agent_turns(table).to_dict("records") == [
        {"source": "my card", "target": "which?"},
        {"source": "customer: my card\nagent: which?\ncustomer: the lost one", "target": "blocked"},
    ]
    assert "1 of 2 dialogues without" in capsys.readouterr().err
    for turns, message in (
        ([[{"role": "robot", "text": "x"}]], "a role out of"),
        (["hello"], "a list of"),
        ([[{"role": "customer", "text": "x"}]], "an agent answers"),
    ):
        with pytest.raises(InputError, match=message):
            agent_turns(pd.DataFrame({"turns": turns}))


def test_nothing_asked_is_nothing_written(base: Path) -> None:
    assert stepped_from(base).generate([]) == []


def bodies() -> dict[str, tuple[Any, int | None]]:
    """Models that write, and how many tokens each has positions for, as its authors tell."""
    import transformers as hub

    small: dict[str, Any] = {"vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1,
                             "intermediate_size": 8}  # fmt: skip
    writes: dict[str, Any] = {"is_decoder": True, "add_cross_attention": True}
    berts = [hub.BertConfig(**small, max_position_embeddings=size, **more) for size, more in ((40, {}), (30, writes))]
    robertas = [hub.RobertaConfig(**small, max_position_embeddings=26, pad_token_id=1, **more) for more in ({}, writes)]
    bart = hub.BartConfig(
        vocab_size=20, d_model=8, encoder_layers=1, decoder_layers=1, encoder_attention_heads=1, decoder_attention_heads=1,
        encoder_ffn_dim=8, decoder_ffn_dim=8, max_position_embeddings=24,
    )  # fmt: skip
    t5 = hub.T5Config(vocab_size=20, d_model=8, d_kv=8, d_ff=8, num_layers=1, num_heads=1, n_positions=16)
    both, reads = hub.EncoderDecoderModel, (hub.BertModel(berts[0]), hub.RobertaModel(robertas[0]))
    return {
        "gpt2": (hub.GPT2LMHeadModel(hub.GPT2Config(vocab_size=20, n_embd=8, n_layer=1, n_head=1, n_positions=24)), 24),
        "bert2bert": (both(encoder=reads[0], decoder=hub.BertLMHeadModel(berts[1])), 30),
        "roberta2roberta": (both(encoder=reads[1], decoder=hub.RobertaForCausalLM(robertas[1])), 24),
        "bart": (hub.BartForConditionalGeneration(bart), 24),
        "t5": (hub.T5ForConditionalGeneration(t5), None),
    }


@pytest.mark.parametrize("name", ["gpt2", "bert2bert", "roberta2roberta", "bart", "t5"])
def test_a_model_reads_and_writes_as_many_tokens_as_it_has_positions_for(tmp_path: Path, name: str) -> None:
    body, wanted = bodies()[name]
    body.save_pretrained(tmp_path)
    assert room(tmp_path) == (wanted, name == "gpt2")

    def runs(count: int) -> Any:
        ids = torch.full((1, count), 5)
        return body.eval()(input_ids=ids, **({} if name == "gpt2" else {"decoder_input_ids": ids})).logits

    assert runs(wanted or 100).isfinite().all()
    if wanted:
        with pytest.raises((RuntimeError, IndexError)):
            runs(wanted + 1)


def test_more_than_a_model_has_positions_for_is_refused_and_the_fix_trains(base: Path, tmp_path: Path) -> None:
    words = ["card " * 100 + end for end in "abcdefghijkl"]
    table = pd.DataFrame({"source": words, "target": words})

    def trained(model: Path, out: str, **given: int) -> Any:
        settings = {"max_steps": 1, **given}
        return fieldtune.finetune(
            "seq2seq", table, model=str(model), out=tmp_path / out, settings=settings, progress=False
        )

    longest, _ = room(base)
    if longest is None:  # T5
        trained(base, "far", max_length=80, max_target=80)
        return
    given = {"max_length": 64, "max_target": longest + 1}
    for model, out in ((base, "one"), (tmp_path / "one", "two")):  # and its own model learns on
        with pytest.raises(ConfigError, match=f"of at most {longest}") as refused:
            trained(model, out, **given)
        assert not (tmp_path / out).exists()
        fix = {name: int(value) for name, value in re.findall(r"--set (\w+)=(\d+)", refused.value.fix)}
        made = fieldtune.load(trained(model, out, **{**given, **fix}).path)
        assert room(tmp_path / out)[0] == longest
        assert len(made.generate(words[:2])) == 2
    with pytest.raises(ConfigError, match=f"of at most {longest}"):
        trained(tmp_path / "one", "three", max_length=longest + 1, max_target=2)


def test_half_a_character_is_read_as_a_question_mark(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = stepped_from(base)
    half, plain = ["my \ud800 card"], ["my ? card"]
    assert made.generate(half) == made.generate(plain)
    assert made.log_loss(half, ["lost \udfff"])[0] == made.log_loss(plain, ["lost ?"])[0]
    made.max_target = 2
    warn_unwritten(made, ["lost \udfff", "card"])
    assert "50% of the targets are longer" in capsys.readouterr().err


def test_long_sources_keep_their_end(base: Path) -> None:
    made = stepped_from(base)
    made.max_source = 6
    (ids,) = writing.source_tokens(made.tokenizer, ["card " * 20 + "refund"], 6, made.kind)
    assert len(ids) <= 6
    assert made.tokenizer.convert_tokens_to_ids("refund") in ids


def test_a_model_of_another_kind_is_refused(tiny_encoder: Path, causal: Path, tmp_path: Path) -> None:
    table = pd.DataFrame({"text": ["a", "b"] * 5, "label": ["x", "y"] * 5})
    with pytest.raises(ArtefactError, match="model types"):
        fieldtune.finetune(
            "text-classification", table, valid=table, model=str(causal), out=tmp_path / "out", progress=False
        )


def test_chats_as_they_are_exported_are_read_and_answered(tmp_path: Path, cli: Any) -> None:
    said = ["lost my card", "it is frozen", "and now", "a new one comes"]
    roles = ["user", "assistant"] * 2
    chat = [{"role": role, "content": text} for role, text in zip(roles, said, strict=True)]
    lines = [json.dumps({"messages": chat[:end], "id": end}) for end in (2, 3, 4)]
    (tmp_path / "chats.jsonl").write_text("\n".join(lines))
    assert cli("train", "--task", "dialogue", "--train", tmp_path / "chats.jsonl", "--method", "copy", "--out",
               tmp_path / "m").code == 0  # fmt: skip
    assert (
        cli(
            "predict", "--model", tmp_path / "m", "--data", tmp_path / "chats.jsonl", "--out", tmp_path / "o.jsonl"
        ).code
        == 0
    )
    found = pd.read_json(tmp_path / "o.jsonl", lines=True)
    assert found["id"].tolist() == [2, 3, 4]
    assert found["predicted"].tolist() == ["it is frozen", "a new one comes", "a new one comes"]
    assert found["messages"][0][1]["content"] == "it is frozen"


def test_that_personal_data_in_wanted_texts_is_not_compared_is_told(
    tmp_path: Path, cli: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [(f"mail anna{n}@example.com", f"send to=anna{n}@example.com" if n % 2 else "no mail") for n in range(20)]
    pd.DataFrame(rows, columns=["source", "target"]).to_csv(tmp_path / "t.csv", index=False)
    ran = cli("train", "--task", "seq2seq", "--train", tmp_path / "t.csv", "--method", "copy", "--out", tmp_path / "m")
    assert ran.code == 0, ran.err
    assert (
        "note: 10 texts of the column target hold"
        in cli("evaluate", "--model", tmp_path / "m", "--data", tmp_path / "t.csv").err
    )


def test_instructions_and_tools_in_chats_are_passed_over_and_an_empty_chat_keeps_its_row(tmp_path: Path) -> None:
    chat = [{"role": "system", "content": "be kind"}, {"role": "user", "content": "hello"},
            {"role": "tool", "content": None}, {"role": "assistant", "content": "good morning"}]  # fmt: skip
    table = pd.DataFrame({"messages": [chat, chat[:2]], "turns": ["3", "1"]})
    found = agent_turns(table, rename={"turns": "messages"})
    assert found[["source", "target"]].to_numpy().tolist() == [["hello", "good morning"]]
    asked = pd.DataFrame({"messages": [chat, None, chat[:2]]})
    kept, inputs = task_module("dialogue").read_inputs(asked, {})  # type: ignore[misc]
    assert (len(kept), inputs["source"].tolist()) == (3, ["hello", "", "hello"])


def test_sources_and_targets_of_dialogues_go_by_the_users_names() -> None:
    table = pd.DataFrame({"q": ["hello"], "a": ["good morning"], "source": ["x"]})
    found = agent_turns(table, rename={"source": "q", "target": "a"})
    assert found[["source", "target"]].to_numpy().tolist() == [["hello", "good morning"]]
