"""Pictures: the figures behind them, what they say in words, and that they can be drawn whatever the table holds."""

import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.naive_bayes import GaussianNB

from skdp import IntervalBinner, KAnonymizer, LaplaceNoise, QuantileBinner, make_pipeline
from skdp._checks import ParameterError
from skdp.metrics import SCENARIOS, association_matrix, reidentification_risk
from skdp.model_selection import best_utility
from skdp.plots import (
    AssociationDisplay,
    ClassSizeDisplay,
    PrivacyUtilityDisplay,
    ReleaseDisplay,
    RiskDisplay,
    _drawing,
)

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def figures_closed():
    yield
    plt.close("all")


def people(size=150):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "Age": rng.integers(18, 80, size).astype(float),
            "Town": rng.choice(["Lima", "Oslo", "Bonn", "Kobe"], size),
            "Debt": rng.exponential(20, size),
        }
    )


def searched(**options):
    rng = np.random.default_rng(0)
    X = rng.uniform(0, 100, (120, 2))
    model = make_pipeline(LaplaceNoise(bounds=(0, 100), random_state=0), GaussianNB())
    grid = {"laplacenoise__epsilon": [0.5, 2.0, 8.0, 32.0]}
    return GridSearchCV(model, grid, cv=3, error_score="raise", **options).fit(X, X[:, 0] > 50)


def accuracy_and_k(estimator, X, y):
    return {"accuracy": estimator.score(X, y), "k": len(X) / 10 - estimator[0].epsilon}


def displays(original, released, known):
    """Return one of each display of a table and its release, and the options of `plot`, by name."""
    column = list(original.columns)[0]
    risk = RiskDisplay.from_tables(original, released, known)
    associations = AssociationDisplay.from_tables(original, released)
    return [
        (risk, {}),
        (risk, {"kind": "bands"}),
        (ClassSizeDisplay.from_tables(original, released, known), {}),
        (associations, {}),
        (ReleaseDisplay.from_tables(original, released, column), {}),
    ]


def drawn(display, **options):
    """Draw a picture to its end with warnings as errors, and return what is written in it."""
    assert display.plot(**options) is display
    display.figure_.canvas.draw()
    texts = [one.get_text() for one in display.figure_.findobj(matplotlib.text.Text)]
    assert all(one.get_fontsize() >= 9 for one in display.figure_.findobj(matplotlib.text.Text) if one.get_text())
    return texts


# Every display


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_each_display_draws_says_and_lists_what_it_shows(library):
    original = people()
    released = KAnonymizer(5, quasi_identifiers=["Age", "Town"]).fit_transform(original)
    if library == "polars":
        original = pl.from_pandas(original)
        released = KAnonymizer(5, quasi_identifiers=["Age", "Town"]).fit_transform(original)
    for display, options in displays(original, released, ["Age", "Town"]):
        texts = drawn(display, **options)
        kind = {name: value for name, value in options.items() if name == "kind"}
        assert len(display.table(**kind)) > 0
        assert display.description(**kind).endswith(".")
        assert any(texts)
        axes = np.ravel(display.ax_)
        assert all(one.figure is display.figure_ for one in axes)
        assert all(one.get_xlabel() for one in axes) or len(axes) == 3


def test_both_libraries_give_the_same_figures():
    original = people()
    released = KAnonymizer(5, quasi_identifiers=["Age", "Town"]).fit_transform(original)
    ours = displays(original, released, ["Age", "Town"])
    theirs = displays(pl.from_pandas(original), pl.from_pandas(released.astype({"Age": str})), ["Age", "Town"])
    for (one, options), (other, _) in zip(ours, theirs, strict=True):
        if not isinstance(one, AssociationDisplay):
            kind = {name: value for name, value in options.items() if name == "kind"}
            pd.testing.assert_frame_equal(one.table(**kind), other.table(**kind))


def test_given_axes_are_drawn_on():
    figure, axes = plt.subplots(1, 3)
    table = people(60)
    for display, options in displays(table, table, ["Age"]):
        if isinstance(display, AssociationDisplay):
            assert display.plot(ax=axes).figure_ is figure
        else:
            assert display.plot(ax=axes[0], **options).ax_ is axes[0]
    with pytest.raises(ParameterError, match="three axes"):
        AssociationDisplay.from_tables(table, table).plot(ax=axes[0])


