"""Records of older versions are read, brought into today's form on demand, and those of newer versions refused.

``old_home`` was written by the version before checksums: a stage's record has its files' sizes, the journal and the
study's definition bear no number.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import toys

from mesoforge.errors import InputError
from mesoforge.experiments.drive import kept_campaign, kept_plan
from mesoforge.experiments.home import Home
from mesoforge.experiments.keeping import verify_store
from mesoforge.experiments.migration import migrate
from mesoforge.optimize.trial import Measured
from mesoforge.physics.store import FORMAT, MARK, RESULT, Store

OLD = Path(__file__).parent / "old_home"
POROSITY = {0: 0.3809857428579341, 1: 0.32835983651403244}
"""What the old journal says of its two trials."""


@pytest.fixture
def old(tmp_path: Path) -> Home:
    """A copy of the old home."""
    shutil.copytree(OLD, tmp_path / "home")
    return Home(tmp_path / "home")


def porosities(home: Home) -> dict[int, float]:
    """Return what a home's study measured."""
    trials = kept_campaign(kept_plan(home, "toy"), home).measured
    return {one.number: one.outcome.properties["porosity"] for one in trials if isinstance(one.outcome, Measured)}


def files(home: Home) -> dict[str, bytes]:
    """Return every file of a home."""
    return {str(path.relative_to(home.root)): path.read_bytes() for path in home.root.rglob("*") if path.is_file()}


def test_an_old_home_is_read_as_it_is(old: Home) -> None:
    before = files(old)
    assert porosities(old) == POROSITY
    assert verify_store(old, remove=False) == {"stages": 4, "damaged": [], "removed": False}
    assert all(Store(old.store).get(path.parent.name, path.name) for path in old.store.glob("*/*/"))
    assert files(old) == before


def test_it_is_brought_into_todays_form_with_what_it_was_beside_it(old: Home) -> None:
    before = files(old)
    assert migrate(old, dry_run=True)["stages"] == 4
    assert set(files(old)) - set(before) == {"studies/toy/driver.lock"}
    found = migrate(old, dry_run=False)
    assert (found["stages"], found["journals"], found["studies"], found["damaged"]) == (4, ["toy"], ["toy"], [])
    assert porosities(old) == POROSITY
    for folder in old.store.glob("*/*/"):
        record = json.loads((folder / RESULT).read_text(encoding="utf-8"))
        assert record["files"] == {"made.txt": toys.sha256(folder / "made.txt")}
        assert (folder / "result.format1.json").read_bytes() == before[
            f"store/{folder.parent.name}/{folder.name}/{RESULT}"
        ]
    journal = old.journal("toy")
    assert journal.with_name("journal.jsonl.format1").read_bytes() == before["studies/toy/journal.jsonl"]
    assert journal.read_bytes().splitlines()[1:] == before["studies/toy/journal.jsonl"].splitlines()[1:]
    assert json.loads(journal.read_bytes().splitlines()[0])["format"] == 2
    assert Store(old.store).format == FORMAT
    again = migrate(old, dry_run=False)
    assert (again["stages"], again["journals"], again["studies"]) == (0, [], [])


def test_an_old_stage_of_another_size_is_damaged_and_left_alone(old: Home) -> None:
    folder = next(old.store.glob("slurry/*/"))
    (folder / "made.txt").write_text("slu", encoding="utf-8")
    assert [one["damage"] for one in verify_store(old, remove=False)["damaged"]] == [
        "made.txt is not as it was written"
    ]
    assert migrate(old, dry_run=False)["damaged"] == [f"slurry/{folder.name}"]
    assert json.loads((folder / RESULT).read_text(encoding="utf-8"))["files"] == {"made.txt": 6}


def test_nothing_is_changed_while_somebody_drives_a_study(old: Home) -> None:
    with old.only_driver("toy"), pytest.raises(InputError, match=r"'toy' is being driven by process \d+ on "):
        migrate(old, dry_run=False)
    assert not list(old.root.rglob("*format1*"))


def newer_journal(home: Home) -> None:
    """Have the journal be of the next format."""
    path = home.journal("toy")
    path.write_bytes(path.read_bytes().replace(b'{"event":"problem",', b'{"event":"problem","format":3,', 1))


def newer_study(home: Home) -> None:
    """Have the study's definition be of the next format."""
    path = home.study("toy") / "study.yaml"
    path.write_bytes(b"format: 3\n" + path.read_bytes())


def newer_store(home: Home) -> None:
    """Have the store be of the next format."""
    (home.store / MARK).write_text('{"format": 3}', encoding="utf-8")


def bring(home: Home) -> Any:  # noqa: ANN401
    """Bring a home into today's form."""
    return migrate(home, dry_run=False)


def verify(home: Home) -> Any:  # noqa: ANN401
    """Verify a home's store."""
    return verify_store(home, remove=True)


@pytest.mark.parametrize(
    ("change", "use", "words"),
    [
        (newer_journal, porosities, r"journal\.jsonl has format 3 but this version reads up to format 2: use a newer"),
        (newer_journal, bring, r"journal\.jsonl has format 3 but this version reads up to format 2: use a newer"),
        (newer_study, porosities, r"study\.yaml' has format 3 but this version reads up to format 2: use a newer"),
        (newer_study, bring, r"study\.yaml' has format 3 but this version reads up to format 2: use a newer"),
        (newer_store, verify, r"the store '.*' has format 3 but this version reads up to format 2: use another folder"),
        (newer_store, bring, r"the store '.*' has format 3 but this version reads up to format 2: use another folder"),
    ],
)
def test_records_of_a_newer_version_are_refused_and_left_alone(
    old: Home, change: Callable[[Home], None], use: Callable[[Home], Any], words: str
) -> None:
    change(old)
    before = files(old)
    with pytest.raises(InputError, match=words):
        use(old)
    assert {name: content for name, content in files(old).items() if not name.endswith(".lock")} == before
