"""README, pages and examples name only what exists, and the pages everything that exists."""

from __future__ import annotations

import json
import re
import shlex
import statistics
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

import edgekit
from edgekit import errors
from edgekit.cli import cli as group
from edgekit.profiles import list_profiles, load_profile

ROOT = Path(__file__).resolve().parents[1]
FILES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md")), *ROOT.glob("examples/**/*.md"))
PAGES = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in FILES}
README = PAGES["README.md"]
TEXT = "\n".join(PAGES.values())
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
SHELL_LINES = [line.strip() for language, block in BLOCKS if language == "sh" for line in block.splitlines()]
COMMANDS = sorted({line for line in SHELL_LINES if re.match(r"(\S*/)?edgekit\b", line)})
YAML = [block for language, block in BLOCKS if language == "yaml"]
WORKFLOWS = [
    *(block for block in YAML if "jobs:" in block),
    *(path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("examples/**/*.yml"))),
]
PROFILES = [block for block in YAML if "max_latency_ms:" in block]
SETTINGS = [block for block in YAML if "jobs:" not in block and block not in PROFILES]
PYTHON = [block for language, block in BLOCKS if language == "python"]


def workflow_commands(text: str) -> list[str]:
    """Every `edgekit` line of a GitHub Actions workflow, up to what the shell does with its exit code or output."""
    jobs = yaml.safe_load(text)["jobs"].values()
    scripts = [step["run"] for job in jobs for step in job["steps"] if "run" in step]
    lines = [line.strip() for script in scripts for line in script.replace("\\\n", " ").splitlines()]
    return [re.split(r"\s(?:\|\||&&|[|>;])", line)[0] for line in lines if line.startswith("edgekit ")]


def options_of(command: click.Command) -> set[str]:
    """Every spelling of its options."""
    return {name for option in command.params for name in (*option.opts, *option.secondary_opts)} | {"--help", "-h"}


