"""Which column of a table is what: as the user says, as edgekit writes it, or as other projects do."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from edgekit.data.hand import HAND_FEATURES, LANDMARKS, count_hands
from edgekit.data.layouts.landmarks import landmark_order, parse_landmark
from edgekit.data.layouts.raw import SYNTHETIC, TRACKER
from edgekit.data.pictures import PICTURE
from edgekit.errors import ConfigError, DataError, did_you_mean

REQUIRED = ("take", "frame", "label")
OPTIONAL = ("signer", "session", *PICTURE, SYNTHETIC, TRACKER)
ROLES = (*REQUIRED, *OPTIONAL)
#: What else stands in --columns.
FEATURES, SKIP = "features", "skip"
EXAMPLE = "take,frame,label,x0,y0,z0,...,x20,y20,z20"
EXPECTED = (
    f"expected one row per frame, such as {EXAMPLE} (perhaps with signer, session, hand and aspect; f0,f1,... for"
    " other features); or say what the columns are, such as --columns label,features"
)

#: Other names of the columns, as public projects call them.
ALIASES: Mapping[str, tuple[str, ...]] = {
    "take": ("take_id", "sequence", "sequence_id", "seq_id", "video", "video_id", "clip", "clip_id", "sample",
             "sample_id", "recording", "recording_id"),
    "frame": ("frame_id", "frame_no", "frame_num", "frame_number", "frame_index", "frame_idx"),
    "label": ("labels", "class", "classes", "class_name", "class_label", "target", "gesture", "gesture_name",
              "gesture_label", "letter", "sign", "category", "y"),
    "signer": ("signer_id", "person", "person_id", "participant", "participant_id", "subject", "subject_id", "user",
               "user_id"),
    "session": ("session_id",),
    "aspect": ("aspect_ratio",),
}  # fmt: skip
#: Columns that count a table's rows, as pandas leaves them.
INDEX = ("", "index", "unnamed: 0", "__index_level_0__")
#: Feature counts that a table without names may hold: one or two hands in the plane or in space, whole bodies.
KNOWN_COUNTS = (2 * LANDMARKS, HAND_FEATURES, 4 * LANDMARKS, 2 * HAND_FEATURES, 99, 132, 225, 258, 1629, 1662, 1692)
LONGEST_NAME = 200
#: So many numbers that count 0, 1, 2 ... are names of columns, not a frame.
LEAST_COUNTED = 10
#: Rows that are looked at to tell a label from a number.
LOOKED_AT = 200


@dataclass(frozen=True)
class Columns:
    """Positions of columns.

    features: in the order that a frame has them; names: how to call each of them. header: whether the first line is
    names. understood: how a layout that is not edgekit's own was read; empty for that. said: whether the user told it.
    """

    roles: Mapping[str, int]
    features: tuple[int, ...]
    names: tuple[str, ...]
    width: int
    header: bool = True
    understood: str = ""
    said: bool = False


@dataclass(frozen=True)
class Item:
    """One entry of --columns. count: how many columns; None for as many as are left."""

    role: str
    count: int | None


def parse_columns(text: str) -> tuple[Item, ...]:
    """`skip,label,features` as items, left to right. `skip:2` and `features:63` stand for so many columns; one
    `features` without a number takes those that are left. Raises ConfigError for anything else."""
    items = []
    for part in text.split(","):
        name, colon, count = (piece.strip() for piece in part.partition(":"))
        known = (*ROLES, FEATURES, SKIP)
        if name not in known:
            raise ConfigError(f"columns {text!r}: '{name}' is not a kind of column{did_you_mean(name, known)}")
        if colon and (name in ROLES or not re.fullmatch("[1-9][0-9]{0,5}", count)):
            raise ConfigError(f"columns {text!r}: '{part}': only features:N and skip:N have a number, from 1 on")
        items.append(Item(name, int(count) if colon else None if name == FEATURES else 1))
    roles = [item.role for item in items]
    double = [role for role in ROLES if roles.count(role) > 1]
    if double or sum(item.count is None for item in items) > 1:
        raise ConfigError(f"columns {text!r}: '{(double or [FEATURES])[0]}' may appear only once")
    for needed in ("label", FEATURES):
        if needed not in roles:
            raise ConfigError(f"columns {text!r}: name '{needed}', too, such as label,features")
    if "frame" in roles and "take" not in roles:
        raise ConfigError(f"columns {text!r}: frames belong to takes: name 'take', too, or skip the frames' column")
    return tuple(items)


def said_columns(said: str, header: Sequence[str] | None, width: int, source: str) -> Columns:
    """Columns as --columns says. header: names in the first line; None without them. width: columns of the table."""
    items = parse_columns(said)
    fixed = sum(item.count or 0 for item in items)
    rest = width - fixed
    open_ended = any(item.count is None for item in items)
    if rest < 1 if open_ended else rest != 0:
        raise DataError(f"{source}: has {width} columns, --columns {said} names {'more than ' * open_ended}{fixed}")
    roles: dict[str, int] = {}
    features: list[int] = []
    skipped: list[int] = []
    at = 0
    for item in items:
        positions = range(at, at + (rest if item.count is None else item.count))
        at = positions.stop
        if item.role in ROLES:
            roles[item.role] = positions.start
        else:
            (features if item.role == FEATURES else skipped).extend(positions)
    names = [f"column {k + 1}" for k in range(width)] if header is None else list(header)
    how = f"read as --columns {said}"
    found = _columns(roles, _in_order(features, header), names, header is not None, how, [names[k] for k in skipped])
    return replace(found, said=True)


def _in_order(features: Sequence[int], header: Sequence[str] | None) -> Sequence[int]:
    """Features in the order of their landmarks' names where all have some, else as they stand."""
    order = None if header is None else landmark_order([header[k] for k in features])
    return [features[k] for k in order] if isinstance(order, list) else features


