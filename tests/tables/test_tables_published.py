"""Published beside reproduced: verdicts, exchanged labels, methods that only a publication has."""

import math

import pandas as pd
import pytest

from recollect.errors import RecollectError
from recollect.tables import (
    Reproduced,
    build_table,
    from_csv,
    metric_info,
    to_csv,
    to_latex,
    to_markdown,
    to_terminal,
)
from recollect.tables.layout import make_layout
from recollect.tables.verdict import verdict

FID, P, R = (f"{name}@lenet_mnist" for name in ("fid", "precision", "recall"))
COLUMNS = [
    "scenario",
    "method",
    "metric",
    "value",
    "std",
    "source",
    "published_as",
    "note",
    "status",
    "exchangeable",
]


def judge(published, mean, low=math.nan, high=math.nan, n_seeds=1, metric=FID, threshold=math.nan):
    return verdict(published, Reproduced(mean, low, high, n_seeds), metric_info(metric), threshold)


@pytest.mark.parametrize(
    ("arguments", "text", "agrees"),
    [
        ({"published": math.nan, "mean": 1.0}, "no published value", False),
        ({"published": 20.0, "mean": math.nan, "n_seeds": 0}, "no reproduced value", False),
        # One seed: no interval, the threshold alone.
        ({"published": 20.0, "mean": 23.0, "threshold": 0.15}, "agrees within 15 %, one seed", True),
        ({"published": 20.0, "mean": 17.0, "threshold": 0.15}, "agrees within 15 %, one seed", True),
        ({"published": 20.0, "mean": 23.1, "threshold": 0.15}, "worse by 3.10 (16 %), one seed", False),
        ({"published": 20.0, "mean": 5.0, "threshold": 0.15}, "better by 15.00 (75 %), one seed", False),
        ({"published": 20.0, "mean": 21.0}, "worse by 1.00 (5.0 %), one seed", False),
        ({"published": 20.0, "mean": 20.0}, "equal, one seed", True),
        ({"published": 0.0, "mean": 2.0}, "worse by 2.00, one seed", False),
        # An interval.
        (
            {"published": 20.0, "mean": 21.0, "low": 19.0, "high": 23.0, "n_seeds": 3},
            "agrees within interval",
            True,
        ),
        (
            {"published": 20.0, "mean": 21.0, "low": 20.5, "high": 23.0, "n_seeds": 3, "threshold": 0.15},
            "agrees within 15 %, outside interval",
            True,
        ),
        (
            {"published": 20.0, "mean": 30.0, "low": 10.0, "high": 50.0, "n_seeds": 3, "threshold": 0.15},
            "within interval, worse by 10.00 (50 %)",
            True,
        ),
        (
            {"published": 20.0, "mean": 30.0, "low": 25.0, "high": 35.0, "n_seeds": 3, "threshold": 0.15},
            "worse by 10.00 (50 %)",
            False,
        ),
        # Percent: points, and higher is better. 0.95 - 0.92 is above 0.03 in floating point.
        (
            {"published": 0.92, "mean": 0.95, "metric": P, "threshold": 0.03},
            "agrees within 3 points, one seed",
            True,
        ),
        (
            {"published": 0.92, "mean": 0.87, "metric": P, "threshold": 0.03},
            "worse by 5.0 points, one seed",
            False,
        ),
        (
            {"published": 0.92, "mean": 0.97, "metric": P, "threshold": 0.03},
            "better by 5.0 points, one seed",
            False,
        ),
        ({"published": 100.0, "mean": 50.0, "metric": "wall_s"}, "better by 50.0 s (50 %), one seed", False),
    ],
)
def test_verdict(arguments, text, agrees):
    found = judge(**arguments)
    assert (found.text, found.agrees) == (text, agrees)


# Tables -----------------------------------------------------------------------------------------------


def values(method, fid, precision, recall, seeds=(13,)):
    cells = [(FID, fid), (P, precision), (R, recall)]
    return [("s", method, seed, metric, value, "ok", "") for metric, value in cells for seed in seeds]