def test_settings_of_matplotlib_are_left_as_they_were_and_nothing_is_shown(monkeypatch):
    before = dict(matplotlib.rcParams)
    monkeypatch.setattr(plt, "show", lambda *args, **kwargs: pytest.fail("shown"))
    table = people(60)
    for display, options in [*displays(table, table, ["Age"]), (PrivacyUtilityDisplay.from_search(searched()), {})]:
        display.plot(**options)
        plt.close(display.figure_)
    assert dict(matplotlib.rcParams) == before


def test_options_are_passed_on_to_matplotlib():
    sizes = ClassSizeDisplay.from_sizes({"before": [1, 2], "after": [3]}).plot(alpha=0.25)
    assert all(one.get_alpha() == 0.25 for one in sizes.ax_.patches)


def test_the_same_picture_is_the_same_bytes():
    original = people(100)
    released = KAnonymizer(5, quasi_identifiers=["Age", "Town"]).fit_transform(original)
    search = PrivacyUtilityDisplay.from_search(searched())
    for display, options in [*displays(original, released, ["Age", "Town"]), (search, {})]:
        first, second = (_drawing.svg(display.plot(**options)) for _ in range(2))
        assert first == second
        assert first.startswith("<?xml")
    assert not plt.get_fignums()


def test_the_bytes_are_the_same_in_another_process():
    display = ClassSizeDisplay.from_sizes({"before": [1, 1, 4], "after": [6]})
    code = (
        "import sys, matplotlib; matplotlib.use('Agg')\n"
        "from skdp.plots import ClassSizeDisplay, _drawing\n"
        "display = ClassSizeDisplay.from_sizes({'before': [1, 1, 4], 'after': [6]})\n"
        "sys.stdout.buffer.write(_drawing.svg(display.plot()).encode())"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert found.stdout.decode() == _drawing.svg(display.plot())


def test_without_matplotlib_the_message_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    display = ClassSizeDisplay.from_sizes({"before": [1, 2]})
    assert len(display.table()) == 2
    with pytest.raises(ImportError, match=r'pip install "skdp\[report\]"'):
        display.plot()


def test_importing_the_displays_does_not_import_matplotlib():
    code = "import sys, skdp.plots; print('matplotlib' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


NAMES = [
    "$a$ and $b$",
    "NUL\x00 here",
    "line\nbreak",
    "שם משפחה",
    "\u202egnirts",
    "年龄",
    "<script>",
    "%s {0}",
    "x" * 200,
]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_any_column_name_can_be_drawn(name):
    table = people(60).rename(columns={"Age": name})
    for display in (AssociationDisplay.from_tables(table, table), ReleaseDisplay.from_tables(table, table, name)):
        texts = drawn(display)
        assert not any("\x00" in text or "\u202e" in text or "\n" in text for text in texts)
        assert max(map(len, texts)) < 80
        assert display.description()
    assert name in ReleaseDisplay.from_tables(table, table, name).table()


def test_dollars_are_no_mathematics():
    assert _drawing.shown("cost in $, not in £ or $") == r"cost in \$, not in £ or \$"
    display = ReleaseDisplay.from_tables(
        people(60).rename(columns={"Age": "$x^2$"}), people(60).rename(columns={"Age": "$x^2$"}), "$x^2$"
    )
    display.plot()
    label = display.ax_.xaxis.label
    assert label._preprocess_math(label.get_text()) == ("$x^2$", False)


# G. Machado, M. Oliveira, L. Fernandes, "A physiologically-based model for simulation of color vision deficiency", 2009
SEEN = {
    "by all": np.eye(3),
    "without red": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "without green": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "without blue": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}


def apart(one, other, seen):
    """Return how different two colours look (CIE 1976) to somebody who sees so."""
    rgb = np.array([matplotlib.colors.to_rgb(one), matplotlib.colors.to_rgb(other)])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ np.transpose(seen), 0, 1)
    xyz = linear @ np.array([[0.4124, 0.2126, 0.0193], [0.3576, 0.7152, 0.1192], [0.1805, 0.0722, 0.9505]])
    x, y, z = np.cbrt(xyz / [0.9505, 1.0, 1.089]).T  # no colour here is near black
    return float(np.hypot(np.hypot(*np.diff([500 * (x - y), 200 * (y - z)]).ravel()), 116 * np.diff(y)[0]))


