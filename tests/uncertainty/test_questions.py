"""Questions to a table of many knees, on tables whose answers are known."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest
from scipy.stats import binomtest

from kneeload.commands import questions as command
from kneeload.errors import KneeloadError
from kneeload.population.knee_table import RISKS, KneeTable, taken
from kneeload.population.questions import quantiles_by, surface, who_benefits, wilson

DOSE = "bone.compartments.medial.daily_dose_mpa_s"
PEOPLE = 200


def columns() -> dict[str, Any]:
    rng = np.random.default_rng(1)
    sex, bmi, mpta = np.array(["female", "male"])[np.arange(PEOPLE) % 2], rng.uniform(17.0, 40.0, PEOPLE), rng.uniform(82.0, 92.0, PEOPLE)
    both = {"person": np.arange(PEOPLE), "status": ["ok"] * PEOPLE, "subject.sex": sex, "subject.bmi": bmi, "subject.mpta_deg": mpta, DOSE: 1000.0 + np.arange(PEOPLE),
            **{name: np.full(PEOPLE, 0.01 * (place + 1)) for place, name in enumerate(RISKS["medial_risk"])}}
    nothing = np.full(PEOPLE, np.nan)
    changes = {"change.medial.daily_dose_pct": np.where(mpta < 86.0, -8.0, -3.0), "change.lateral.daily_dose_pct": np.where(bmi < 30.0, 2.0, 9.0)}
    rows = {name: np.repeat(value, 2) for name, value in both.items()}
    rows |= {name: np.stack([nothing, value], axis=1).ravel() for name, value in changes.items()}
    rows["scenario"] = np.tile(["none", "unloader_brace"], PEOPLE)
    rows["status"] = np.array(rows["status"], dtype=object)
    rows["status"][0] = "failed"
    rows[DOSE][4] = np.nan
    return rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path, rows = tmp_path_factory.mktemp("study"), columns()
    for shard in range(4):
        part = {name: pa.array(list(value[100 * shard:100 * shard + 100])) for name, value in rows.items()}
        part = {name: pa.array(value.to_numpy(zero_copy_only=False), from_pandas=True) if pa.types.is_floating(value.type) else value for name, value in part.items()}
        pq.write_table(pa.table(part), path / f"shard-{shard:05d}.parquet", row_group_size=30)
    (path / "manifest.json").write_text(json.dumps({"status": "unfinished", "shards": 5}))
    return path


def test_quantiles_by_group_are_those_of_numpy(folder: Path) -> None:
    table, rows = KneeTable(folder), columns()
    groups, left = quantiles_by(table, table.column("medial_daily_dose"), [table.column("sex")], scenario="none")
    assert (left.failed, left.missing) == (1, 1) and sum(item.people for item in groups) == PEOPLE - 2
    women = (rows["scenario"] == "none") & (rows["status"] == "ok") & (rows["subject.sex"] == "female") & np.isfinite(rows[DOSE])
    assert groups[0].group == ("female",)
    np.testing.assert_allclose(groups[0].quantiles, np.quantile(rows[DOSE][women], (0.05, 0.25, 0.5, 0.75, 0.95)))
    assert groups[0].median_low < groups[0].quantiles[2] < groups[0].median_high


def test_the_interval_of_a_median_holds_it_in_95_percent_of_samples(tmp_path: Path) -> None:
    from kneeload.population.questions import _quantiles

    rng, hits = np.random.default_rng(2), 0
    for _ in range(400):
        found = _quantiles(("all",), rng.standard_normal(25))
        hits += found.median_low <= 0.0 <= found.median_high
    assert 0.93 <= hits / 400 <= 0.99


def test_groups_of_two_columns_and_classes_are_in_order(folder: Path) -> None:
    table = KneeTable(folder)
    groups, _ = quantiles_by(table, table.column(DOSE), [table.column("sex"), table.column("bmi_class")], scenario="none")
    assert [item.group for item in groups][:5] == [("female", words) for words in ("under 18.5", "18.5 to 25", "25 to 30", "30 to 35", "35 and more")]
    assert len({item.group for item in groups}) == len(groups) == 10


def test_risk_over_two_quantities_counts_everybody_once(folder: Path) -> None:
    table = KneeTable(folder)
    cells, steps, left = surface(table, table.column("medial_risk"), table.column("mpta_deg"), table.column("subject.bmi"), scenario="none")
    assert steps == (2.0, 5.0) and sum(cell.people for cell in cells) == len(left.values[0]) == PEOPLE - 1
    risks = 0.01 * np.arange(1, len(RISKS["medial_risk"]) + 1)
    assert all(cell.mean == pytest.approx(1.0 - np.prod(1.0 - risks)) for cell in cells)


def test_who_benefits_needs_both_sides(folder: Path) -> None:
    table, rows = KneeTable(folder), columns()
    groups, _ = who_benefits(table, "unloader_brace", [table.column("mpta_deg")])
    braced = rows["scenario"] == "unloader_brace"
    expected = int(((rows["subject.mpta_deg"] < 86.0) & (rows["subject.bmi"] < 30.0) & braced).sum())
    assert (groups[0].group, groups[0].people, groups[0].helped) == (("all",), PEOPLE, expected)
    assert [item.group[0] for item in groups[1:]] == ["82 to 84", "84 to 86", "86 to 88", "88 to 90", "90 to 92"]
    assert all(item.helped == 0 and item.low == 0.0 for item in groups[3:]) and groups[1].low < groups[1].share < groups[1].high
    more, _ = who_benefits(table, "unloader_brace", more_pct=10.0)
    assert more[0].helped > expected


@pytest.mark.parametrize(("hits", "people"), [(0, 10), (3, 10), (10, 10), (40, 1000)])
def test_wilsons_interval(hits: int, people: int) -> None:
    expected = binomtest(hits, people).proportion_ci(method="wilson")
    assert wilson(hits, people) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_only_the_asked_columns_are_read_in_parts(folder: Path) -> None:
    parts = list(KneeTable(folder).parts([DOSE]))
    assert len(parts) > 3 and all(set(part) == {DOSE} for part in parts)


def test_a_csv_table_answers_like_a_parquet_one(folder: Path, tmp_path: Path) -> None:
    rows = pa.concat_tables([pq.read_table(path) for path in sorted(folder.glob("*.parquet"))])
    pc.write_csv(rows, tmp_path / "table.csv")
    for table in (KneeTable(tmp_path / "table.csv"), KneeTable(folder)):
        found = taken(table, [table.column("bmi"), table.column("medial_daily_dose")], "none")
        assert len(found.values[0]) == PEOPLE - 2 and found.values[1].sum() == pytest.approx(np.nansum(columns()[DOSE][2::2]))


def test_a_table_of_a_sweep_without_a_name_for_no_intervention(tmp_path: Path) -> None:
    pq.write_table(pa.table({"interventions": [None, "brace", None, "brace"], "status": ["ok"] * 4, "loads.medial.peak_force_n": [1.0, 2.0, 3.0, 4.0]}), tmp_path / "table.parquet")
    table = KneeTable(tmp_path / "table.parquet")
    of = table.column("medial_peak_force")
    assert [taken(table, [of], name).values[0].tolist() for name in ("none", "brace")] == [[1.0, 3.0], [2.0, 4.0]]
    with pytest.raises(KneeloadError, match="brace, none"):
        taken(table, [of], None)


@pytest.mark.parametrize(("words", "says"), [
    (["quantiles", "--of", "medial_daily_doze"], "medial_daily_dose"), (["quantiles", "--scenario", "brace"], "unloader_brace"),
    (["risk", "--by", "sex,bmi"], "numbers"), (["risk", "--by", "bmi"], "two columns"), (["benefit", "--scenario", "none"], "nothing changes"), (["benefit", "--target", "inner"], "medial"),
])
def test_what_cannot_be_asked_is_one_sentence(folder: Path, tmp_path: Path, words: list[str], says: str) -> None:
    with pytest.raises(KneeloadError, match=says):
        command.run([words[0], str(folder), *words[1:], "--output", str(tmp_path / "new")], lambda overrides: None)  # type: ignore[arg-type,return-value]
    assert not (tmp_path / "new").exists()


def test_no_table_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 nothing")
    for path in (tmp_path / "none", tmp_path / "bad.parquet"):
        with pytest.raises(KneeloadError, match="table"):
            KneeTable(path)


@pytest.mark.parametrize("words", [["quantiles", "--by", "sex,bmi_class"], ["risk"], ["benefit", "--by", "mpta_deg"]])
def test_each_question_is_a_table_and_a_picture(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert command.run([words[0], str(folder), *words[1:], "--output", str(tmp_path / "new")], lambda overrides: None) == 0  # type: ignore[arg-type,return-value]
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"answer.csv", "answer.png"}
    assert len(list(csv.reader((tmp_path / "new" / "answer.csv").open()))) > 4
    assert "not finished" in capsys.readouterr().out


def test_answers_are_those_of_sums_by_another_library(folder: Path) -> None:
    import pyarrow.compute as pc_

    rows = pa.concat_tables([pq.read_table(path) for path in sorted(folder.glob("*.parquet"))])
    rows = rows.filter(pc_.and_(pc_.equal(rows["status"], "ok"), pc_.is_valid(rows[DOSE])))
    people, table = rows.filter(pc_.equal(rows["scenario"], "none")), KneeTable(folder)
    groups, _ = quantiles_by(table, table.column("medial_daily_dose"), [table.column("bmi_class")], scenario="none")
    for item, low, high in zip(groups, (0.0, 18.5, 25.0, 30.0, 35.0), (18.5, 25.0, 30.0, 35.0, 99.0)):
        own = people.filter(pc_.and_(pc_.greater_equal(people["subject.bmi"], low), pc_.less(people["subject.bmi"], high)))
        assert item.people == own.num_rows and item.mean == pytest.approx(pc_.mean(own[DOSE]).as_py())
        assert list(item.quantiles) == pytest.approx(pc_.quantile(own[DOSE], [0.05, 0.25, 0.5, 0.75, 0.95]).to_pylist())
    braced = rows.filter(pc_.equal(rows["scenario"], "unloader_brace"))
    helped = pc_.and_(pc_.less(braced["change.medial.daily_dose_pct"], -5.0), pc_.less_equal(braced["change.lateral.daily_dose_pct"], 5.0))
    share = {row["subject.sex"]: row["helped_mean"] for row in braced.append_column("helped", pc_.cast(helped, pa.float64())).group_by("subject.sex").aggregate([("helped", "mean")]).to_pylist()}
    found, _ = who_benefits(table, "unloader_brace", [table.column("sex")])
    assert {item.group[0]: item.share for item in found[1:]} == pytest.approx(share, rel=1e-12)


@pytest.mark.parametrize("n", [6, 9, 10, 17, 30])
def test_the_interval_of_a_median_is_the_narrowest_that_holds_95_percent(n: int) -> None:
    from scipy.stats import binom

    from kneeload.population.questions import _quantiles

    found = _quantiles(("all",), np.arange(1.0, n + 1.0))
    rank = int(found.median_low)
    assert found.median_high == n + 1 - rank
    assert 1.0 - 2.0 * binom.cdf(rank - 1, n, 0.5) >= 0.95 > 1.0 - 2.0 * binom.cdf(rank, n, 0.5)


def test_classes_of_alignment_and_of_the_bmi_in_a_table_of_a_sweep(tmp_path: Path) -> None:
    rows = {"interventions": [None] * 4, "status": ["ok"] * 4, "subject.mpta_deg": [84, 85, 86, 87], "result.subject.mpta_deg": [84.0, 85.0, 86.0, 87.0], "result.subject.bmi": [20.0, 25.0, 31.0, 35.0],
            "result.subject.hka_deg": [176.9, 177.0, 182.9, 183.0], "loads.medial.peak_force_n": [1.0, 2.0, 3.0, 4.0]}
    pq.write_table(pa.table(rows), tmp_path / "table.parquet")
    table = KneeTable(tmp_path / "table.parquet")
    for name, expected in (("alignment_class", [("varus",), ("neutral",), ("valgus",)]), ("bmi_class", [("18.5 to 25",), ("25 to 30",), ("30 to 35",), ("35 and more",)]), ("bmi", [("20 to 25",), ("25 to 30",), ("30 to 35",), ("35 to 40",)])):
        groups, _ = quantiles_by(table, table.column("medial_peak_force"), [table.column(name)])
        assert [item.group for item in groups] == expected
    assert table.column("mpta_deg").name == "subject.mpta_deg"


@pytest.mark.parametrize(("text", "says"), [
    ("\ufeffstatus,\"subject.mpta_deg\",error,x_n\nok,84,\"a \"\"quoted\"\", word\nand a line\",1\nok,86,,2\n", ""), ("status;x_n\nok;1\n", "between commas"), ("x_n,x_n\n1,2\n", "2 columns x_n"),
    ("", "empty"), ("status,x_n\nok,1,7,9\n", "cannot be read"),
])
def test_csv_files_of_other_programs(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "table.csv").write_text(text, encoding="utf-8")
    if not says:
        table = KneeTable(tmp_path / "table.csv")
        assert table.columns == ("status", "subject.mpta_deg", "error", "x_n")
        found = taken(table, [table.column("x_n"), table.column("mpta_deg")], None)
        assert [value.tolist() for value in found.values] == [[1.0, 2.0], [84.0, 86.0]]
        return
    with pytest.raises(KneeloadError, match=says):
        table = KneeTable(tmp_path / "table.csv")
        taken(table, [table.column("x_n")], None)


def test_a_csv_column_may_be_empty_for_a_long_while(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("status,x_n,word\n" + "failed,,\n" * 200_000 + "ok,2.5,end\n", encoding="utf-8")
    table = KneeTable(tmp_path / "table.csv")
    found = taken(table, [table.column("x_n")], None)
    assert found.values[0].tolist() == [2.5] and found.failed == 200_000


@pytest.mark.parametrize(("words", "says"), [
    (["quantiles", "--of", "word", "--by", "x_n"], "holds words"), (["quantiles", "--of", "x_n", "--by", "word", "--scenario", "none"], "what was done"), (["risk", "--of", "x_n", "--by", "x_n,word"], "holds words"),
    (["risk", "--of", "word", "--by", "x_n,y_n"], "holds words"), (["benefit", "--scenario", "cane"], "nobody in it had an intervention"), (["benefit"], "this table has none"),
    (["quantiles", "--of", "empty_n", "--by", "word"], "Nobody"), (["quantiles", "--of", "x_n", "--by", "bmi_class"], "no such column"),
])
def test_a_table_without_what_is_asked(tmp_path: Path, words: list[str], says: str) -> None:
    (tmp_path / "table.csv").write_text("word,x_n,y_n,empty_n\na,1,2,\nb,2,3,\n", encoding="utf-8")
    with pytest.raises(KneeloadError, match=says):
        command.run([words[0], str(tmp_path / "table.csv"), *words[1:], "--output", str(tmp_path / "new")], lambda overrides: None)  # type: ignore[arg-type,return-value]
    assert not (tmp_path / "new").exists()
