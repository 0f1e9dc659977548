"""ONNX export: the graph against torch, the gates, and graphs that are refused before they run."""

import math
import platform
import shutil
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from scipy.special import softmax

import fieldtune
from fieldtune.errors import ArtefactError, InputError, RefusedError
from fieldtune.exporting import export_model
from fieldtune.infer import export, parity
from fieldtune.infer.int8 import APART, PEAK, balance, peaks_of, quantise, sizes
from fieldtune.infer.onnx_graph import SLOWER, WITHOUT_OVERFLOW, OnnxFeatures, check, run, session
from fieldtune.infer.tracing import write_graph
from fieldtune.models import load_encoder
from fieldtune.models.encoder import load_encoder_folder
from fieldtune.models.folder import verify

TEXTS = ["my card is lost", "refund", "the order to the account is how to cancel my card", "账户余额", "", "refund"]


@pytest.fixture(scope="module")
def trained(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [
        (f"{text} {end}", label) for text, label in (("my card", "card"), ("a refund", "refund")) for end in range(12)
    ]
    table = pd.DataFrame(rows, columns=["text", "label"])
    out = tmp_path_factory.mktemp("model") / "model"
    fieldtune.finetune("text-classification", table, method="head", model=str(tiny_encoder), out=out, progress=False)
    return out


@pytest.fixture(scope="module")
def exported(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("export") / "onnx"
    told = export_model(fieldtune.load(trained), out, None)
    assert told["max_difference"] <= parity.TOLERANCE
    assert told["same_answers"] == 1.0
    assert told["answers_difference"] < 1e-5
    return out


def test_the_largest_difference_of_a_probability_is_told(trained: Path) -> None:
    model = fieldtune.load(trained)

    def turned(texts: list[str]) -> Any:  # vectors of another graph
        return np.roll(model.features(texts), 1, axis=1)

    told = parity.compare(model, turned, TEXTS, None)
    scores = [vectors @ model.weight.T + model.bias for vectors in (model.features(TEXTS), turned(TEXTS))]
    right, other = (softmax(one / model.temperature, axis=1) for one in scores)
    assert told["answers_difference"] == pytest.approx(np.abs(right - other).max(), abs=1e-4)


def test_graph_and_model_are_compared_in_float32_whatever_this_machine_computes_in(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIELDTUNE_DTYPE", "bfloat16")
    told = export_model(fieldtune.load(trained), tmp_path / "onnx", None)
    rounded, graph = (fieldtune.load(one).probabilities(TEXTS) for one in (trained, tmp_path / "onnx"))
    assert told["compared_in"] == "float32"
    assert told["answers_difference"] < 1e-5 < np.abs(rounded - graph).max()


def test_the_graph_gives_the_numbers_of_torch_for_any_rows_and_lengths(trained: Path, exported: Path) -> None:
    model, graph = fieldtune.load(trained), fieldtune.load(exported)
    np.testing.assert_allclose(graph.probabilities(TEXTS), model.probabilities(TEXTS), atol=1e-5)
    np.testing.assert_allclose(graph.features(TEXTS[:1]), model.features(TEXTS[:1]), atol=1e-5)
    assert graph.features([]).shape == (0, 32)
    assert graph.threshold == model.threshold
    np.testing.assert_allclose(graph.in_scope(TEXTS)[1], model.in_scope(TEXTS)[1], atol=1e-5)
    assert graph.scope.anchors is not None
    assert not list(exported.glob("model.safetensors"))


def test_the_commands_take_an_exported_folder(cli: Any, trained: Path, exported: Path, tmp_path: Path) -> None:
    pd.DataFrame({"text": TEXTS}).to_csv(tmp_path / "t.csv", index=False)
    for name, folder in (("torch", trained), ("onnx", exported)):
        ran = cli("predict", "--model", folder, "--data", tmp_path / "t.csv", "--out", tmp_path / f"{name}.csv")
        assert ran.code == 0, ran.err
    mine, theirs = (pd.read_csv(tmp_path / f"{name}.csv") for name in ("onnx", "torch"))
    assert mine["predicted"].tolist() == theirs["predicted"].tolist()
    assert cli("models", "verify", exported).code == 0


def test_a_model_is_not_replaced_by_its_export(trained: Path, exported: Path, tmp_path: Path) -> None:
    other, again = (Path(shutil.copytree(one, tmp_path / one.name)) for one in (trained, exported))
    with pytest.raises(ArtefactError, match="a model in"):
        export_model(fieldtune.load(trained), other, None)
    verify(other)
    assert fieldtune.predict(other, {"text": TEXTS})["predicted"].notna().all()
    export_model(fieldtune.load(trained), again, None)


def test_without_out_it_lies_beside_the_model(cli: Any, trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path / "mine")
    before = sorted((tmp_path / "mine").rglob("*"))
    ran = cli("models", "export", tmp_path / "mine", "--to", "onnx", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["out"] == str(tmp_path / "mine-onnx") and (tmp_path / "mine-onnx" / "model.onnx").is_file()
    assert sorted((tmp_path / "mine").rglob("*")) == before
    assert cli("models", "verify", tmp_path / "mine-onnx").code == 0


WORDS = ("card", "lost", "refund", "order", "account", "transfer", "cancel", "how")
MANY = [f"{one} {other} my {third}" for one in WORDS for other in WORDS for third in WORDS]  # 512


def labels_of(model: Any, texts: list[str]) -> list[str]:
    return [model.labels[place] for place in model.logits(texts).argmax(axis=1)]


@pytest.fixture
def traced(exported: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """Tracing the graph again would take seconds."""
    graph = (exported / "model.onnx").read_bytes()
    monkeypatch.setattr(export, "write_graph", lambda encoder, path: path.write_bytes(graph))
    return graph


@pytest.mark.usefixtures("traced")
def test_int8_is_judged_on_enough_rows_and_on_others_than_its_scales_were_measured_on(
    trained: Path, tmp_path: Path
) -> None:
    model = fieldtune.load(trained)
    told = export.export(model, tmp_path / "int8", MANY, labels=labels_of(model, MANY), int8=True)
    assert told["texts"] == parity.LEAST  # what is left goes to the scales, up to 512 rows
    assert told["accuracy"] >= 1.0 - parity.DROP and told["same_answers"] >= parity.SAME
    assert verify(tmp_path / "int8")
    judging, shown = parity.apart([*MANY, *map(str.upper, MANY)])
    assert (len(judging), len(shown)) == (512, 512)
    assert not {[*MANY, *map(str.upper, MANY)][row] for row in judging} & set(shown)
    pd.DataFrame({"text": MANY}).to_csv(tmp_path / "bare.csv", index=False)
    told = export_model(fieldtune.load(trained), tmp_path / "agreed", tmp_path / "bare.csv", int8=True)
    assert told["same_answers"] >= parity.SAME and "accuracy" not in told
    few = [*MANY[: parity.LEAST + parity.SHOWN[0] - 1], *MANY[:100]]  # repeated rows are no further rows
    with pytest.raises(RefusedError, match=r"expected 462 different held-out rows.*found 461"):
        export.export(model, tmp_path / "few", few, labels=labels_of(model, few), int8=True)
    with pytest.raises(RefusedError, match="462"):
        export_model(fieldtune.load(trained), tmp_path / "few", None, int8=True)
    assert not (tmp_path / "few").exists()


def deaf(graph: bytes) -> bytes:
    """The graph of an encoder that reads every word as the same one."""
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load_from_string(graph)
    for node in model.graph.node:
        node.input[:] = ["deaf" if name == "input_ids" else name for name in node.input]
    model.graph.initializer.append(numpy_helper.from_array(np.array(0, dtype=np.int64), "nothing"))
    model.graph.initializer.append(numpy_helper.from_array(np.array(7, dtype=np.int64), "word"))
    model.graph.node.insert(0, helper.make_node("Mul", ["input_ids", "nothing"], ["silence"]))
    model.graph.node.insert(1, helper.make_node("Add", ["silence", "word"], ["deaf"]))
    return bytes(model.SerializeToString())


def test_a_graph_that_answers_otherwise_is_refused(
    trained: Path, traced: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "write_graph", lambda encoder, path: path.write_bytes(deaf(traced)))
    monkeypatch.setattr(parity, "COSINE", -1.0)  # by its answers alone
    model = fieldtune.load(trained)
    (tmp_path / "model.onnx").write_bytes(deaf(traced))
    model.features.encoder.tokenizer.save_pretrained(tmp_path)
    mine = labels_of(parity.with_reader(model, OnnxFeatures(tmp_path, 256), {}), MANY)
    assert len(set(mine)) == 1 < len(set(labels_of(model, MANY)))
    for labels in (labels_of(model, MANY), mine, None):  # less accurate; as accurate as can be; who knows
        for int8 in (True, False):
            with pytest.raises(RefusedError):
                export.export(model, tmp_path / "wrong", MANY, labels=labels, int8=int8)
        assert not (tmp_path / "wrong").exists()


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("task", ["regression", "multi-label-classification", "text-pair", "reranking"])
def test_every_head_on_vectors_of_texts_is_exported(task: str, tiny_encoder: Path, tmp_path: Path) -> None:
    texts, turned = MANY[::16], MANY[::-16]
    labels = ["card|lost" if "card" in text else "refund" if "refund" in text else "lost" for text in texts]
    rows: dict[str, Any] = {"text": texts, "label": labels}
    if task == "regression":
        rows["label"] = [float(len(text)) for text in texts]
    if task in ("text-pair", "reranking"):
        names = ("text_a", "text_b") if task == "text-pair" else ("query", "document")
        rows = {names[0]: texts, names[1]: turned, "label": [str(len(text) % 2) for text in texts]}
    fieldtune.finetune(task, rows, method="head", model=str(tiny_encoder), out=tmp_path / "m", progress=False)
    pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False)
    told = export_model(fieldtune.load(tmp_path / "m"), tmp_path / "onnx", tmp_path / "t.csv")
    assert told["max_difference"] <= parity.TOLERANCE
    assert (told.get("same_answers") == 1.0) == (task in ("multi-label-classification", "text-pair"))
    assert verify(tmp_path / "onnx")
    mine, theirs = fieldtune.load(tmp_path / "m"), fieldtune.load(tmp_path / "onnx")
    asked = list(zip(texts, turned, strict=True)) if "pair" in task or task == "reranking" else texts
    verb = {"regression": "values", "reranking": "score"}.get(task, "probabilities")
    np.testing.assert_allclose(getattr(theirs, verb)(asked), getattr(mine, verb)(asked), rtol=1e-4, atol=1e-4)
    read = (
        [tuple(row) for row in pd.DataFrame(rows)[list(rows)[:2]].to_numpy()] if isinstance(asked[0], tuple) else texts
    )
    apart = np.abs(getattr(theirs, verb)(read) - getattr(mine, verb)(read)).max()  # the tests compute in float32
    assert told["answers_difference"] == pytest.approx(apart, rel=0.5, abs=1e-6)
    assert (told["compared_in"], theirs.card["export"]["answers_difference"]) == ("float32", told["answers_difference"])
    if task == "regression":
        with pytest.raises(InputError, match="labels or embeds"):
            export_model(fieldtune.load(tmp_path / "m"), tmp_path / "int8", tmp_path / "t.csv", int8=True)


def test_balancing_keeps_every_number_and_evens_out_the_dimensions(exported: Path, tmp_path: Path) -> None:
    graph = tmp_path / "model.onnx"
    graph.write_bytes((exported / "model.onnx").read_bytes())
    tokens = [[2, 7, 9, 3], [2, 11, 3], [2, 5, 6, 8, 3]]
    expected = run(session(graph), tokens, 0)
    assert balance(graph, tokens, 0) == []
    np.testing.assert_allclose(run(session(graph), tokens, 0), expected, atol=1e-5)
    added = [node for node in onnx.load(str(graph)).graph.node if node.name.startswith("Balance_")]
    assert len(added) == 8  # two layers: queries, keys and values share one; then attention's output, up, down
    names = [name for node in added for name in (node.input[0], node.output[0])]
    spread = {name: size.max() / size.mean() for name, (size, _) in sizes(graph, names, tokens, 0).items()}
    evened = [spread[node.output[0]] < spread[node.input[0]] for node in added]
    assert all(evened), spread


@pytest.mark.parametrize("method", ["prefix", "adapter", "lora"])
def test_what_was_put_into_an_encoder_is_in_its_graph(method: str, tiny_encoder: Path, tmp_path: Path) -> None:
    rows = pd.DataFrame({"text": MANY[:64], "label": [str(len(text) % 2) for text in MANY[:64]]})
    settings = {"epochs": 2, "learning_rate": 0.05}
    fieldtune.finetune(
        "text-classification", rows, method=method, model=str(tiny_encoder), settings=settings, out=tmp_path / "m",
        progress=False,
    )  # fmt: skip
    model = fieldtune.load(tmp_path / "m")
    before = load_encoder(tiny_encoder).encode(TEXTS)
    assert np.abs(model.features(TEXTS) - before).max() > 5e-3  # so much would be missing
    assert export_model(model, tmp_path / "onnx", None)["max_difference"] <= parity.TOLERANCE
    graph = fieldtune.load(tmp_path / "onnx")
    np.testing.assert_allclose(graph.probabilities(TEXTS), model.probabilities(TEXTS), atol=1e-5)


def test_an_encoder_attends_after_tracing_as_before(tiny_encoder: Path, tmp_path: Path) -> None:
    encoder = load_encoder_folder(tiny_encoder)
    before = encoder.body.config._attn_implementation
    assert before != "eager"
    write_graph(encoder, tmp_path / "model.onnx")
    assert encoder.body.config._attn_implementation == before
    with pytest.raises(OSError, match="nowhere"):
        write_graph(encoder, tmp_path / "nowhere" / "model.onnx")
    assert encoder.body.config._attn_implementation == before
    operators = {node.op_type for node in onnx.load(str(tmp_path / "model.onnx")).graph.node}
    assert "IsNaN" not in operators


def test_a_sum_and_a_normalisation_are_run_one_after_the_other(exported: Path, tmp_path: Path) -> None:
    found = {}
    for name, without in {"theirs": None, "ours": SLOWER}.items():
        options = onnxruntime.SessionOptions()
        options.optimized_model_filepath = str(tmp_path / name)
        onnxruntime.InferenceSession(str(exported / "model.onnx"), options, disabled_optimizers=without)
        found[name] = {node.op_type for node in onnx.load(str(tmp_path / name)).graph.node}
    assert "SkipLayerNormalization" in found["theirs"] - found["ours"]


def test_batches_of_a_graph_side_by_side_are_in_order(exported: Path) -> None:
    graph, threads = fieldtune.load(exported), torch.get_num_threads()
    texts = [text for text in MANY if text] * 2
    several = {}
    for count in (1, 2):
        torch.set_num_threads(count)
        several[count] = graph.features(texts), graph.features(texts[:3])
    torch.set_num_threads(threads)
    for one, two in zip(several[1], several[2], strict=True):
        np.testing.assert_allclose(two, one, atol=1e-6)


@pytest.mark.parametrize(
    ("accuracy", "same", "cosine", "passes"),
    [
        (0.900, 1.000, 0.999, True),
        (0.895, 0.995, 0.999, True),  # five of a thousand: .3 points and what chance may add
        (0.893, 0.995, 0.999, False),
        (0.900, 0.989, 0.999, False),
        (0.900, 1.000, 0.970, False),
    ],
)
def test_int8_is_refused_for_what_it_loses(accuracy: float, same: float, cosine: float, passes: bool) -> None:
    told = {"texts": 1000, "mean_cosine": cosine, "same_answers": same, "accuracy_exact": 0.9, "accuracy": accuracy,
            "error": 0.003, "max_difference": 0.1}  # fmt: skip
    with nullcontext() if passes else pytest.raises(RefusedError, match="export without --int8"):
        parity.judge(told, int8=True)


@pytest.mark.parametrize("int8", [False, True])
@pytest.mark.parametrize(
    "wrong", [{}, {"mean_cosine": math.nan, "max_difference": math.nan}, {"same_scope": 0.98}, {"same_answers": 0.98}]
)
def test_what_is_no_number_or_moves_the_scope_is_refused_in_either_format(wrong: dict[str, float], int8: bool) -> None:
    told = {
        "texts": 1000,
        "mean_cosine": 0.9999,
        "max_difference": 1e-6,
        "same_answers": 1.0,
        "same_scope": 1.0,
        **wrong,
    }
    passes = not wrong or ("same_scope" in wrong and not int8)  # a row on the threshold may fall to either side
    with nullcontext() if passes else pytest.raises(RefusedError):
        parity.judge(told, int8=int8)


@pytest.mark.parametrize(("peaks", "left"), [(0, []), (1, ["out_of_peaks"]), (40, ["product"])])
def test_dimensions_with_a_peak_are_multiplied_apart_and_a_product_of_many_stays_as_it_is(
    tmp_path: Path, peaks: int, left: list[str]
) -> None:
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    table, weight = rng.standard_normal((500, 64), dtype=np.float32), rng.standard_normal((64, 4), dtype=np.float32)
    table[range(peaks), range(peaks)] = 1e6
    given = [helper.make_tensor_value_info(n, TensorProto.INT64, ["b", "t"]) for n in ("input_ids", "attention_mask")]
    nodes = [helper.make_node("Gather", ["table", "input_ids"], ["seen"]),
             helper.make_node("MatMul", ["seen", "weight"], ["out"], name="product")]  # fmt: skip
    constants = [numpy_helper.from_array(value, name) for value, name in ((table, "table"), (weight, "weight"))]
    ends = [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["b", "t", 4])]
    graph = helper.make_model(helper.make_graph(nodes, "g", given, ends, constants), ir_version=10,
                              opset_imports=[helper.make_opsetid("", 18)])  # fmt: skip
    file = tmp_path / "g.onnx"
    onnx.save(graph, str(file))
    ids = rng.integers(0, 500, (200, 12))
    shutil.copy(file, tmp_path / "eight.onnx")
    seen, square = sizes(file, ["seen"], ids.tolist(), 0)["seen"]
    read = table[ids].reshape(-1, 64).astype(np.float64)
    np.testing.assert_allclose(seen, np.abs(read).max(axis=0), rtol=1e-6)
    np.testing.assert_allclose(square, (read**2).mean(axis=0), rtol=1e-5)
    assert balance(file, ids.tolist(), 0) == left
    names = {name for node in onnx.load(str(file)).graph.node for name in node.input}
    assert ("weight" in names) == (peaks > APART)
    (out,) = onnxruntime.InferenceSession(str(file)).run(["out"], {"input_ids": ids, "attention_mask": ids})
    exact = table[ids].astype(np.float64) @ weight
    np.testing.assert_allclose(out, exact, rtol=1e-5, atol=1e-4)
    quantise(tmp_path / "eight.onnx", ids.tolist(), 0)
    (out,) = session(tmp_path / "eight.onnx").run(None, {"input_ids": ids, "attention_mask": ids})
    np.testing.assert_allclose(out, exact, rtol=1e-5, atol=0.5)
    assert (np.median(np.abs(out - exact)) > 1e-4) == (peaks <= APART)  # the rest is in eight bits


def test_sums_of_large_8_bit_products_do_not_overflow_on_any_processor(tmp_path: Path) -> None:
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    x, weight = (rng.uniform(0.9, 1.0, size).astype(np.float32) for size in ((8, 64), (64, 4)))
    ends = [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["b", 4])]
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "weight"], ["out"])], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["b", 64])], ends,
        [numpy_helper.from_array(weight, "weight")],
    )  # fmt: skip
    model = helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 18)])
    onnx.save(model, str(tmp_path / "exact.onnx"))
    quantize_dynamic(str(tmp_path / "exact.onnx"), str(tmp_path / "eight.onnx"), weight_type=QuantType.QInt8)
    (out,) = session(tmp_path / "eight.onnx").run(None, {"x": x})
    np.testing.assert_allclose(out, x.astype(np.float64) @ weight, rtol=0.01)


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="asks Linux what the processor has")
def test_a_processor_with_vnni_is_not_slowed_by_the_way_without_overflow(tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["b"]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "g", ends[:1], ends[1:])
    onnx.save(helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 18)]), tmp_path / "g.onnx")
    options = session(tmp_path / "g.onnx").get_session_options()
    has = set(Path("/proc/cpuinfo").read_text("utf-8").split())
    exact = platform.machine() != "x86_64" or bool(has & {"avx512_vnni", "avx_vnni"})
    assert options.get_session_config_entry(WITHOUT_OVERFLOW) == ("0" if exact else "1")