@pytest.mark.parametrize("seen", SEEN)
def test_before_and_after_differ_for_the_colour_blind(seen):
    before, after, *_ = (look["edgecolor"] for look in _drawing.LOOKS)
    assert apart(before, after, SEEN[seen]) > 40
    assert len({look["hatch"] for look in _drawing.LOOKS}) == len(_drawing.LOOKS)  # and where no colour is seen


def test_a_red_and_a_green_that_look_alike_would_be_noticed():
    assert apart("#d62728", "#2ca02c", SEEN["by all"]) > 40
    assert apart("#d62728", "#2ca02c", SEEN["without green"]) < 40


def test_long_names_are_cut_so_that_they_still_differ():
    one, other = (_drawing.shown(f"a fairly long name with number {number}") for number in (1, 2))
    assert len(one) == len(other) == 28
    assert one != other


def test_a_glyph_that_the_font_lacks_is_a_box_and_no_warning():
    assert _drawing.shown("年龄") == _drawing.NO_GLYPH * 2
    assert _drawing.shown("Größe") == "Größe"


EDGES = {
    "one row": pd.DataFrame({"Age": [31.0], "Town": ["Lima"]}),
    "no rows": pd.DataFrame({"Age": pd.Series(dtype=float), "Town": pd.Series(dtype="str")}),
    "constant": pd.DataFrame({"Age": [31.0] * 9, "Town": ["Lima"] * 9}),
    "all missing": pd.DataFrame({"Age": [np.nan] * 9, "Town": pd.Series([None] * 9, dtype=object)}),
    "infinite": pd.DataFrame({"Age": [np.inf, -np.inf, *range(20)], "Town": ["Lima", "Oslo"] * 11}),
    "huge": pd.DataFrame({"Age": [1e308, -1e308, *range(20)], "Town": ["Lima", "Oslo"] * 11}),
    "far from zero": pd.DataFrame({"Age": 1e17 + 64.0 * np.arange(30), "Town": ["Lima", "Oslo"] * 15}),
    "far fractions": pd.DataFrame({"Age": 1e14 + np.arange(300) / 64, "Town": ["Lima", "Oslo"] * 150}),
    "tiny": pd.DataFrame({"Age": np.arange(30) * 1e-310, "Town": ["Lima", "Oslo"] * 15}),
}


@pytest.mark.parametrize("name", EDGES)
def test_strange_tables_can_be_drawn(name):
    table = EDGES[name]
    for display, options in displays(table, table, ["Age", "Town"]):
        drawn(display, **options)
        kind = {name: value for name, value in options.items() if name == "kind"}
        assert isinstance(display.description(**kind), str)
        display.table(**kind)
    for column in table:
        display = ReleaseDisplay.from_tables(table, table, column)
        drawn(display)
        assert display.table()["original records"].sum() == display.table()["released records"].sum() == len(table)


def test_every_kind_of_column_can_be_drawn(table):
    for column in table.columns:
        display = ReleaseDisplay.from_tables(table, table, column).plot()
        figures = display.table()
        assert figures["original records"].tolist() == figures["released records"].tolist()
        assert figures["original records"].sum() == 12


# Risks


def test_risks_by_scenario_are_the_highest_and_the_mean():
    display = RiskDisplay.from_risks({"before": [1.0, 0.5, 0.5, 0.0]}, {"theft": 0.5, "show": 1.0})
    table = display.table()
    assert table["attack scenario"].tolist() == ["theft", "show"]
    assert table["highest risk before, %"].tolist() == [50.0, 100.0]
    assert table["mean risk before, %"].tolist() == [25.0, 50.0]


def test_the_usual_scenarios_are_the_default():
    display = RiskDisplay.from_tables(people(30), people(30), "Age")
    assert dict(zip(display.by_scenario["scenario"], display.by_scenario["probability"], strict=True)) == SCENARIOS


