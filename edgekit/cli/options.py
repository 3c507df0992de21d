"""Every option of every command, declared once, in the groups that `--help` shows.

A command takes those that it obeys with `@command(...)`, and no others.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import click

from edgekit.cli.declaring import GROUPS, Declared, Real, Whole

PATH = click.Path(path_type=Path)
SHARE = Real(0, 1, max_open=True)
POSITIVE = Real(0, min_open=True)
COUNT = Whole(1)


def _accelerator(context: click.Context, option: click.Parameter, value: str | None) -> str | None:
    if value is not None and not re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?", value):
        raise click.BadParameter(f"'{value}' is none of auto, cpu, cuda, cuda:0, cuda:1, ...")
    return value


_own, _job, _training, _output = (partial(Declared, group) for group in GROUPS)

# What to work on, and what is remembered of it.

WORKDIR = _job(
    "--workdir",
    type=PATH,
    default=Path("edgekit-work"),
    show_default=True,
    help="Where everything is kept; later commands continue from it.",
)
CONFIG = _job("--config", type=PATH, metavar="FILE.yaml", help="Settings file.")
SET = _job("--set", "assignments", multiple=True, metavar="SECTION.KEY=VALUE", help="One setting; repeatable.")
PRESET = _job(
    "--preset",
    type=click.Choice(["quick", "specification", "standard"]),
    help="Schedule of the whole job [standard].",
)
SEED = _job(
    "--seed",
    type=Whole(0, 2**32 - 1),
    help="Seed of everything random, including the synthetic hands unless synth.seed is set [0].",
)
DATA = _job(
    "--data",
    type=PATH,
    help="Recordings: .npz, .csv, .parquet, or a folder of classes [the embedded synthetic hands].",
)
COLUMNS = _job(
    "--columns",
    metavar="KINDS",
    help="Kinds of a table's columns where their names don't say, from left to right, separated by commas:"
    " take, frame, label, signer, session, hand, aspect, features, skip. features stands for all remaining columns."
    " Without take, each row is a take.",
)
SPLIT = _job(
    "--split", type=click.Choice(["session", "signer"]), help="Test on other days, or on other people [session]."
)
PRETRAIN = _job(
    "--pretrain",
    type=click.Choice(["auto", "none", "shipped", "synthetic"]),
    help="Start models from the weights that edgekit comes with, or from weights trained on synthetic hands first"
    " [auto: shipped, where recordings are the letters of one hand].",
)
TEACHER = _job("--teacher", help="A variant, trained first if missing; or FILE.onnx; or MODULE:FUNCTION [accurate].")
CLASS_NAMES = _job(
    "--class-names",
    metavar="NAME,NAME,...|FILE",
    help="Classes of MODEL's outputs, first to last; a file holds one per line, or a JSON list [its own].",
)
TEACHER_NAMES = CLASS_NAMES.saying(
    "Classes of the outputs of a teacher that edgekit did not train, first to last; a file holds one per line, or a"
    " JSON list [its own, else the data's]."
)
STUDENT = _job("--student", help="Variant of the student [edge].")
FORCE = _job(
    "--force", is_flag=True, help="Make up-to-date stages again, and replace what was made with other settings."
)
DRY_RUN = _job("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")

# How models learn.

EPOCHS = _training("--epochs", type=COUNT, help="Maximum number of epochs.")
THREADS = _training("--threads", type=Whole(1, 256), help="CPU threads for training [chosen by a short trial].")
ACCELERATOR = _training(
    "--accelerator",
    former=("--device",),
    metavar="auto|cpu|cuda|cuda:N",
    callback=_accelerator,
    help="Where to train [auto: CUDA if present].",
)
ACCELERATORS = _training(
    "--accelerators",
    former=("--devices",),
    type=Whole(1, 64),
    help="Number of processes that share each batch, one per GPU; rarely worth it for models this small [1].",
)
PRECISION = _training(
    "--precision",
    type=click.Choice(["fp32", "bf16", "auto"]),
    help="auto uses bf16 if a short trial on the CPU shows that it pays [fp32].",
)
TEMPERATURE = _training("--temperature", type=POSITIVE, help="Softens both distributions.")
ALPHA = _training("--alpha", type=Real(0, 1), help="Weight of the teacher against the labels.")

# What is told, and where.

JSON = _output("--json", "as_json", is_flag=True, help="Result as JSON on stdout.")
QUIET = _output("--quiet", "-q", is_flag=True, help="Print only errors to stderr.")
VERBOSE = _output("--verbose", "-v", is_flag=True, help="Print every epoch, even if stderr is not a terminal.")
JUNIT = _output(
    "--junit",
    type=PATH,
    metavar="FILE.xml",
    help="Write the verdicts as JUnit XML, one case per row: a violated constraint is a failure, an undecided"
    " one an error.",
)
MARKDOWN = _output(
    "--markdown",
    type=PATH,
    metavar="FILE.md",
    help="Write the report as Markdown, for example for a comment on a pull request.",
)
HTML = _output(
    "--html",
    type=PATH,
    metavar="FILE.html",
    help="Write the report as a page with pictures: one file that needs nothing else.",
)
PICTURE = _output("--picture", type=PATH, metavar="FILE.png", help="Draw the confusion matrix: .png, .svg or .pdf.")
OUTPUT = _output("--output", "-o", type=PATH, help="With MODEL: where to write the result [MODEL.int8.onnx].")

#: Of the commands that make models.
CHAIN = (WORKDIR, CONFIG, SET, PRESET, SEED, DATA, COLUMNS, SPLIT, PRETRAIN, FORCE, DRY_RUN)
HARDWARE = (THREADS, ACCELERATOR, ACCELERATORS, PRECISION)
TOLD = (JSON, QUIET, VERBOSE)

# Of single commands.

SPARSITY = _own("--sparsity", type=SHARE, help="Share of the parameters to remove [0.5].")
METHOD = _own(
    "--method",
    type=click.Choice(["structured", "unstructured"]),
    help="Remove whole units, or set single weights to zero, which saves neither size nor time [structured].",
)
SCOPE = _own(
    "--scope",
    type=click.Choice(["global", "layer"]),
    help="Unstructured: rank weights across the whole model, or within each matrix [layer].",
)
RAMP = _own(
    "--ramp",
    type=SHARE,
    help="Unstructured: share of the epochs in which sparsity rises; 0 prunes everything at once [0.5].",
)
SCHEME = _own(
    "--scheme",
    type=click.Choice(["int8-weights", "int8-dynamic", "int4-weights", "auto"]),
    help="int8-weights: int8 storage, fp32 arithmetic, LSTM and GRU; int8-dynamic: int8 arithmetic inside LSTM layers,"
    " for batch 1; int4-weights: int4 storage, for ONNX Runtime 1.19 and later; auto, without MODEL: measures them all"
    " here and chooses [int8-weights].",
)
CALIBRATION = _own(
    "--calibration",
    type=PATH,
    metavar="FILE.npz",
    help="With MODEL: takes to compare both files on; arrays called as the inputs, or recordings [made-up input].",
)
MAX_DIFFERENCE = _own(
    "--max-difference",
    type=POSITIVE,
    help="With MODEL: how far an output may be off; weights that move it further stay in float16, and where none can be"
    " int8 nothing is written, exit code 5 [any].",
)
ARITHMETIC = _own(
    "--arithmetic",
    type=click.Choice(["auto", "fp32", "int8"]),
    default="auto",
    show_default=True,
    help="How the C file computes: auto is int8 for an INT8 file; fp32 computes its weights as ONNX Runtime does.",
)
RUNTIME = _own(
    "--runtime",
    type=click.Choice(["onnxruntime", "native"]),
    default="onnxruntime",
    show_default=True,
    help="What computes.",
)
C_NAME = _own("--name", "c_name", default="model", show_default=True, help="Name of the files and the C functions.")
MACHINE = _own(
    "--target",
    "machine",
    type=click.Choice(["native", "wasm32"]),
    default="native",
    show_default=True,
    help="What to compile for: C and a library of this machine, or a WebAssembly module with a JavaScript loader.",
)
PROVING = (CALIBRATION, MAX_DIFFERENCE)
FOLDS = _own("--folds", type=Whole(2, 100), help="Folds of cross-validation [5].")
TRIALS = _own("--trials", type=COUNT, help="Maximum number of points to try [all 81].")
JOBS = _own("--jobs", type=Whole(1, 256), default=1, show_default=True, help="Trials to run at the same time.")
CLUSTER = _own(
    "--cluster", metavar="ADDRESS", help="Run the trials on a Ray cluster; local starts --jobs Ray workers here [2]."
)
POINTS = _own("--points", type=COUNT, help="Maximum number of students to train [all that can fit].")
BUDGET = _own("--budget", metavar="TIME", help="Begin no student after this long: 90s, 30m, 2h [until all are done].")
MIN_ACCURACY = _own(
    "--min-accuracy", type=Real(0, 1, min_open=True), help="Least accuracy on validation takes, as a ratio [any]."
)
PROFILE = _own("--profile", "-p", default="raspberry-pi", show_default=True, help="Name of a profile, or a YAML file.")
REPEATS = _own("--repeats", type=COUNT, help="Minimum number of samples per process [1000].")
PROCESSES = _own("--processes", type=COUNT, help="Number of fresh processes to measure in [3].")
TIME_LIMIT = _own("--time-limit", type=POSITIVE, help="Seconds to spend on measuring latency [60].")
RATE = _own("--rate", type=POSITIVE, help="Also run paced, at this many takes per second.")
DURATION = _own("--duration", type=POSITIVE, help="Also run for this many seconds [10].")
SWEEP = _own("--sweep", is_flag=True, help="Also survey 1, 2, 4 threads and batches of 1, 4, 16.")
EVIDENCE = _own(
    "--evidence",
    type=click.Choice(["measured on device", "emulated", "estimated", "measured on this host"]),
    help="Weakest evidence that is accepted [estimated].",
)
EMULATE = _own("--emulate", is_flag=True, help="Also run the model on the boards' cores, emulated.")
MAX_INSTRUCTIONS = _own(
    "--max-instructions", type=COUNT, help="Maximum number of instructions of a prediction; with --emulate [any]."
)
ONNXRUNTIME = _own("--onnxruntime", metavar="VERSION", help="Version of ONNX Runtime for 64-bit Arm [1.32.0].")
SHAPE = _own(
    "--shape", "shapes", multiple=True, metavar="NAME=1,30,63", help="Sizes of an input that the file leaves open."
)
VALUE = _own(
    "--value",
    "values",
    multiple=True,
    metavar="NAME=NUMBER[,...]",
    help="Numbers to fill an input with, such as a rate or a length.",
)
INFERENCE_THREADS = _own("--threads", type=Whole(1, 256), help="Threads of inference [1].")
PART = _own(
    "--part", type=click.Choice(["validation", "test", "train", "all"]), help="Which takes [test].", default="test"
)
PARENT = _own(
    "--parent",
    type=PATH,
    metavar="MODEL.onnx",
    help="The fp32 file that MODEL was made from, for max_accuracy_drop [the work directory's, for its own file].",
)
BASELINE = _own(
    "--baseline",
    type=PATH,
    metavar="FILE.json",
    help="JSON of an earlier bench (bench --json) on a machine like this one.",
)
MAX_REGRESSION = _own(
    "--max-regression",
    metavar="RATIO",
    help="How much worse latency, memory, size and accuracy may be than the baseline's: 10% or 0.1.",
)
MODEL = _own(
    "--model",
    "-m",
    type=PATH,
    help="ONNX file; one without class names needs --class-names; shipped is the student that edgekit comes with"
    " [what quantize left in the work directory, else shipped].",
)
MIN_FRAMES = _own(
    "--min-frames",
    type=COUNT,
    help="Frames of a stream before the first label [10, or the window where it is shorter].",
)
WINDOW = _own(
    "--window",
    type=COUNT,
    metavar="FRAMES",
    help="Stream: of how many of the last frames an answer is, at most those that the model reads [two thirds of them;"
    " all where they are more than 30 or the file is not edgekit's].",
)
NO_REJECT = _own(
    "--no-reject",
    is_flag=True,
    help="Where a hand is seen, name the nearest class however unlike it is, also where the file would say that nobody"
    " signs.",
)
STEP = _own(
    "--step",
    is_flag=True,
    help="Stream: one step a frame, from states that go on, instead of a window of the last frames. Of a library,"
    " with --runtime native, or of a file of `edgekit step`, which knows no other way [the work directory's].",
)
RESTART = _own(
    "--restart",
    type=Whole(0),
    metavar="FRAMES",
    help="Stream by steps: begin a state anew after so many frames, while another one answers; 0: never [two thirds of"
    " the model's frames].",
)
LIVE_CAMERA = _own("--camera", type=Whole(0, 9999), metavar="NUMBER", help="Read a camera; the first one is 0.")
VIDEO = _own("--video", type=PATH, metavar="FILE", help="Read a video, or a folder of pictures.")
PAUSE = _own("--pause", type=POSITIVE, metavar="SECONDS", help="Without a letter for so long, a word has ended [0.75].")
LEAST = _own(
    "--least",
    type=Real(0, 1),
    metavar="PROBABILITY",
    help="Least probability of a letter that is written [0.6; 0.78 without a rule for no sign; 0.7 by steps].",
)
DEFAULT = _own("--default", is_flag=True, help="Show the preset's defaults, with explanations.")
MEASURE = _own("--measure", is_flag=True, help="Also measure their latency on this host, which takes some seconds.")

# Of pictures.

TAKES_OUTPUT = _output(
    "--output",
    "-o",
    type=PATH,
    required=True,
    metavar="FILE.npz",
    help="Where to write the recordings: .npz, .csv, .parquet, or a folder.",
)
LABEL = _own(
    "--label", metavar="CLASS", help="Class of all takes, where no folder's name says it [the video's own name]."
)
SIGNER = _own("--signer", metavar="NAME", help="Who signs [the folder's name, where there is one].")
SESSION = _own("--session", metavar="NAME", help="When, best as YYYY-MM-DD [the folder's name, where there is one].")
HANDS = _own(
    "--hands",
    "num_hands",
    type=Whole(1, 2),
    default=1,
    show_default=True,
    help="Hands a frame: one is 63 numbers, two are 126, L first.",
)
KEPT_RATE = _own(
    "--rate", type=POSITIVE, default=30.0, show_default=True, help="Most frames a second that are kept of a video."
)
RECORDED = _output(
    "--output",
    "-o",
    type=PATH,
    default=Path("my-signs.npz"),
    show_default=True,
    metavar="FILE.npz",
    help="Where the takes are written to; an existing file is continued.",
)
TAKES = _own("--takes", type=COUNT, default=12, show_default=True, help="Takes of each sign.")
CAMERA = _own(
    "--camera", metavar="NUMBER|VIDEO", default="0", show_default=True, help="Camera, or a video in its place."
)
TAKE_SECONDS = _own("--seconds", type=POSITIVE, default=1.0, show_default=True, help="How long a take is.")
COUNTDOWN = _own("--countdown", type=Real(0), default=3.0, show_default=True, help="Seconds before each take.")
TEXT = _own("--text", is_flag=True, help="No window: lines of text, and answers on stdin.")
SECONDS = _own("--seconds", type=POSITIVE, help="How long a take of a camera is [until Ctrl-C].")

WHEEL = _own(
    "--wheel", type=PATH, metavar="FILE.whl", help="The wheel of mediapipe 0.10.14, of any system [pip fetches one]."
)

# Of `studio`.

BESIDE = _own("--beside", type=PATH, metavar="MODEL", help="A second model, which reads the same hand.")
PORT = _own(
    "--port", type=Whole(0, 65535), default=8765, show_default=True, help="Of the page; 0 for any that is free."
)
EXPORT_PAGE = _own(
    "--export",
    "page_folder",
    type=PATH,
    metavar="FOLDER",
    help="Write the page into a folder, for any web server.",
)
NPM_PACKAGE = _own(
    "--package", type=PATH, metavar="FILE.tgz", help="With setup: onnxruntime-web's npm package [npm fetches it]."
)

# Of `data`.

OUT_OF_FOLD = _own(
    "--out-of-fold", is_flag=True, help="Also look for wrong labels with trained models; needs the extra train."
)
LAYOUT = _own(
    "--layout",
    type=click.Choice(["npz", "csv", "parquet", "takes", "frames"]),
    help="Layout of TARGET; takes is class/take.npy, frames is class/take/frame.npy [by its suffix; takes"
    " without one].",
)
DROP = _own(
    "--drop",
    multiple=True,
    type=click.Choice(
        ["non-finite", "empty", "contradictions", "duplicates", "gaps", "frozen", "sparse", "mislabelled"]
    ),
    help="What to leave out; repeatable [what is certainly broken: non-finite, empty, contradictions, duplicates].",
)
PEOPLE = _own("--people", type=COUNT, help="Number of people.")
TAKES_PER_LETTER = _own("--takes-per-letter", type=COUNT, help="Takes of each letter by each person.")
NO_SIGN = _own("--no-sign", is_flag=True, help="Add a 27th class: hands that sign nothing.")
PREVIEW = _own("--preview", type=PATH, help="Draw the letters to a PNG file; needs matplotlib.")
REPLACE = _own("--force", is_flag=True, help="Replace an existing file.")