@pytest.mark.parametrize("seed", range(20))
def test_peaks_are_the_fewest_largest_whose_going_leaves_none(seed: int) -> None:
    rng = np.random.default_rng(seed)
    square = rng.gamma(1.0, size=100)
    largest = (np.sqrt(square) * rng.choice([2, 40], p=[0.9, 0.1], size=100)).astype(np.float32)
    order = np.argsort(-largest, kind="stable")
    enough = [
        count
        for count in range(100)
        if largest[order[count]] ** 2 <= PEAK**2 * square[order[count:]].sum() / (100 - count)
    ]
    assert peaks_of(largest, square).tolist() == sorted(order[: enough[0]].tolist())


def test_a_model_of_n_grams_has_nothing_to_export(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"text": [f"{word} {row}" for word in "ab" for row in range(12)], "label": ["x"] * 12 + ["y"] * 12}
    )
    fieldtune.finetune("text-classification", table, method="linear", out=tmp_path / "linear", progress=False)
    with pytest.raises(InputError, match="an encoder's vectors"):
        export_model(fieldtune.load(tmp_path / "linear"), tmp_path / "out", None)


@pytest.mark.parametrize("kind", ["foreign", "inner", "outside", "cut"])
def test_a_graph_that_could_do_more_than_arithmetic_is_refused(tmp_path: Path, kind: str) -> None:
    from onnx import TensorProto, helper, numpy_helper

    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    node = helper.make_node("Identity", ["x"], ["y"])
    weight = numpy_helper.from_array(np.ones(1, dtype=np.float32), "w")
    if kind == "foreign":
        node = helper.make_node("RunCommand", ["x"], ["y"], domain="evil.example")
    if kind == "inner":
        inner = helper.make_graph(
            [helper.make_node("RunCommand", ["x"], ["z"], domain="evil.example")], "g", [],
            [helper.make_tensor_value_info("z", TensorProto.FLOAT, [1])],
        )  # fmt: skip
        node = helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner)
    if kind == "outside":
        weight.data_location = TensorProto.EXTERNAL
        weight.external_data.add(key="location", value="../../etc/passwd")
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    model = helper.make_model(helper.make_graph([node], "g", [value], [output], [weight]))
    raw = model.SerializeToString()
    (tmp_path / "model.onnx").write_bytes(raw[: len(raw) // 2] if kind == "cut" else raw)
    with pytest.raises(ArtefactError, match=r"ONNX graph|standard operators"):
        check(tmp_path / "model.onnx")