def test_bands_hold_the_records_of_classes_of_their_sizes():
    sizes = np.array([1, 2, 3, 5, 6, 10, 11, 20, 21, 500])
    display = RiskDisplay.from_risks({"before": np.repeat(1 / sizes, sizes)})
    assert display.by_band["before"].tolist() == [1, 2, 8, 16, 31, 521]
    assert display.table(kind="bands")["records before"].sum() == sizes.sum()


def test_a_risk_between_two_bands_counts_in_the_higher_one():
    display = RiskDisplay.from_risks({"before": [0.51, 0.34, 1 / 5.5, 1 / 10.5, 1 / 20.5]})
    assert display.by_band["before"].tolist() == [1, 1, 1, 1, 1, 0]


def test_risks_of_tables_are_those_measured():
    original = people()
    released = KAnonymizer(4, quasi_identifiers=["Age", "Town"]).fit_transform(original)
    risk = reidentification_risk(released, ["Age", "Town"])
    display = RiskDisplay.from_tables(original, released, ["Age", "Town"], {"certain": 1.0})
    after = display.by_scenario.set_index("table").loc["after"]
    assert (after["highest"], after["mean"]) == (risk.max(), risk.mean())
    assert after["highest"] <= 1 / 4


def test_a_quasi_identifier_left_out_of_the_release_is_of_no_use_there():
    original = people()
    display = ClassSizeDisplay.from_tables(original, original[["Town"]], ["Age", "Town"])
    assert display.k["after"] == original["Town"].value_counts().min()
    all_alike = ClassSizeDisplay.from_tables(original, original[["Debt"]], ["Age"])
    assert all_alike.k["after"] == len(original)


def test_bad_arguments_of_risks_are_named():
    with pytest.raises(ParameterError, match="did you mean 'Age'"):
        RiskDisplay.from_tables(people(), people(), ["Agee"])
    with pytest.raises(ParameterError, match="'kind' parameter of RiskDisplay"):
        RiskDisplay.from_risks({"before": [1.0]}).plot(kind="pie")
    with pytest.raises(ParameterError, match="scenarios"):
        RiskDisplay.from_risks({"before": [1.0]}, {"theft": 2})
    with pytest.raises(ParameterError, match="'risks' parameter"):
        RiskDisplay.from_risks([1.0])


# Class sizes


def test_records_are_counted_by_the_size_of_their_class():
    display = ClassSizeDisplay.from_sizes({"before": [1, 1, 2, 4, 9, 10, 1000, 4000]})
    assert display.table()["records before"].tolist() == [2, 2, 4, 9, 10, 0, 0, 0, 0, 0, 5000]
    assert display.table()["records in the class"].tolist()[-2:] == ["500 - 999", "1,000 and more"]
    assert display.k == {"before": 1}


@pytest.mark.parametrize("k", [2, 3, 5, 7, 19, 1000, 5000])
def test_k_is_marked_at_the_bar_that_holds_it(k):
    display = ClassSizeDisplay.from_sizes({"before": [1], "after": [k]}).plot()
    (line,) = [one for one in display.ax_.lines if one.get_linestyle() == "--"]
    place = line.get_xdata()[0]
    bar = int(np.flatnonzero(display.records["after"])[0])
    assert bar - 0.5 <= place <= bar + 0.5
    assert f"k = {k:,} after" in [text.get_text() for text in display.ax_.texts]


def test_the_sentence_says_how_many_stand_alone():
    sizes = {"before": [1] * 1204 + [3796], "after": [5] * 1000}
    sentence = ClassSizeDisplay.from_sizes(sizes).description()
    assert sentence.startswith("Of 5,000 records, 1,204 (24 %) stand alone before, none of 5,000 after;")


def test_no_class_is_empty():
    with pytest.raises(ValueError, match="at least 1"):
        ClassSizeDisplay.from_sizes({"before": [0, 2]})


# Associations


def test_associations_are_those_measured_and_the_largest_change_comes_first():
    original = people()
    released = original.assign(Debt=original["Age"] * 2)
    table = AssociationDisplay.from_tables(original, released).table()
    before, after = association_matrix(original), association_matrix(released)
    assert len(table) == 3
    assert set(table.iloc[0][["column", "other column"]]) == {"Age", "Debt"}
    assert table.iloc[0]["before"] == round(before.loc["Age", "Debt"], 3)
    assert table.iloc[0]["after"] == round(after.loc["Age", "Debt"], 3) == 1.0