def find_columns(header: Sequence[str], source: str) -> Columns:
    """Columns by the names in the first line: edgekit's own, or such as other projects use, where one reading alone
    is possible. Raises DataError that says what is missing or unknown, and what to give."""
    if len(header) == 1 and re.search("[;\t]", header[0]):
        raise DataError(f"{source}: the columns are not separated by commas; save it with commas between columns")
    named = [name for name in header if name]
    long = next((name for name in named if len(name) > LONGEST_NAME), None)
    if long is not None:
        raise DataError(f"{source}: a column's name has {len(long):,} characters ({long[:40]!r}...); shorten it")
    double = sorted(name for name, count in Counter(named).items() if count > 1)
    if double:
        raise DataError(f"{source}: column '{double[0]}' appears more than once; columns must be unique")
    roles = _roles(header, source)
    skipped = [k for k, name in enumerate(header) if name.lower() in INDEX and k not in roles.values()]
    rest = [k for k in range(len(header)) if k not in roles.values() and k not in skipped]
    own = {header[k] for k in roles.values()} <= set(ROLES) and set(REQUIRED) <= set(roles) and not skipped
    if {"x", "y", "z"} <= {_plain(name) for name in header}:
        raise DataError(f"{source}: one row per landmark ('x', 'y' and 'z' are columns); {EXPECTED.partition(';')[0]}")
    if "label" not in roles:
        odd = [header[k] for k in rest if parse_landmark(header[k]) is None]
        faults = [f"unknown column '{name}'" for name in odd[:5]]
        close = next((fault + _hint(fault) for fault in faults if "did you" in _hint(fault)), "")
        fault = close or f"no column 'label'; {EXPECTED}"
        raise DataError(f"{source}: {fault}")
    if "frame" in roles and "take" not in roles:
        raise DataError(
            f"{source}: no column 'take' beside '{header[roles['frame']]}': which frames belong together? {EXPECTED}"
        )
    features = _features(header, rest, source)
    ordered = [header[k] for k in features]
    as_ours = ordered == feature_columns(len(features)) or ordered == [f"f{k}" for k in range(len(features))]
    how = "" if own and as_ours else "columns recognised by their names"
    return _columns(roles, features, header, True, how, [header[k] for k in skipped])


def _roles(header: Sequence[str], source: str) -> dict[str, int]:
    """Columns that are no features, by what they are."""
    found: dict[str, int] = {}
    for role in ROLES:
        named = [k for k, name in enumerate(header) if _plain(name) in (role, *ALIASES.get(role, ()))]
        if len(named) > 1:
            names = " and ".join(f"'{header[k]}'" for k in named[:2])
            raise DataError(
                f"{source}: {names} may both be the {role}; say what the columns are with --columns (skip for one)"
            )
        if named:
            found[role] = named[0]
    return found


def _plain(name: str) -> str:
    return re.sub("[^a-z0-9]+", "_", name.lower()).strip("_")


def _features(header: Sequence[str], rest: Sequence[int], source: str) -> list[int]:
    """The feature columns in a frame's order, where all of `rest` are features."""
    if not rest:
        raise DataError(f"{source}: no columns with features; {EXPECTED}")
    names = [header[k] for k in rest]
    order = _plain_order(names) or landmark_order(names)
    if isinstance(order, list):
        return [rest[k] for k in order]
    plain = [name for name in names if re.fullmatch("f[0-9]+", name)]
    if plain and len(plain) == len(names):
        order = _lacking(plain)
    elif plain and any(parse_landmark(name) for name in names):
        order = f"has both {next(name for name in names if parse_landmark(name))} and {plain[0]}"
    raise DataError(f"{source}: {order}{_hint(order)}")


def _hint(fault: str) -> str:
    """What to do about a column that nobody knows: the name that was meant, else --columns for this table."""
    unknown = re.match("unknown column '(.*)'$", fault, re.DOTALL)
    if unknown:
        close = did_you_mean(unknown[1].lower(), {*ROLES, *feature_columns(2 * HAND_FEATURES)})
        if "did you" in close:
            return close
    return f"; {EXPECTED}"


