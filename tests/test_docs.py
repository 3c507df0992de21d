"""README and docs name only what exists, and the README everything that exists."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
import yaml

from edgekit.cli import cli as group
from edgekit.profiles import list_profiles

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")))}
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", "\n".join(PAGES.values()), re.DOTALL | re.MULTILINE)
SHELL_LINES = [line.strip() for language, block in BLOCKS if language == "sh" for line in block.splitlines()]
COMMANDS = [line for line in SHELL_LINES if re.match(r"(\S*/)?edgekit\b", line)]
WORKFLOWS = [block for language, block in BLOCKS if language == "yaml" and "jobs:" in block]
SETTINGS = [block for language, block in BLOCKS if language == "yaml" and "jobs:" not in block]
TEXT = "\n".join(PAGES.values())


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


def test_the_readme_leads_with_the_two_commands_then_the_three() -> None:
    assert [line for line in SHELL_LINES if line.startswith("make")][:2] == ["make run", "make test"]
    three = ["edgekit distill", "edgekit quantize", "edgekit bench --profile raspberry-pi"]
    assert COMMANDS[:3] == three
    assert SHELL_LINES.index("make run") < SHELL_LINES.index(three[0])


@pytest.mark.parametrize("line", [*COMMANDS, *(line for text in WORKFLOWS for line in workflow_commands(text))])
def test_every_command_line_is_one(line: str) -> None:
    command, words = find_command(shlex.split(line, comments=True)[1:])
    assert not isinstance(command, click.Group), "a group alone does nothing"
    for word in words:
        if word.startswith("-"):
            assert word.partition("=")[0] in options_of(command)
    context = command.make_context("edgekit", list(words), resilient_parsing=False)
    assert context.command is command


@pytest.mark.parametrize("path", sorted(name for name in group.commands))
def test_every_command_is_in_the_readme(path: str) -> None:
    assert f"`edgekit {path}" in README
    child = group.commands[path]
    for name in child.commands if isinstance(child, click.Group) else ():
        assert f"`{name}`" in README


@pytest.mark.parametrize("name", [profile.name for profile in list_profiles()])
def test_every_profile_is_in_the_readme(name: str) -> None:
    assert f"`{name}`" in README


def test_options_named_in_the_text_exist() -> None:
    known = {"--index-url"}  # pip's
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
    assert {"run", "test"} <= named <= targets


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


@pytest.mark.parametrize("page", [name for name in PAGES if name != "README.md"])
def test_every_page_is_reached_from_the_readme(page: str) -> None:
    assert f"(docs/{page})" in README


def test_links_between_pages_lead_somewhere() -> None:
    for name, page in PAGES.items():
        folder = ROOT if name == "README.md" else ROOT / "docs"
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page):
            assert (folder / target).exists(), f"{name}: {target}"


def test_the_table_of_variants_is_what_the_models_are() -> None:
    from edgekit.model import VARIANTS, Architecture

    rows = re.findall(
        r"^\| (`\w+`)? ?\| ?([A-Z0-9 x]*)\| (both|one direction) \| ([\d,]+) \| ([\d,]+) \|", README, re.MULTILINE
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
    assert all(language for language, _ in BLOCKS)


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


@pytest.mark.parametrize("text", WORKFLOWS)
def test_workflows_of_the_readme_bench_and_upload(text: str) -> None:
    assert any(line.startswith("edgekit bench") for line in workflow_commands(text))
    assert re.search(r'pip install (\.|"edgekit @ git\+https://)', text), (
        "no index has edgekit: a place that the user has"
    )
    steps = [step for job in yaml.safe_load(text)["jobs"].values() for step in job["steps"]]
    for step in steps:
        assert ("uses" in step) != ("run" in step)
        assert re.fullmatch(r"actions/[a-z-]+@v\d+", step.get("uses", "actions/x@v1"))