def test_numbers_that_became_ranges_do_not_move_for_having_lost_their_sign():
    original = people().assign(Debt=lambda table: 100.0 - table["Age"])
    released = IntervalBinner({"Age": [30, 45, 60]}).fit_transform(original)
    display = AssociationDisplay.from_tables(original, released)
    pair = display.table().set_index(["column", "other column"]).loc[("Age", "Debt")]
    assert (pair["before"], pair["difference"]) == (1.0, pytest.approx(-0.03, abs=0.03))
    flipped = AssociationDisplay.from_tables(original, original.assign(Debt=original["Age"]))
    assert "most of all that of Age and Debt, from -1.00 to 1.00" in flipped.description()


def test_matrices_are_matched_by_name_not_by_place():
    matrix = association_matrix(people())
    turned = matrix.loc[["Debt", "Town", "Age"], ["Town", "Debt", "Age"]]
    display = AssociationDisplay.from_matrices(matrix, turned)
    assert display.description() == "Associations of 3 columns are what they were."
    with pytest.raises(ValueError, match="same columns"):
        AssociationDisplay.from_matrices(matrix, matrix.loc[["Age"], ["Age"]])


def test_both_ways_round_are_listed_where_they_differ():
    matrix = association_matrix(
        people()[["Town"]].assign(Sea=lambda table: table["Town"] == "Lima"), categorical="theils_u"
    )
    assert len(AssociationDisplay.from_matrices(matrix, matrix).table()) == 2


def test_no_difference_is_the_middle_of_the_colours():
    matrix = pd.DataFrame([[1.0, 0.2], [0.2, 1.0]], index=list("ab"), columns=list("ab"))
    display = AssociationDisplay.from_matrices(matrix, matrix.replace(0.2, 0.7)).plot()
    image = display.ax_[2].images[0]
    assert image.norm.vmin == -image.norm.vmax
    assert image.norm.vmax == pytest.approx(0.5)
    assert [text.get_text() for text in display.ax_[2].texts] == ["0.00", "0.50", "0.50", "0.00"]


def test_values_are_written_in_up_to_twelve_columns_and_sixty_can_be_drawn():
    rng = np.random.default_rng(0)
    for count in (12, 13, 60):
        table = pd.DataFrame(rng.normal(size=(40, count)), columns=[f"a rather long name {i}" for i in range(count)])
        display = AssociationDisplay.from_tables(table, table)
        drawn(display, stacked=count == 13)
        assert len({axes.get_subplotspec().colspan.start for axes in display.ax_}) == (1 if count == 13 else 3)
        assert len(display.ax_[0].texts) == (144 if count == 12 else 0)
        assert len(display.table()) == count * (count - 1) / 2
        assert "a rather long name 0" in set(display.table()["column"])


# One column


def shares(original, released, column):
    """Return the figures of a display as a list of (label, records before, records after), missing ones last."""
    table = ReleaseDisplay.from_tables(original, released, column).table()
    return list(zip(table[column], table["original records"], table["released records"], strict=True))


def test_numbers_are_counted_on_common_bins_of_a_round_width():
    original = pd.DataFrame({"x": np.arange(100.0)})
    found = shares(original, original + 50, "x")
    assert found[0] == ("0 - 4", 5.0, 0.0)
    assert found[10] == ("50 - 54", 5.0, 5.0)
    assert sum(before for _, before, _ in found) == sum(after for _, _, after in found) == 100


def test_far_values_are_counted_in_open_bins():
    original = pd.DataFrame({"x": np.linspace(0, 10, 999)})
    found = shares(original, pd.concat([original, pd.DataFrame({"x": [-1e6, 1e9, np.inf]})]), "x")
    assert found[0][0].startswith("below")
    assert found[-2][0].endswith("and more")
    assert sum(after for _, _, after in found) == 1002
    assert len(found) < 40


def test_missing_values_have_a_bar_of_their_own():
    original = pd.DataFrame({"x": [*np.linspace(0, 1, 50)], "y": ["a", "b"] * 25})
    released = original.assign(x=original["x"].where(original.index > 9), y=original["y"].where(original.index > 4))
    assert shares(original, released, "x")[-1] == ("(missing)", 0.0, 10.0)
    assert shares(original, released, "y")[-1] == ("(missing)", 0.0, 5.0)
    for column in ("x", "y"):
        assert any("missing" in text for text in drawn(ReleaseDisplay.from_tables(original, released, column)))