def _lacking(plain: Sequence[str]) -> str:
    """The first of f0, f1 ... that is not there, or is not written so."""
    wanted = [f"f{k}" for k in range(len(plain))]
    odd = [name for name in plain if re.fullmatch("f0[0-9]+", name)]
    if odd:
        return f"unknown column '{odd[0]}'"
    lacking = next(name for name in wanted if name not in plain)
    return f"no column '{lacking}' beside {plain[0]} and {plain[-1]}"


def _plain_order(names: Sequence[str]) -> list[int] | None:
    """f0, f1 ... or 0, 1 ... (or from 1) in any order; None for other names."""
    for pattern in ("f(0|[1-9][0-9]{0,5})", "(0|[1-9][0-9]{0,5})"):
        found = [re.fullmatch(pattern, name) for name in names]
        numbers = [int(match[1]) for match in found if match]
        first = min(numbers, default=0)
        if len(numbers) == len(names) and first < 2 and sorted(numbers) == list(range(first, first + len(names))):
            return sorted(range(len(names)), key=numbers.__getitem__)
    return None


def feature_columns(features: int) -> list[str]:
    """x0, y0, z0, x1 ... for hands, f0, f1 ... for other counts."""
    if count_hands(features):
        return [f"{axis}{landmark}" for landmark in range(features // 3) for axis in "xyz"]
    return [f"f{k}" for k in range(features)]


def is_header(cells: Sequence[str]) -> bool:
    """Whether a table's first line is names: no numbers but those that count columns, as pandas writes them, and maybe
    a label's."""
    numbers = [cell for cell in cells if is_number(cell)]
    counts = len(numbers) >= LEAST_COUNTED and _plain_order(numbers) is not None
    return counts or 2 * len(numbers) < len([cell for cell in cells if cell.strip()])


def is_plain(text: str) -> bool:
    """Whether numbers in it, if there are any, are written as numbers are written in tables."""
    return text.isascii() and "_" not in text


def is_number(cell: str) -> bool:
    """Whether `float` reads it, and it is written as tables have it: no 1_0, no digits of other scripts."""
    if not is_plain(cell):
        return False
    try:
        float(cell)
    except ValueError:
        return False
    return True


def guess_columns(rows: Sequence[Sequence[str]], source: str, header: Sequence[str] | None = None) -> Columns:
    """Without names that tell: the label is the first column or the last, where one of them alone can be it, and the
    rest are as many numbers as a tracker gives. header: names that are but numbers. Raises DataError that says what to
    give otherwise."""
    if not rows:
        raise DataError(f"{source}: has no rows; expected one per frame")
    width = len(rows[0])
    texts = [k for k in range(width) if not all(is_number(row[k]) for row in rows if k < len(row) and row[k].strip())]
    ends = [k for k in dict.fromkeys((0, width - 1)) if not texts or texts == [k]]
    whole = [k for k in ends if all(_is_whole(row[k]) for row in rows if k < len(row))] if not texts else ends
    if len(whole) != 1 or width - 1 not in KNOWN_COUNTS:
        what = f"the first line of {width} columns holds no names" if header is None else "the columns have no names"
        first = "label,features" if whole[:1] != [width - 1] or width == 1 else "features,label"
        raise DataError(
            f"{source}: {what}, and it is not clear which is the label: say what they are, such as --columns {first},"
            f" with skip for one to leave out; {EXPECTED.partition(';')[0]}"
        )
    label = whole[0]
    names = [f"column {k + 1}" for k in range(width)] if header is None else list(header)
    features = [k for k in range(width) if k != label]
    how = "no names in the first line" if header is None else "names that are numbers"
    how += f"; the {'last' if label else 'first'} column read as the label"
    return _columns({"label": label}, features, names, header is not None, how, [])


def _is_whole(cell: str) -> bool:
    return re.fullmatch(r"\s*[0-9]{1,9}\s*", cell) is not None


def _columns(
    roles: Mapping[str, int],
    features: Sequence[int],
    names: Sequence[str],
    header: bool,
    how: str,
    skipped: Sequence[str],
) -> Columns:
    """Columns with what was understood, in words, where the layout is not edgekit's own."""
    understood = ""
    if how:
        called = [f"{role} from '{names[k]}'" for role, k in roles.items() if header and names[k] != role]
        takes = (
            "each row is a take of one frame"
            if "take" not in roles
            else ""
            if "frame" in roles
            else "a take's rows are its frames, in the file's order"
        )
        left = f"left out: {', '.join(repr(name) for name in skipped)}" if skipped else ""
        shape = f"{len(features)} features ({names[features[0]]} to {names[features[-1]]})"
        understood = "; ".join(part for part in (how, *called, shape, takes, left) if part)
    return Columns(dict(roles), tuple(features), tuple(names[k] for k in features), len(names), header, understood)
