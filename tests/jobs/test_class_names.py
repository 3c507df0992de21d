"""`--class-names`, and what happens where nobody says them: files from elsewhere in evaluate, predict and bench."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from edgekit.data import Recordings, SynthConfig, fit_length, save_recordings, synthesise_hands
from edgekit.errors import ConfigError
from edgekit.evaluate.class_names import check_count, match_class_names, parse_class_names
from edgekit.teacher import load_teacher

pytestmark = pytest.mark.usefixtures("models_run_here")

Cli = Callable[..., Any]

LETTERS = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
TURNED = LETTERS[::-1]
#: A bench whose latency nobody reads.
FEW = ("--repeats=50", "--processes=1", "--set=bench.min_time_s=0.01", "--set=bench.warmup=1")


@pytest.fixture(scope="module")
def hands() -> Recordings:
    """Two people's letters, four takes of each."""
    return synthesise_hands(SynthConfig(people=2, takes_per_letter=4))


@pytest.fixture
def data(hands: Recordings, tmp_path: Path) -> Path:
    save_recordings(tmp_path / "signs.npz", hands)
    return tmp_path / "signs.npz"


Foreign = Callable[..., Path]


@pytest.fixture
def foreign(hands: Recordings, save_onnx: Any) -> Foreign:
    """(names, softmax, scale, time): a file without metadata that answers with the class of the nearest of the takes,
    its outputs in the order of these names; scale NaN spoils it."""

    def make(names: Sequence[str] = LETTERS, softmax: bool = False, scale: float = 1.0, time: int | str = 30) -> Path:
        x = fit_length(hands.sequences, hands.lengths, 30).reshape(hands.takes, -1)
        each = np.concatenate([x[hands.labels == LETTERS.index(name)] for name in names])
        arrays = {"w": 2 * each.T, "b": -np.square(each).sum(axis=1), "scale": np.array(scale)}
        nodes = [
            helper.make_node("Flatten", ["landmarks"], ["flat"], axis=1),
            helper.make_node("MatMul", ["flat", "w"], ["product"]),
            helper.make_node("Add", ["product", "b"], ["distance"]),
            helper.make_node("Reshape", ["distance", "by_class"], ["classes"]),
            helper.make_node("ReduceMax", ["classes"], ["nearest"], axes=[2], keepdims=0),
            helper.make_node("Mul", ["nearest", "scale"], ["sum" if softmax else "logits"]),
        ]
        nodes += [helper.make_node("Softmax", ["sum"], ["logits"])] if softmax else []
        numbers = {k: v.astype(np.float32) for k, v in arrays.items()}
        by_class = np.array([-1, len(names), len(each) // len(names)])
        return save_onnx(nodes, {"landmarks": ["batch", time, 63]}, {**numbers, "by_class": by_class})

    return make


def test_a_file_that_names_nothing_is_taken_in_the_datas_order_and_that_is_said(
    cli: Cli, foreign: Foreign, data: Path, tmp_path: Path
) -> None:
    said = (foreign(), f"--data={data}", "--part=all", f"--workdir={tmp_path / 'none'}")
    answer = cli("evaluate", *said)
    assert answer.code == 0, answer.err
    assert "note: the file holds no class names: its outputs are taken in the data's order of classes" in answer.out
    assert "note: whether the model has learned from any of these takes is not known" in answer.out
    found = cli("evaluate", *said, "--json").json
    assert found["accuracy"] > 0.5
    assert (found["class_names_from"], found["order"]["verdict"]) == ("assumed", "fits")
    benched = cli("bench", *said, *FEW, "--json").json["accuracy"]
    assert benched["accuracy"] == pytest.approx(found["accuracy"])
    assert "holds no class names" in benched["notes"][0]


@pytest.mark.parametrize("command", [("evaluate",), ("bench", *FEW)])
def test_a_permuted_file_is_refused_and_names_put_it_right(
    cli: Cli, foreign: Foreign, data: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    """By a list, by a file of one name per line, and by a JSON list."""
    right = cli("evaluate", foreign(), f"--data={data}", "--part=all", f"--workdir={tmp_path / 'none'}", "--json").json
    said = (*command, foreign(TURNED), f"--data={data}", "--part=all", f"--workdir={tmp_path / 'none'}")
    answer = cli(*said)
    assert (answer.code, answer.out) == (2, "")
    for words in ("in the data's order of classes", "with its outputs in another order", "--class-names"):
        assert words in answer.err
    (tmp_path / "names.txt").write_text("\n".join(TURNED) + "\n\n")
    (tmp_path / "names.json").write_text(json.dumps(TURNED))
    for names in (",".join(TURNED), ", ".join(TURNED), tmp_path / "names.txt", tmp_path / "names.json"):
        named = cli(*said, f"--class-names={names}", "--json")
        assert named.code == 0, named.err
        accuracy = named.json["accuracy"] if command == ("evaluate",) else named.json["accuracy"]["accuracy"]
        assert accuracy == pytest.approx(right["accuracy"])


def test_names_that_the_answers_contradict_are_said_to_be(
    cli: Cli, foreign: Foreign, data: Path, tmp_path: Path
) -> None:
    """Who says them is believed, with the figure that they lead to, and told so."""
    names = f"--class-names={','.join(TURNED)}"
    for command in (("evaluate",), ("bench", *FEW)):
        said = (*command, foreign(), f"--data={data}", "--part=all", f"--workdir={tmp_path / 'none'}", names)
        answer = cli(*said)
        assert answer.code == 0, answer.err
        assert "its answers by its class names are right on" in answer.out
        assert "in another order" in answer.out


def test_near_chance_is_refused_where_names_are_assumed_and_a_result_where_they_are_said(
    cli: Cli, foreign: Foreign, data: Path, tmp_path: Path
) -> None:
    path = foreign(scale=0.0)
    said = (path, f"--data={data}", "--part=all", f"--workdir={tmp_path / 'none'}")
    answer = cli("evaluate", *said)
    assert answer.code == 2
    assert "dealt out at random" in answer.err
    named = cli("evaluate", *said, f"--class-names={','.join(LETTERS)}", "--json")
    assert named.json["accuracy"] == pytest.approx(1 / 26)


def test_a_handful_of_takes_is_too_few_to_check_and_that_is_said(
    cli: Cli, foreign: Foreign, hands: Recordings, tmp_path: Path
) -> None:
    save_recordings(tmp_path / "few.npz", hands.take(np.arange(2)))
    answer = cli(
        "evaluate", foreign(), f"--data={tmp_path / 'few.npz'}", "--part=all", f"--workdir={tmp_path / 'none'}"
    )
    assert answer.code == 0
    assert "too few takes to check the order of its outputs" in answer.out


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("A,B,C", "3 names for the 26 outputs of"),
        (",".join([*LETTERS[:-1], "A"]), "'A' appears twice"),
        (",".join([*LETTERS[:-1], "z"]), "'z' is not a class of the data, and its class 'Z' is not among the names"),
        (",".join(LETTERS).lower(), "'a' is not a class of the data"),
        ("gone/names.txt", "gone/names.txt: no such file"),
        ("", "'' is not a name"),
    ],
)
@pytest.mark.parametrize("command", [("evaluate",), ("bench", *FEW)])
def test_names_that_do_not_fit_are_one_clear_message(
    cli: Cli, foreign: Foreign, data: Path, tmp_path: Path, command: tuple[str, ...], names: str, message: str
) -> None:
    said = (foreign(), f"--data={data}", "--part=all", f"--workdir={tmp_path / 'none'}", f"--class-names={names}")
    answer = cli(*command, *said)
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err.replace("names;", "names for the 26 outputs of;") or message in answer.err


def test_an_edgekit_file_is_matched_by_name_whatever_the_datas_order(
    chain: Any, cli: Cli, hands: Recordings, tmp_path: Path
) -> None:
    """In evaluate, in bench, and as a teacher: the recordings number their classes the other way round."""
    save_recordings(tmp_path / "ordered.npz", hands)
    np.savez(
        tmp_path / "turned.npz",
        sequences=hands.sequences, lengths=hands.lengths, labels=25 - hands.labels, class_names=np.array(TURNED),
        signer=hands.signer, session=hands.session,
    )  # fmt: skip
    figures = []
    for name in ("ordered.npz", "turned.npz"):
        said = (f"--data={tmp_path / name}", "--part=all", f"--workdir={tmp_path / 'none'}", "--json")
        evaluated = cli("evaluate", chain.int8, *said).json
        benched = cli("bench", chain.int8, *FEW, *said).json["accuracy"]
        figures.append((evaluated["accuracy"], evaluated["per_class"], benched["accuracy"]))
    assert figures[0] == figures[1]


def test_names_win_over_a_files_own(chain: Any, cli: Cli, data: Path, tmp_path: Path) -> None:
    """As where its metadata is wrong; that they do is in the JSON."""
    said = (chain.int8, f"--data={data}", "--part=all", f"--workdir={tmp_path / 'none'}", "--json")
    own, same = cli("evaluate", *said).json, cli("evaluate", *said, f"--class-names={','.join(LETTERS)}").json
    assert own == same
    other = cli("evaluate", *said, f"--class-names={','.join(TURNED)}").json
    assert other["class_names_from"] == "said"
    assert other["per_class"] != own["per_class"]
    assert other["order"]["verdict"] != "fits"
    assert any("its answers by its class names are right on" in note for note in other["notes"])


UNLIKE = "names its own outputs, 26 of 26 otherwise than --class-names, which wins: output 1 is 'A' by the file and 'Z'"


def test_names_that_a_file_contradicts_win_and_that_is_said(
    chain: Any, cli: Cli, data: Path, hands: Recordings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By evaluate and bench in the report, by predict on stderr and in its JSON, by a stream on stderr."""
    where, names = (f"--data={data}", "--part=all", f"--workdir={tmp_path / 'none'}"), ",".join(TURNED)
    for command in (("evaluate",), ("bench", *FEW)):
        answer = cli(*command, chain.int8, *where, f"--class-names={names}")
        assert f"note: {chain.int8} {UNLIKE}" in answer.out
        assert UNLIKE not in cli(*command, chain.int8, *where, f"--class-names={','.join(LETTERS)}").out
    said = ("predict", data, f"--model={chain.int8}")
    answer = cli(*said, f"--class-names={names}", "--json")
    assert answer.err == f"edgekit: note: {answer.json['notes'][0]}\n"
    assert UNLIKE in answer.err
    same = cli(*said, "--json")
    assert (same.json["notes"], same.err) == ([], "")
    turned = dict(zip(LETTERS, TURNED, strict=True))
    found = (answer.json["predictions"], same.json["predictions"])
    assert all(one["label"] == turned[own["label"]] for one, own in zip(*found, strict=True))
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{hands.sequences[0, 0].tolist()}\n"))
    assert UNLIKE in cli("predict", f"--model={chain.int8}", f"--class-names={names}", "--min-frames=1").err


def test_a_teacher_that_calls_its_outputs_otherwise_is_told_of(chain: Any, hands: Recordings) -> None:
    x = fit_length(hands.sequences, hands.lengths, 30)
    teacher = load_teacher(str(chain.int8), x, LETTERS, TURNED)
    assert "26 of 26 otherwise than --class-names" in teacher.describe()
    assert "otherwise" not in load_teacher(str(chain.int8), x, LETTERS, LETTERS).describe()


def test_named_outputs_that_answer_by_chance_are_told_of_by_bench_as_by_evaluate(
    cli: Cli, foreign: Foreign, data: Path, tmp_path: Path
) -> None:
    where = (f"--data={data}", "--part=all", f"--workdir={tmp_path / 'none'}", f"--class-names={','.join(LETTERS)}")
    for command in (("evaluate",), ("bench", *FEW)):
        answer = cli(*command, foreign(scale=0.0), *where)
        assert answer.code == 0, answer.err
        assert "note: " in answer.out
        assert "takes, and dealt out at random they would be on" in answer.out


def test_predict_answers_with_the_names_that_were_said(
    cli: Cli, foreign: Foreign, data: Path, hands: Recordings, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = foreign(TURNED)
    answer = cli("predict", data, f"--model={path}")
    assert (answer.code, answer.out) == (2, "")
    assert "holds no class names; name them, first output to last, with --class-names" in answer.err
    names = f"--class-names={','.join(TURNED)}"
    found = cli("predict", data, f"--model={path}", names, "--json").json["predictions"]
    truth = [LETTERS[label] for label in hands.labels]
    assert np.mean([one["label"] == right for one, right in zip(found, truth, strict=True)]) > 0.5
    frames = hands.sequences[0, : min(30, int(hands.lengths[0]))]
    stream = "".join(json.dumps(frame.tolist()) + "\n" for frame in frames)
    monkeypatch.setattr("sys.stdin", io.StringIO(stream))
    last = json.loads(cli("predict", f"--model={path}", names).out.splitlines()[-1])
    assert last["label"] == found[0]["label"]
    for wrong in ("A,B,C", ",".join([*LETTERS[:-1], "A"])):
        assert cli("predict", data, f"--model={path}", f"--class-names={wrong}").code == 2


def test_probabilities_of_a_file_from_elsewhere_are_not_squashed_again(cli: Cli, foreign: Foreign, data: Path) -> None:
    """A model that ends in a softmax is as sure as it says."""
    names = f"--class-names={','.join(LETTERS)}"
    plain = cli("predict", data, f"--model={foreign()}", names, "--json").json["predictions"]
    soft = cli("predict", data, f"--model={foreign(softmax=True)}", names, "--json").json["predictions"]
    assert [one["probability"] for one in soft] == pytest.approx([one["probability"] for one in plain], abs=1e-5)
    assert max(one["probability"] for one in soft) > 0.5


def test_a_file_that_leaves_its_frames_open_is_evaluated_but_not_guessed_at(
    cli: Cli, foreign: Foreign, data: Path, tmp_path: Path
) -> None:
    path = foreign(time="time")
    said = (path, f"--data={data}", "--part=all", f"--workdir={tmp_path / 'none'}", "--set=data.sequence_length=30")
    assert cli("evaluate", *said).code == 0
    answer = cli("predict", data, f"--model={path}", f"--class-names={','.join(LETTERS)}")
    assert answer.code == 2
    assert "export it with fixed frames and features" in answer.err


@pytest.mark.parametrize("command", ["evaluate", "predict", "bench", "teacher"])
def test_answers_that_are_no_numbers_are_exit_2(
    cli: Cli, foreign: Foreign, data: Path, tmp_path: Path, command: str
) -> None:
    path, names = foreign(scale=float("nan")), f"--class-names={','.join(LETTERS)}"
    lines = {
        "evaluate": (command, path, f"--data={data}", "--part=all"),
        "predict": (command, data, f"--model={path}"),
        "bench": (command, path, f"--data={data}", "--part=all", *FEW),
        "teacher": ("distill", f"--teacher={path}", f"--data={data}"),
    }
    where = () if command == "predict" else (f"--workdir={tmp_path / 'none'}",)
    answer = cli(*lines[command], names, *where)
    assert (answer.code, answer.out) == (2, "")
    assert "gave NaN or infinity" in answer.err


# What a model has seen.


def test_takes_that_the_model_learned_from_are_counted(chain: Any, cli: Cli) -> None:
    data = chain.report["data"]
    expected = {"train": (data["train"], 0), "validation": (0, data["validation"]), "test": (0, 0)}
    expected["all"] = (data["train"], data["validation"])
    for part, (trained, chose) in expected.items():
        for command in [("evaluate",), *([("bench", *FEW)] if part == "all" else [])]:
            answer = cli(*command, f"--workdir={chain.workdir}", f"--part={part}", "--json").json
            found = answer if command == ("evaluate",) else answer["accuracy"]
            assert (found["seen"]["trained"], found["seen"]["chose"]) == (trained, chose), (command, part)
    text = cli("evaluate", f"--workdir={chain.workdir}", "--part=all").out
    assert f"note: the model has learned from {data['train']:,} of these" in text
    assert "has learned" not in cli("evaluate", f"--workdir={chain.workdir}").out


def test_the_file_alone_knows_what_it_learned_from_whatever_split_is_asked_for(
    chain: Any, cli: Cli, tmp_path: Path
) -> None:
    """Copied elsewhere; on the same synthetic hands, split by person now, it was trained on some of the test takes."""
    options = [f"--set=synth.{k}={v}" for k, v in chain.manifest["options"]["settings"]["synth"].items()]
    copied = tmp_path / "m.onnx"
    copied.write_bytes(chain.int8.read_bytes())
    said = ("evaluate", copied, *options, f"--workdir={tmp_path / 'none'}", "--json")
    by_day, by_person = (cli(*said, f"--split={by}").json["seen"] for by in ("session", "signer"))
    assert by_day["trained"] == 0
    assert by_person["trained"] > 0
    other = cli(*said, "--set=synth.seed=9", "--part=all").json
    assert (other["seen"]["trained"], other["seen"]["chose"]) == (None, None)
    assert (
        "it was trained on other recordings than these (synthetic hands (seed 0), others in every epoch)"
        in other["seen"]["reason"]
    )


@pytest.mark.parametrize("split", ["", "{", "[]", '{"split": "moon"}', '{"split": "session", "test_sessions": ["x"]}'])
def test_a_split_that_can_not_be_made_again_is_not_known(chain: Any, cli: Cli, tmp_path: Path, split: str) -> None:
    model = onnx.load(chain.int8)
    next(item for item in model.metadata_props if item.key == "edgekit.split").value = json.dumps(split)
    onnx.save(model, tmp_path / "m.onnx")
    answer = cli("evaluate", tmp_path / "m.onnx", f"--workdir={chain.workdir}", "--part=all", "--json")
    assert answer.code == 0, answer.err
    assert answer.json["seen"]["trained"] is None


# The names themselves.


def test_names_are_read_from_what_people_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("lines").write_bytes(b"\xef\xbb\xbfgood morning\r\nB, or b\r\n\r\n")
    Path("list.json").write_text('[" A ", "B,C"]')
    assert parse_class_names("A, B ,C") == ("A", "B", "C")
    assert parse_class_names("lines") == ("good morning", "B, or b")
    assert parse_class_names("list.json") == (" A ", "B,C")
    assert parse_class_names(",".join(f"class number {k}" for k in range(2000)))[-1] == "class number 1999"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no name"),
        (b"[1, 2]", "1 is not a name"),
        (b'["A", ["B"]]', "['B'] is not a name"),
        (b'["\\ud800"]', "is not a name"),
        (b'["A"', "not a JSON list"),
        (b"[" * 5000, "not a JSON list"),
        (b'{"0": "A"}', "holds JSON that is an object, not a list"),
        (b'\n {"A": 1, "B": 2}', "holds JSON that is an object, not a list"),
        (b"{A}", "not a JSON list"),
        (b"\xff\xfe", "not UTF-8"),
        (b"A\n" * 600_000, "more than the 1 MB"),
        (b"A\nA", "'A' appears twice"),
    ],
)
def test_a_file_of_no_names_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "names").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        parse_class_names(str(tmp_path / "names"))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("content", "kind"), [('"A"', "a text"), ("12", "a number"), ("1.5", "a number"), ("true", "one word")]
)
def test_a_file_that_is_called_json_holds_a_list(tmp_path: Path, content: str, kind: str) -> None:
    (tmp_path / "names.json").write_text(content)
    with pytest.raises(ConfigError, match=f"names.json: holds JSON that is {kind}, not a list; expected the name"):
        parse_class_names(str(tmp_path / "names.json"))
    (tmp_path / "names.txt").write_text(content)
    assert parse_class_names(str(tmp_path / "names.txt")) == (content,)


def test_a_model_may_know_more_or_fewer_classes_but_not_others() -> None:
    match_class_names(("A", "B", "C"), ("A", "B"))
    match_class_names(("A", "B"), ("A", "B", "C"))
    with pytest.raises(ConfigError, match="'C' is not a class of the data, and its class 'c'"):
        match_class_names(("A", "B", "C"), ("A", "B", "c"))


def test_messages_about_names_of_a_file_name_that_file(tmp_path: Path) -> None:
    """And the option alone for names that were listed."""
    file = tmp_path / "victim.txt"
    file.write_text("A\nB\n")
    for said, where in ((str(file), f"--class-names {file}"), ("A,B", "--class-names")):
        names = parse_class_names(said)
        assert names == ("A", "B")
        with pytest.raises(ConfigError) as caught:
            check_count(names, 3, "m.onnx")
        assert str(caught.value) == f"{where}: 2 names for the 3 outputs of m.onnx; give one each"
        with pytest.raises(ConfigError) as caught:
            match_class_names(names, ("A", "b"))
        assert str(caught.value).startswith(f"{where}: 'B' is not a class of the data, and its class 'b'")


@pytest.mark.parametrize("command", [("evaluate",), ("predict",), ("bench", *FEW)])
def test_every_command_names_the_file_that_wrong_names_are_from(
    cli: Cli, foreign: Foreign, data: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    names = tmp_path / "victim.txt"
    names.write_text("A\nB\n")
    on = [data, f"--model={foreign()}"] if command == ("predict",) else [foreign(), f"--data={data}", "--part=all"]
    place = [] if command == ("predict",) else [f"--workdir={tmp_path / 'none'}"]
    answer = cli(*command, *on, *place, f"--class-names={names}")
    assert answer.code == 2
    assert f"--class-names {names}: 'B' is not a class" in answer.err or f"{names}: 2 names for the 26" in answer.err


def test_a_model_of_other_classes_is_told_that_the_hands_are_the_embedded_ones(
    chain: Any, cli: Cli, tmp_path: Path
) -> None:
    names = ",".join(f"sign {k}" for k in range(26))
    model = tmp_path / "mine.onnx"
    content = onnx.load(chain.workdir / "model.onnx")
    entry = next(item for item in content.metadata_props if item.key.endswith("class_names"))
    entry.value = json.dumps(names.split(","))
    onnx.save(content, model)
    answer = cli("evaluate", model, f"--workdir={tmp_path / 'none'}", "--set=synth.people=3")
    assert answer.code == 2
    assert "These are the embedded synthetic hands; give your recordings with --data" in answer.err