@pytest.mark.parametrize("closed", ["right", "left"])
def test_numbers_are_summed_into_released_ranges(closed):
    original = pd.DataFrame({"Age": [24.0, 24, 30, 34, 34, 40, 80, 10]})
    released = IntervalBinner({"Age": [24, 34, 44]}, closed=closed).fit_transform(original)
    found = shares(original, released, "Age")
    assert len(found) == 5
    assert all(before == after for _, before, after in found)


def test_an_end_that_two_ranges_share_belongs_where_the_counts_say():
    original = pd.DataFrame({"Age": [30.0, 34, 34, 40, 60]})
    for closed, counts in (("right", [3, 1]), ("left", [1, 3])):
        released = IntervalBinner({"Age": [24, 34, 44]}, closed=closed).fit_transform(original)
        assert [before for _, before, _ in shares(original, released, "Age")][:2] == counts


def test_quantile_ranges_agree_with_the_numbers_in_them():
    original = people()
    released = QuantileBinner(5, columns="Debt").fit_transform(original)
    assert all(before == after for _, before, after in shares(original, released, "Debt"))
    as_text = released.assign(Debt=released["Debt"].astype(str))
    assert shares(original, as_text, "Debt") == shares(original, released, "Debt")


def test_a_release_whose_ranges_are_wrong_is_seen():
    original = people()
    released = QuantileBinner(5, columns="Debt").fit_transform(original)
    shifted = released.assign(Debt=released["Debt"].cat.rename_categories(lambda label: label).to_numpy()[::-1])
    falsified = shifted.assign(Debt=released["Debt"].iloc[0])
    assert any(before != after for _, before, after in shares(original, falsified, "Debt"))


def test_ranges_that_overlap_count_in_equal_parts_for_what_they_hold():
    original = pd.DataFrame({"Age": np.arange(20.0, 60)})
    released = pd.DataFrame({"Age": ["20 - 59"] * 20 + ["40 - 49"] * 20})
    display = ReleaseDisplay.from_tables(original, released, "Age")
    table = display.table().set_index("Age")["released records"]
    assert "equal parts" in display.description()
    inside = table[[label for label in table.index if label[:2] in {str(age) for age in range(40, 50)}]]
    assert inside.sum() == pytest.approx(20 + 5, abs=0.6)  # figures are rounded to a tenth
    assert table.sum() == pytest.approx(40, abs=2.1)


def test_sets_count_in_equal_parts_for_their_values():
    original = pd.DataFrame({"Town": ["Lima", "Oslo", "Bonn", "Bonn"]})
    released = pd.DataFrame({"Town": ["{Lima, Oslo}", "{Lima, Oslo}", "Bonn", None]})
    assert shares(original, released, "Town") == [
        ("Bonn", 2.0, 1.0), ("Lima", 1.0, 1.0), ("Oslo", 1.0, 1.0), ("(missing)", 0.0, 1.0),
    ]  # fmt: skip


def test_ordered_categories_keep_their_order():
    dtype = pd.CategoricalDtype(["low", "mid", "high"], ordered=True)
    original = pd.DataFrame({"x": pd.Series(["high", "high", "low", "mid"], dtype=dtype)})
    assert [label for label, _, _ in shares(original, original, "x")] == ["low", "mid", "high", "(missing)"]
    released = KAnonymizer(2, quasi_identifiers="x").fit_transform(original)
    assert sum(after for _, _, after in shares(original, released, "x")) == 4


def test_labels_of_ones_own_for_numbers_are_shown_without_the_original():
    original = pd.DataFrame({"Age": [1.0, 2, 50, 60]})
    released = IntervalBinner({"Age": [30]}, labels={"Age": ["young", "old"]}).fit_transform(original)
    display = ReleaseDisplay.from_tables(original, released, "Age")
    table = display.table()
    assert table["Age"].tolist()[:2] == ["young", "old"]
    assert table["original records"].isna().tolist() == [True, True, False]
    assert "cannot be read" in display.description()
    drawn(display)