def pair(method, precision, recall, name="", note=""):
    return [
        ("s", method, P, precision, None, "README", name, note, "", R),
        ("s", method, R, recall, None, "README", name, note, "", P),
    ]


def table(rows, published, **changes):
    declaration = {
        "id": "t", "title": "T", "scenarios": ["s"], "methods": sorted({row[1] for row in rows}),
        "metrics": [FID, P, R], "agreement": {"fid": 0.15, "precision": 0.03, "recall": 0.03}, **changes,
    }  # fmt: skip
    columns = ["scenario", "method", "seed", "metric", "value", "status", "reason"]
    frame = build_table(
        pd.DataFrame(rows, columns=columns), declaration, published=pd.DataFrame(published, columns=COLUMNS)
    )
    return frame, declaration


def cell(frame, method, metric):
    return frame[(frame["method"] == method) & (frame["metric"] == metric)].iloc[0]


@pytest.mark.parametrize(
    ("published", "verdicts", "order"),
    [
        ((0.92, 0.97), ("agrees within 3 points, one seed",) * 2, "as labelled, not exchanged"),
        (
            (0.97, 0.92),
            ("agrees within 3 points, one seed, labels exchanged",) * 2,
            "with the published values exchanged, not as labelled",
        ),
        ((0.935, 0.945), ("agrees within 3 points, one seed",) * 2, "in either order"),
        # One of the two alone: nothing is mixed and matched.
        (
            (0.92, 0.70),
            ("agrees within 3 points, one seed", "better by 26.0 points, one seed"),
            "in neither order",
        ),
    ],
)
def test_either_order_counts_and_the_note_says_which(published, verdicts, order):
    frame, _ = table(values("a", 20.0, 0.92, 0.96), pair("a", *published))
    rows = [cell(frame, "a", metric) for metric in (P, R)]
    assert tuple(row["verdict"] for row in rows) == verdicts
    for row in rows:
        assert row["verdict_note"] == (
            f"Precision and Recall may be exchanged in the publication; the reproduced pair agrees {order}"
        )
    # What was published is shown as it was published.
    assert tuple(row["published"] for row in rows) == published
    assert rows[0]["difference"] == pytest.approx(0.92 - published[0])


def test_order_is_not_discussed_where_it_makes_no_difference():
    equal, _ = table(values("a", 20.0, 0.92, 0.96), pair("a", 0.98, 0.98))
    half, _ = table(values("a", 20.0, 0.92, 0.96), pair("a", 0.92, 0.97)[:1])
    alone, _ = table(values("a", 20.0, 0.92, 0.96), pair("a", 0.92, 0.97), metrics=[FID, P], agreement={})
    not_run, _ = table([], pair("a", 0.92, 0.97), methods=["a"])
    for frame in (equal, half, alone, not_run):
        assert set(frame["verdict_note"]) == {""}


def test_a_method_that_is_published_only_has_its_rows():
    published = [
        ("s", "CURL", FID, 181.0, None, "Table 1", "CURL", "scored on pooled tasks", "not implemented", ""),
        ("s", "ours_b", FID, 9.0, None, "Table 1", "Theirs B", "", "", ""),
        ("elsewhere", "CURL", FID, 1.0, None, "", "CURL", "", "not implemented", ""),
        ("s", "CURL", "kid@lenet_mnist", 1.0, None, "", "CURL", "", "not implemented", ""),
    ]
    frame, declaration = table(values("a", 20.0, 0.9, 0.9), published)
    assert list(dict.fromkeys(frame["method"])) == ["a", "CURL", "ours_b"]
    assert len(frame) == 9
    curl, other = cell(frame, "CURL", FID), cell(frame, "ours_b", FID)
    assert (curl["label"], curl["status"], curl["published"]) == ("CURL", "not implemented", 181.0)
    assert (curl["verdict"], curl["n_seeds"]) == ("no reproduced value", 0)
    assert (other["label"], other["status"]) == ("Theirs B", "not in this table")
    rows = dict(make_layout(frame, declaration).sections[0].rows)
    assert rows["CURL"][:5] == ("-", "181 (a)", "not implemented", "-", "no reproduced value")
    assert rows["Theirs B"][:3] == ("-", "9", "not in this table (b)")
    notes = make_layout(frame, declaration).sections[0].notes
    assert "(a) CURL: scored on pooled tasks." in notes
    assert "(b) Theirs B: compared with ours_b, which this table does not show." in notes


