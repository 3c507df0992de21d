"""Profiles: the shipped ones are complete and sourced; wrong ones are refused with the way out."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import yaml

from edgekit.errors import ConfigError
from edgekit.profiles import Profile, list_profiles, load_profile, shipped_profiles

REPOSITORY = Path(__file__).resolve().parents[1]
BOARDS = ("raspberry-pi-zero-2w", "raspberry-pi-3b-plus", "raspberry-pi-4b", "raspberry-pi-5")


def _write(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text)
    return path


def _board(**changes: object) -> dict[str, object]:
    board: dict[str, object] = {
        "name": "Mine",
        "device_tree_model": "Mine",
        "core": "Cortex-A53",
        "cores": 4,
        "isa": "armv8.0-a",
        "clock_mhz": 1000,
        "lowest_clock_mhz": 500,
        "ram_mb": 256,
        "ipc_lowest": 0.4,
        "ipc_highest": 1.0,
        "issue_width": 2,
        "memory_mb_per_s": 1000,
    }
    return {**board, **changes}


def test_the_family_is_its_four_boards_under_the_briefs_limits() -> None:
    family = load_profile("raspberry-pi")
    assert (family.max_model_mb, family.max_latency_ms, family.max_ram_mb) == (10, 100, 500)
    assert (family.latency_percentile, family.threads) == (95, 1)
    assert family.boards == tuple(load_profile(name).boards[0] for name in BOARDS)
    assert list_profiles()[0] == family
    assert {profile.name for profile in list_profiles()} == {"raspberry-pi", *BOARDS}


def test_every_fact_has_a_source_and_what_nobody_looked_up_says_so() -> None:
    for board in load_profile("raspberry-pi").boards:
        for name, fact in board.facts().items():
            assert len(fact.source) > 8, f"{board.name}: {name}"
            assert not ("not looked up" in fact.source and fact.verified), f"{board.name}: {name}"


def test_facts_agree_with_the_table_they_come_from() -> None:
    table = REPOSITORY.parent / "shared" / "devices" / "devices.csv"
    if not table.exists():
        pytest.skip("the table of device facts is not here")
    with table.open(newline="") as file:
        rows = {(row["device"], row["field"]): row["value"] for row in csv.DictReader(file)}
    for name, device in zip(BOARDS, ("pi-zero-2w", "pi-3b+", "pi-4b", "pi-5"), strict=True):
        board = load_profile(name).boards[0]
        assert rows[device, "ram_mb"].split("/")[0] == f"{board.ram_mb.value:g}"
        assert rows[device, "clock_mhz"].split()[0] == f"{board.clock_mhz.value:g}"
        assert rows[device, "memcpy_MBps"].split("-")[0] == f"{board.memory_mb_per_s.value:g}"
        assert str(board.core.value) in rows[device, "soc"]


def test_a_board_may_use_six_tenths_of_its_memory() -> None:
    family = load_profile("raspberry-pi")
    limits = [family.ram_limit_bytes(board) for board in family.boards]
    assert limits == [round(0.6 * 512e6), 500_000_000, 500_000_000, 500_000_000]
    assert family.ram_limit_bytes() == min(limit for limit in limits if limit)


def test_limits_in_the_units_of_the_code() -> None:
    profile = Profile(name="mine", max_model_mb=0.04, max_latency_ms=2.5, max_ram_mb=60)
    assert (profile.max_model_bytes, profile.max_latency_s) == (40_000, 0.0025)
    assert profile.ram_limit_bytes() == 60_000_000
    unlimited = Profile(name="mine")
    assert unlimited.max_model_bytes is None
    assert unlimited.max_latency_s is None
    assert unlimited.ram_limit_bytes() is None


def test_a_users_file_may_name_shipped_boards_and_add_its_own(tmp_path: Path) -> None:
    text = yaml.safe_dump({"max_latency_ms": 20, "boards": ["raspberry-pi-5", _board()]})
    profile = load_profile(_write(tmp_path, text))
    assert profile.name == "mine"
    assert [board.name for board in profile.boards] == ["Raspberry Pi 5", "Mine"]
    assert profile.boards[1].clock_mhz.value == 1000
    assert not profile.boards[1].clock_mhz.verified


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("raspbery-pi", "did you mean 'raspberry-pi'"),
        ("raspberry-pi-5b", "did you mean 'raspberry-pi-5'"),
        ("zx81", "known: raspberry-pi"),
        ("missing.yaml", "no such file"),
        ("./no/such/profile", "no such file"),
    ],
)
def test_an_unknown_profile_is_refused_with_a_way_out(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_profile(name)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_latency_mss: 5", r"mine\.yaml: unknown key 'max_latency_mss'; did you mean 'max_latency_ms'\?"),
        ("max_latency_ms: fast", "max_latency_ms: .*number, got 'fast'"),
        ("max_model_mb: 0", "max_model_mb: .*greater than 0"),
        ("max_ram_mb: -5", "max_ram_mb: .*greater than 0"),
        ("max_latency_ms: .nan", "max_latency_ms"),
        ("latency_percentile: 100", "latency_percentile"),
        ("threads: 0", "threads"),
        ("max_accuracy_drop: 2", "max_accuracy_drop"),
        ("boards: raspberry-pi", "expected a list"),
        ("boards: [raspberry-pi-6]", "did you mean 'raspberry-pi"),
        ("boards: [raspberry-pi, raspberry-pi-5]", "the same board twice"),
        ("boards: [5]", "is not a shipped profile"),
        ("- a list", "expected a mapping"),
        ("max_model_mb: [", "not valid YAML"),
    ],
)
def test_a_wrong_profile_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_profile(_write(tmp_path, text))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"clok_mhz": 5}, "board Mine: unknown key 'clok_mhz'; did you mean 'clock_mhz'"),
        ({"ram_mb": {"value": 256, "sorce": "x"}}, "unknown key 'ram_mb.sorce'; did you mean 'source'"),
        ({"ram_mb": "plenty"}, "ram_mb.value: .*got 'plenty'"),
        ({"lowest_clock_mhz": 2000}, "lowest_clock_mhz is above clock_mhz"),
        ({"ipc_lowest": 1.5}, "ipc_lowest <= ipc_highest"),
    ],
)
def test_a_wrong_board_is_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_profile(_write(tmp_path, yaml.safe_dump({"boards": [_board(**change)]})))


def test_a_board_without_a_fact_is_refused(tmp_path: Path) -> None:
    board = _board()
    del board["ram_mb"]
    with pytest.raises(ConfigError, match="ram_mb: Field required"):
        load_profile(_write(tmp_path, yaml.safe_dump({"boards": [board]})))


def test_names_are_file_names() -> None:
    for name, path in shipped_profiles().items():
        assert load_profile(name).name == name == path.stem