def test_thousands_of_categories_become_twenty_and_others():
    rng = np.random.default_rng(0)
    original = pd.DataFrame({"Name": [f"n{number}" for number in rng.geometric(0.001, 20_000)]})
    found = shares(original, original, "Name")
    assert len(found) == 22
    assert found[20][0].endswith("others)")
    assert sum(before for _, before, _ in found) == 20_000
    drawn(ReleaseDisplay.from_tables(original, original, "Name"))


def test_dates_are_counted_by_day_and_named_as_such():
    dates = pd.DataFrame({"Joined": pd.date_range("2020-01-01", periods=200)})
    table = ReleaseDisplay.from_tables(dates, dates, "Joined").table()
    assert table["Joined"].iloc[0][:2] in ("20", "19")
    assert table["original records"].sum() == 200


def test_a_column_called_as_the_figures_are_does_not_hide_them():
    table = people(30)[["Age"]].rename(columns={"Age": "original records"})
    figures = ReleaseDisplay.from_tables(table, table, "original records").table()
    assert figures["original records"].sum() == 30
    assert "value of original records" in figures


def test_a_column_that_the_release_lacks_is_named():
    with pytest.raises(ParameterError, match="'Debt'"):
        ReleaseDisplay.from_tables(people(), people()[["Age"]], "Debt")


# Searches


def test_candidates_stand_at_their_utility_and_their_parameter():
    search = searched()
    display = PrivacyUtilityDisplay.from_search(search)
    assert display.candidates["risk"].tolist() == [0.5, 2.0, 8.0, 32.0]
    assert display.candidates["utility"].tolist() == search.cv_results_["mean_test_score"].tolist()
    assert display.chosen == search.best_index_
    drawn(display)
    assert display.ax_.get_xscale() == "log"
    assert display.table()["chosen"].sum() == 1


def test_scores_are_read_from_the_train_folds_where_these_were_kept():
    search = searched(scoring=accuracy_and_k, refit="accuracy", return_train_score=True)
    display = PrivacyUtilityDisplay.from_search(search, risk="k")
    assert display.candidates["risk"].tolist() == pytest.approx(search.cv_results_["mean_train_k"].tolist())
    assert display.safer == "higher"
    without = searched(scoring=accuracy_and_k, refit="accuracy")
    display = PrivacyUtilityDisplay.from_search(without, "accuracy", "k")
    assert display.candidates["risk"].tolist() == pytest.approx(without.cv_results_["mean_test_k"].tolist())
    drawn(display)


@pytest.mark.parametrize("refit", [False, lambda results: 1], ids=["False", "callable"])
def test_the_chosen_point_is_that_of_refit_if_any(refit):
    search = searched(scoring=accuracy_and_k, refit=refit)
    display = PrivacyUtilityDisplay.from_search(search, "accuracy")
    assert display.chosen == (None if refit is False else 1)
    texts = drawn(display)
    assert any(text.startswith("chosen") for text in texts) == (refit is not False)
    assert ("None was chosen" in display.description()) == (refit is False)


def test_what_best_utility_maximises_and_limits_is_what_is_drawn():
    def scores(estimator, X, y):
        return accuracy_and_k(estimator, X, y) | {"epsilon": estimator[0].epsilon}

    search = searched(scoring=scores, refit=best_utility("accuracy", at_least={"k": -9}, at_most={"epsilon": 10}))
    display = PrivacyUtilityDisplay.from_search(search)
    assert (display.utility_name, display.risk_name, display.safer) == ("accuracy", "epsilon", "lower")
    assert display.candidates["risk"][display.chosen] <= 10
    display = PrivacyUtilityDisplay.from_search(search, risk="k")
    assert (display.utility_name, display.safer) == ("accuracy", "higher")
    drawn(display)


def test_without_an_epsilon_the_first_limit_of_best_utility_is_the_risk():
    results = {
        "params": [{"n_bins": 3}, {"n_bins": 9}],
        **{f"{fold}_test_{name}": [0.5, 0.6] for fold in ("mean", "split0") for name in ("auc", "classes", "attack")},
    }

    def drawn_by(**limits):
        search = type("Search", (), {"cv_results_": results, "refit": best_utility("auc", **limits), "best_index_": 1})
        return PrivacyUtilityDisplay.from_search(search())

    found = [drawn_by(at_least={"test_classes": 0.1}), drawn_by(at_most={"attack": 0.9}, at_least={"classes": 0.1})]
    assert [(one.risk_name, one.safer) for one in found] == [("classes", "higher"), ("attack", "lower")]
    with pytest.raises(ParameterError, match="found no 'epsilon'"):
        drawn_by()