def find_command(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that the words call, and what is left for it. Fails for one that does not exist."""
    command: click.Command = group
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        assert words[0] in command.commands, f"no such command: {words[0]}"
        command, words = command.commands[words[0]], words[1:]
    return command, words


def blocks_of(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGES[page], re.DOTALL | re.MULTILINE)


def anchors_of(page: str) -> set[str]:
    """Of its headings, as the site and GitHub make them."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", page, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def pages_in(nav: Any) -> list[str]:
    """Every page of a site's navigation, in its order."""
    if isinstance(nav, str):
        return [nav]
    return [page for part in (nav.values() if isinstance(nav, dict) else nav) for page in pages_in(part)]


def test_the_readme_is_short() -> None:
    assert len(README.encode()) <= 8000


def test_the_readme_leads_with_the_two_commands_then_the_three() -> None:
    lines = [line.strip() for block in blocks_of("README.md", "sh") for line in block.splitlines()]
    assert [line for line in lines if line.startswith("make")][:2] == ["make run", "make test"]
    three = ["edgekit distill", "edgekit quantize", "edgekit bench --profile raspberry-pi"]
    commands = [line for line in lines if line.startswith("edgekit")]
    assert commands[0].startswith("edgekit run --data")
    assert commands[1:4] == three
    assert lines.index("make run") < lines.index(commands[0])


def test_the_readmes_table_is_a_bench_as_it_prints() -> None:
    from edgekit.report.rows import BENCH_HEADERS

    (shown,) = blocks_of("README.md", "text")
    header, *rows = [re.split(r"\s{2,}", line.strip()) for line in shown.splitlines() if re.match(r" \w", line)]
    assert tuple(header) == BENCH_HEADERS
    assert {row[0].partition(": ")[0] for row in rows if ":" in row[0]} <= {
        board.name for board in load_profile("raspberry-pi").boards
    }
    assert {tuple(row[-2:]) for row in rows} == {("pass", "measured on this host"), ("pass", "estimated")}
    assert shown.rstrip().endswith(
        "fits raspberry-pi: size, latency and memory are within its limits; accuracy was not judged"
    )


#: Rows of the tables of accuracy, and the study's names for them; the first four are the chain.
HEADLINE = {
    "teacher, LSTM 256x3": "teacher",
    "student, LSTM 64": "distilled",
    "pruned student, fp32": "pruned",
    "pruned student, INT8 weights": "int8",
    "student on labels alone": "scratch",
    "pruned evenly (`prune.widths=uniform`)": "even",
    "half of the weights zero (`--method unstructured`)": "zeros",
    "as wide as the pruned one, under the teacher": "dense_distilled",
    "as wide as the pruned one, on labels alone": "dense",
    "more units taken out, INT8": "smaller_int8",
}


@pytest.mark.parametrize("page", ["README.md", "docs/results.md"])
def test_the_headline_is_what_was_measured(page: str) -> None:
    lines = (ROOT / "bench" / "results" / "compression.jsonl").read_text(encoding="utf-8").splitlines()
    seeds = [json.loads(line) for line in lines]
    rows = re.findall(r"^\| ([^|]+) \| ([\d.]+) % \| ([\d.]+) to ([\d.]+) % \|", PAGES[page], re.MULTILINE)
    told = {name: tuple(float(value) for value in values) for name, *values in rows}
    expected = {}
    for name in told:
        each = [100 * seed["models"][HEADLINE[name]]["accuracy"] for seed in seeds]
        expected[name] = tuple(round(value, 1) for value in (statistics.mean(each), min(each), max(each)))
    assert len(seeds) == 3
    assert set(list(HEADLINE)[:4]) <= set(told)
    assert told == expected
    named = [name for name in told if "labels alone" not in name]
    cells = {name: tuple(float(value) for value in times_and_size(PAGES[page], name)) for name in named}
    assert cells == {name: (faster(seeds, HEADLINE[name]), size_kb(seeds, HEADLINE[name])) for name in named}


def times_and_size(page: str, name: str) -> tuple[str, float]:
    """(times as fast as the student, KB) of a row of such a table; both are its last cells."""
    (row,) = (line for line in page.splitlines() if line.startswith(f"| {name} |"))
    times, size = (cell.strip() for cell in row.strip("|").split("|")[-2:])
    value, unit = size.split()
    return times, float(value) * {"KB": 1, "MB": 1000}[unit]


def faster(seeds: list[Any], name: str) -> float:
    """Mean over seeds, two digits."""
    return round(statistics.mean(1 / seed["times"][name]["ratio"] for seed in seeds), 2)


def size_kb(seeds: list[Any], name: str) -> float:
    """Mean over seeds, as exact as it is told: 10 KB from 1 MB on, else 0.1 KB."""
    size = statistics.mean(seed["models"][name]["bytes"] for seed in seeds) / 1000
    return round(size, 1) if size < 1000 else round(size, -1)


@pytest.mark.parametrize("line", sorted({*COMMANDS, *(line for text in WORKFLOWS for line in workflow_commands(text))}))
def test_every_command_line_is_one(line: str) -> None:
    command, words = find_command(shlex.split(line.partition(" > ")[0], comments=True)[1:])
    assert not isinstance(command, click.Group), "a group alone does nothing"
    for word in words:
        if word.startswith("-"):
            assert word.partition("=")[0] in options_of(command)
    context = command.make_context("edgekit", list(words), resilient_parsing=False)
    assert context.command is command


@pytest.mark.parametrize("path", sorted(name for name in group.commands))
def test_every_command_is_in_the_guide(path: str) -> None:
    assert f"\n| `edgekit {path}` |" in PAGES["docs/job.md"]
    child = group.commands[path]
    for name in child.commands if isinstance(child, click.Group) else ():
        assert f"`{name}`" in PAGES["docs/job.md"]


def test_every_profile_is_listed_with_its_boards() -> None:
    rows = dict(re.findall(r"^\| `(raspberry-pi[\w-]*)` \| (.*) \|$", PAGES["docs/profiles.md"], re.MULTILINE))
    family, *boards = list_profiles()
    assert rows == {family.name: "the family: all four below"} | {each.name: each.boards[0].name for each in boards}
    assert len(family.boards) == 4


def test_every_exit_code_and_error_is_listed() -> None:
    page = PAGES["docs/errors.md"]
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)} == {*errors.PRECEDENCE, 143, 129}
    told = {name: int(code) for name, code in re.findall(r"^\| `(\w+)` \| (\d+) \|", page, re.MULTILINE)}
    classes = [kind for kind in vars(errors).values() if isinstance(kind, type) and kind.__module__ == errors.__name__]
    assert told == {kind.__name__: kind.exit_code for kind in classes if issubclass(kind, errors.EdgekitError)}


