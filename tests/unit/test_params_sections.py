"""Laws of params.yaml: what one section says must be true of the others."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.unit.params_text import TEXT, complaint
from torchstone.core.errors import InputError
from torchstone.core.params import load_params


def test_a_cell_of_an_unknown_data_set_or_one_not_prepared_is_refused(path: Path) -> None:
    cell = "    digits:\n      epochs"
    unknown = complaint(path, cell, cell.replace("digits", "digist"))
    assert unknown == "ensemble.cells.digist: unknown data set; did you mean 'digits'?"
    absent = complaint(path, cell, cell.replace("digits", "diabetes"))
    assert absent == "ensemble.cells.diabetes: not prepared; add a row prepare.diabetes"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "    waveform:\n      {replicates",
            "    wavefrom:\n      {replicates",
            "sweep.tasks.wavefrom: unknown data set; did you mean 'waveform'?",
        ),
        (
            "    waveform:\n      {replicates",
            "    diabetes:\n      {replicates",
            "sweep.tasks.diabetes: not prepared; add a row prepare.diabetes",
        ),
        ("replicates: 2, rows", "replicates: 3, rows", "sweep.tasks.waveform.replicates = 3: prepare.waveform makes 2"),
        ("rows: 30", "rows: 31", "sweep.tasks.waveform.rows = 31: prepare.waveform makes 30 training rows"),
        ("[plain, tuned]", "[tuned]", "sweep.tasks.waveform.arms: add 'plain': the other arms are compared with it"),
        ("{waveform: 0.01}", "{digits: 0.01}", "recommend.margins: no row 'waveform'; every task needs one"),
    ],
)
def test_a_task_that_its_data_cannot_serve_is_refused(path: Path, old: str, new: str, expected: str) -> None:
    assert complaint(path, old, new) == expected


def test_a_task_of_a_finite_data_set_has_no_more_replicates_than_it_has_splits(path: Path) -> None:
    content = yaml.safe_load(TEXT)
    content["recommend"]["margins"]["digits"] = 0.002
    content["sweep"]["tasks"]["digits"] = content["sweep"]["tasks"]["waveform"] | {"rows": 1000}
    content["sweep"]["cells"]["digits-b0006"] = {"dataset": "digits", "batch": 6}
    content["minima"]["sizes"]["digits"] = [6]
    path.write_text(yaml.safe_dump(content))
    assert load_params(path).sweep.sizes("digits") == [6]
    content["sweep"]["tasks"]["digits"]["replicates"] = 3
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(InputError, match=r"sweep\.tasks\.digits\.replicates = 3: prepare\.digits makes 2$"):
        load_params(path)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "{dataset: waveform, batch: 24}",
            "{dataset: wavefrom, batch: 24}",
            "sweep.cells.waveform-b0024.dataset: no task 'wavefrom'; did you mean 'waveform'?",
        ),
        (
            "{dataset: waveform, batch: 24}",
            "{dataset: digits, batch: 24}",
            "sweep.cells.waveform-b0024.dataset: no task 'digits'; known: waveform",
        ),
        ("batch: 24", "batch: 31", "sweep.cells.waveform-b0024.batch = 31: sweep.tasks.waveform has 30 rows"),
        (
            "batch: 24",
            "batch: 25",
            "sweep.cells.waveform-b0024: call it 'waveform-b0025', after its data set and batch size",
        ),
        (
            "waveform-b0024:",
            "waveform-b24:",
            "sweep.cells.waveform-b24: call it 'waveform-b0024', after its data set and batch size",
        ),
        (
            "waveform-b0024:",
            "digits-b0024:",
            "sweep.cells.digits-b0024: call it 'waveform-b0024', after its data set and batch size",
        ),
        (
            "    waveform-b0006: {dataset: waveform, batch: 6}\n",
            "",
            "sweep.cells: add a row waveform-b0006: the other sizes are compared with the reference",
        ),
        (
            "reference: 6",
            "reference: 12",
            "sweep.cells: add a row waveform-b0012: the other sizes are compared with the reference",
        ),
        ("[6, 24]", "[6, 12, 24]", "minima.sizes.waveform: 12 is not trained; sweep.cells has [6, 24]"),
        ("[6, 24]", "[6]", "minima.sizes.waveform: add 24: reference and largest size are compared"),
        ("{waveform: [6, 24]}", "{}", "minima.sizes.waveform: add 6: reference and largest size are compared"),
    ],
)
def test_a_batch_size_that_its_task_or_its_name_contradicts_is_refused(
    path: Path, old: str, new: str, expected: str
) -> None:
    assert complaint(path, old, new) == expected


def test_the_whole_training_set_may_be_one_batch(path: Path) -> None:
    path.write_text(TEXT.replace("b0024", "b0030").replace("batch: 24", "batch: 30").replace("[6, 24]", "[6, 30]"))
    assert load_params(path).sweep.sizes("waveform") == [6, 30]