def test_the_frontier_holds_those_that_no_other_beats():
    rng = np.random.default_rng(0)
    utility, risk = rng.integers(0, 6, 60) / 5.0, rng.integers(1, 6, 60).astype(float)
    results = {
        "params": [{"a__epsilon": one} for one in risk],
        "mean_test_score": utility,
        "split0_test_score": utility,
    }
    search = type("Search", (), {"cv_results_": results, "refit": False})()
    display = PrivacyUtilityDisplay.from_search(search)
    beaten = [
        any(
            utility[other] >= utility[one]
            and risk[other] <= risk[one]
            and (utility[other] > utility[one] or risk[other] < risk[one])
            for other in range(60)
        )
        for one in range(60)
    ]
    assert display.candidates["on_frontier"].tolist() == [not one for one in beaten]
    turned = PrivacyUtilityDisplay.from_search(search, safer="higher")
    assert turned.candidates["on_frontier"].tolist() != display.candidates["on_frontier"].tolist()


def test_failed_fits_and_infinite_epsilon_do_not_break_the_picture():
    utility, risk = np.array([0.5, np.nan, 0.9]), np.array([1.0, 2.0, np.inf])
    results = {
        "params": [{"C": 1}, {"C": 2}, {"C": 3}],
        "mean_test_auc": utility, "split0_test_auc": utility, "mean_test_epsilon": risk, "split0_test_epsilon": risk,
    }  # fmt: skip
    search = type("Search", (), {"cv_results_": results, "refit": "auc", "best_index_": 2})()
    display = PrivacyUtilityDisplay.from_search(search)
    assert display.candidates["on_frontier"].tolist() == [True, False, True]
    assert "∞" in drawn(display)


@pytest.mark.parametrize("risk", [np.nan, np.inf, 0.0])
def test_a_search_of_which_nothing_is_known_is_an_empty_picture(risk):
    results = {"params": [{"epsilon": risk}] * 2, "mean_test_score": [np.nan] * 2, "split0_test_score": [np.nan] * 2}
    search = type("Search", (), {"cv_results_": results, "refit": True, "best_index_": 0})()
    display = PrivacyUtilityDisplay.from_search(search)
    drawn(display)
    assert not display.table()["on the frontier"].any()


def test_ticks_do_not_run_into_each_other():
    search = searched()
    display = PrivacyUtilityDisplay.from_search(search)
    display.candidates["risk"] = display.candidates["risk_low"] = display.candidates["risk_high"] = [
        1.0,
        1.01,
        1.02,
        32.0,
    ]
    drawn(display)
    assert [text.get_text() for text in display.ax_.get_xticklabels()] == ["1.02", "32"]


def test_a_randomised_search_is_drawn_too():
    X = np.random.default_rng(0).uniform(0, 100, (60, 2))
    model = make_pipeline(LaplaceNoise(bounds=(0, 100), random_state=0), GaussianNB())
    grid = {"laplacenoise__epsilon": [1.0, 2.0, 4.0]}
    search = RandomizedSearchCV(model, grid, n_iter=2, cv=3, random_state=0).fit(X, X[:, 0] > 50)
    drawn(PrivacyUtilityDisplay.from_search(search))


def test_bad_arguments_of_searches_are_named():
    with pytest.raises(ParameterError, match="fitted search"):
        PrivacyUtilityDisplay.from_search(GridSearchCV(GaussianNB(), {}))
    with pytest.raises(ParameterError, match="found no 'risc'"):
        PrivacyUtilityDisplay.from_search(searched(), risk="risc")
    with pytest.raises(ParameterError, match="'safer'"):
        PrivacyUtilityDisplay.from_search(searched(), safer="up")
    with pytest.raises(ParameterError, match="one of the scores"):
        PrivacyUtilityDisplay.from_search(searched(scoring=accuracy_and_k, refit=False))