def test_every_public_function_is_listed() -> None:
    told = re.findall(r"^\| `edgekit\.(\w+)` \|", PAGES["docs/python.md"], re.MULTILINE)
    assert set(told) == set(edgekit.__all__) - {"__version__"}


def test_options_named_in_the_text_exist() -> None:
    known = {"--index-url", "-std", "-mcpu", "-march", "-ffp-contract"}  # pip's, and C compilers'
    known |= {"--environments", "--only"}  # bench/peers.py's
    for command in (group, *group.commands.values()):
        known |= options_of(command)
        if isinstance(command, click.Group):
            for child in command.commands.values():
                known |= options_of(child)
    named = set(re.findall(r"`(--?[a-z][a-z-]*)", TEXT))
    assert "--workdir" in named
    assert named <= known


def test_make_targets_named_in_the_text_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z-]+)\b", "\n".join([*SHELL_LINES, *re.findall(r"`([^`\n]+)`", TEXT)])))
    assert {"run", "test", "docs"} <= named <= targets


def test_settings_named_in_the_text_exist() -> None:
    from edgekit.config import parse_assignment
    from edgekit.workdir import Options, Settings

    named = re.findall(r"--set ([a-z_.]+=[^\s`]+)", TEXT)
    assert named
    for assignment in named:
        tree = parse_assignment(assignment)
        Settings(Options(settings=tree)).check(tree)


@pytest.mark.parametrize("text", SETTINGS)
def test_settings_files_shown_are_accepted(text: str, tmp_path: Path) -> None:
    from edgekit.workdir import Options, Settings, said_options

    file = tmp_path / "shown.yaml"
    file.write_text(text, encoding="utf-8")
    options = said_options(Options(), file)
    settings = Settings(options)
    settings.check(options.settings)
    for section, said in options.settings.items():
        resolved = settings.resolved()[section]
        assert {key for key in said if key != "dropout"} <= set(resolved), section


@pytest.mark.parametrize("text", PROFILES)
def test_profiles_shown_are_accepted(text: str, tmp_path: Path) -> None:
    file = tmp_path / "ours.yaml"
    file.write_text(text, encoding="utf-8")
    profile = load_profile(file)
    assert [board.name for board in profile.boards] == ["Raspberry Pi 4 Model B"]
    assert profile.max_accuracy_drop == 0.01
    keys = {key for cell in re.findall(r"^\| (`[^|]+) \|", PAGES["docs/profiles.md"], re.MULTILINE)
            for key in re.findall(r"`(\w+)`", cell)}  # fmt: skip
    assert set(yaml.safe_load(text)) - {"description"} <= keys <= set(type(profile).model_fields)


def test_every_page_is_in_the_navigation_once() -> None:
    site = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]
    assert sorted(pages_in(site["nav"])) == sorted(path.name for path in ROOT.glob("docs/*.md"))


@pytest.mark.parametrize("page", [name for name in PAGES if name.startswith("docs/") and name != "docs/index.md"])
def test_every_page_is_reached_from_readme_and_index(page: str) -> None:
    assert f"({page.removeprefix('docs/')})" in PAGES["docs/index.md"]
    reading = {"docs/install.md": "docs/install.md#"}.get(page, f"{page})")
    assert f"({reading}" in README


def test_links_between_pages_lead_somewhere() -> None:
    for name, page in PAGES.items():
        folder = (ROOT / name).parent
        for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", page):
            assert (folder / target).exists(), f"{name}: {target}"
            if anchor:
                linked = PAGES[(folder / target).resolve().relative_to(ROOT).as_posix()] if target else page
                assert anchor in anchors_of(linked), f"{name}: {target}#{anchor}"