def test_published_only_rows_stay_with_their_scenario():
    published = [
        (scenario, "X", FID, value, None, "", "X", "", "not implemented", "")
        for scenario, value in (("s", 1.0), ("z", 2.0))
    ]
    frame, _ = table(values("a", 20.0, 0.9, 0.9), published, scenarios=["z", "s"], metrics=[FID], agreement={})
    assert list(zip(frame["scenario"], frame["method"], strict=True)) == [
        ("z", "a"), ("z", "X"), ("s", "a"), ("s", "X"),
    ]  # fmt: skip


def test_published_only_rows_are_in_no_test():
    rows = [row for m in ("a", "b") for row in values(m, 20.0 + len(m), 0.9, 0.9, seeds=(0, 1, 2))]
    published = [("s", "X", FID, 1.0, None, "", "X", "", "not implemented", "")]
    without, _ = table(rows, [], reference="a")
    frame, _ = table(rows, published, reference="a")
    kept = frame[frame["method"] != "X"].reset_index(drop=True)
    drop = ["published", "published_source", "difference", "verdict"]
    pd.testing.assert_frame_equal(kept.drop(columns=drop), without.drop(columns=drop))


def test_other_names_and_other_sources_are_noted():
    published = [("s", "a", FID, 30.0, None, "README", "Theirs", "41 in Table 1, an article", "", "")]
    frame, declaration = table(values("a", 31.0, 0.9, 0.9), published, published_notes=["One seed each."])
    layout = make_layout(frame, declaration)
    assert "(a) a: published as Theirs; 41 in Table 1, an article." in layout.sections[0].notes
    assert dict(layout.sections[0].rows)["a"][1] == "30 (a)"
    notes = " ".join(layout.notes)
    assert "no further apart than 15 % of the published FID; else" in notes
    assert "One seed gives no interval, then only the threshold counts." in notes
    assert layout.notes[-2:] == ("Published values: README.", "One seed each.")
    assert "R[t,i]" not in notes


def test_columns_stand_side_by_side_in_every_format():
    frame, declaration = table(values("a", 31.0, 0.9, 0.9), pair("a", 0.92, 0.88))
    heads = [column.head for column in make_layout(frame, declaration).sections[0].columns]
    assert heads == [
        "Seeds",
        "mean [interval]",
        *["published", "reproduced [interval]", "difference", "verdict"] * 2,
    ]
    text = to_terminal(frame, declaration)
    block = next(part for part in text.split("\n\n") if "Precision (%)" in part)
    for word in ("published", "reproduced [interval]", "difference", "verdict", "90.0 (one seed)"):
        assert word in block
    assert max(map(len, text.splitlines())) <= 110
    assert "| Precision, published | Precision (%) ↑, reproduced |" in to_markdown(frame, declaration)
    assert r"published & reproduced {[}interval{]} & difference" in to_latex(frame, declaration)
    pd.testing.assert_frame_equal(from_csv(to_csv(frame)), frame, check_exact=True, check_dtype=False)


def test_published_digits_are_those_of_the_source():
    published = [("s", "a", FID, 28.5, 1.25, "", "", "", "", ""), *pair("a", 0.92, 0.285)]
    frame, declaration = table(values("a", 31.0, 0.9, 0.9), published)
    row = dict(make_layout(frame, declaration).sections[0].rows)["a"]
    assert [row[1], row[5], row[9]] == ["28.5 ± 1.25", "92", "28.5"]


@pytest.mark.parametrize("agreement", [{"fid": 0.0}, {"fid": -1}, {"fid": math.inf}, {"fid": "near"}, [0.1]])
def test_agreement_that_cannot_be_is_named(agreement):
    with pytest.raises(RecollectError, match="table 't': 'agreement'"):
        table(values("a", 31.0, 0.9, 0.9), [], agreement=agreement)