def test_links_of_the_site_stay_in_it() -> None:
    """What is outside docs/ is named as code, because the site does not hold it."""
    for path in ROOT.glob("docs/*.md"):
        assert "](../" not in path.read_text(encoding="utf-8"), path.name


def test_files_named_in_the_text_exist() -> None:
    named = set(re.findall(r"`((?:bench|tests|examples|profiles|tools|edgekit|docs)/[\w./-]*)[` ]", TEXT))
    named |= {line.split()[1] for line in SHELL_LINES if re.match(r"python \S+\.py", line)}
    named |= set(re.findall(r"`python (\S+\.py)\b", TEXT))
    assert {"bench/compression.py", "tests/test_privacy.py"} <= named
    assert {name for name in named if not (ROOT / name).exists()} == set()


def test_the_table_of_variants_is_what_the_models_are() -> None:
    from edgekit.model import VARIANTS, Architecture

    rows = re.findall(
        r"^\| (`\w+`)? ?\| ?([A-Z0-9 x]*)\| (both|one direction) \| ([\d,]+) \| ([\d,]+) \|",
        PAGES["docs/compression.md"],
        re.MULTILINE,
    )
    told, name = {}, ""
    for variant, _, first, parameters, macs in rows:
        name = variant.strip("`") or name
        told[name, first == "both"] = (int(parameters.replace(",", "")), int(macs.replace(",", "")))
    expected = {}
    for name, config in VARIANTS.items():
        for both in (False, True):
            shape = Architecture(config.type, 63, (config.hidden_size,) * config.num_layers, both, config.dense, 26)
            expected[name, both] = (shape.parameters, shape.macs(30))
    assert told == expected
    defaults = [
        variant.strip("`")
        for variant, _, first, *_ in rows
        if variant and (first == "both") == VARIANTS[variant.strip("`")].bidirectional
    ]
    assert defaults == list(VARIANTS), "the first line of each is the default"


def test_nothing_is_left_to_fill_in() -> None:
    assert not re.findall(r"@@\w*@@|TODO|TBD|XXX", TEXT)


def test_fences_are_closed_and_say_their_language() -> None:
    assert TEXT.count("```") == 2 * len(BLOCKS)
    assert {language for language, _ in BLOCKS} <= {"sh", "text", "yaml", "python", "json", "c", "js"}


def test_python_shown_is_the_example_that_is_run() -> None:
    """By tests/live/test_reader.py, tests/native/test_step_streams.py, tests/test_python_example.py, and those of the
    examples' own files."""
    pages = ("docs/live.md", "docs/native.md", "docs/python.md")
    assert [block for page in pages for block in blocks_of(page, "python")] == PYTHON


def test_commands_are_found_in_workflows() -> None:
    """Whole ones, without the shell around them; those of other steps are left alone."""
    text = """
    jobs:
      bench:
        steps:
          - uses: actions/checkout@v4
          - run: pip install edgekit
          - run: |
              code=0
              edgekit bench m.onnx \\
                --junit bench.xml || code=$?
              edgekit bench --json > main.json
    """
    found = [" ".join(line.split()) for line in workflow_commands(text)]
    assert found == ["edgekit bench m.onnx --junit bench.xml", "edgekit bench --json"]


@pytest.mark.parametrize("text", [text for text in WORKFLOWS if "git+https" in text])
def test_workflows_of_the_pages_bench_and_upload(text: str) -> None:
    assert any(line.startswith("edgekit bench") for line in workflow_commands(text))


@pytest.mark.parametrize("text", WORKFLOWS)
def test_workflows_can_run(text: str) -> None:
    assert re.search(r'pip install (\.|"edgekit @ git\+https://)', text), (
        "no index has edgekit: a place that the user has"
    )
    steps = [step for job in yaml.safe_load(text)["jobs"].values() for step in job["steps"]]
    for step in steps:
        assert ("uses" in step) != ("run" in step)
        assert re.fullmatch(r"actions/[a-z-]+@v\d+", step.get("uses", "actions/x@v1"))
