"""The public names, kept by hand, in the order of the data: what the API reference lists."""

from importlib.util import find_spec
from typing import NamedTuple


class Section(NamedTuple):
    """Names of one module that belong together."""

    title: str
    module: str
    text: str
    names: list[str]


SECTIONS = [
    Section(
        "Synthesis", "skdp", "Fictitious records from a request, or in the place of real values.",
        ["FakerSynthesizer", "Fake", "FromColumn", "Integers", "Choice", "Dates", "Copy", "Derived"],
    ),
    Section("Cleaning", "skdp", "Names, genders, addresses, identifiers.", ["PIICleaner", "is_undeliverable"]),
    Section("Imputation", "skdp", "Missing values drawn from distributions.", ["DistributionImputer", "Conditional"]),
    Section("Outliers", "skdp", "Rows that stand out.", ["OutlierDropper"]),
    Section("Binning", "skdp", "Numbers as labelled ranges.", ["IntervalBinner", "QuantileBinner"]),
    Section("Noise", "skdp", "Cells noised one by one.", ["LaplaceNoise", "GaussianNoise", "RandomizedResponse"]),
    Section("Bounds", "skdp", "Bounds learned at a price.", ["DPBounds"]),
    Section("Anonymity", "skdp", "Equivalence classes of at least k rows.", ["KAnonymizer"]),
    Section("Pipelines", "skdp", "y stays right where rows go.", ["Pipeline", "make_pipeline", "TrainOnKept"]),
    Section(
        "Guarantees and the ledger", "skdp", "What is promised, and what was spent.",
        ["PrivacyGuarantee", "privacy_guarantee", "PrivacyLedger", "set_ledger", "BudgetExceededError", "LedgerError"],
    ),
    Section("", "skdp.ledger", "", ["print_ledger"]),
    Section("", "skdp.accounting", "", ["compose", "select_best", "rounded_up"]),
    Section("", "skdp.guarantees", "", ["releases", "bare_columns"]),
    Section(
        "Metrics: anonymity", "skdp.metrics", "How alike the rows of a table are.",
        ["ClassCounts", "equivalence_classes", "k_anonymity", "l_diversity", "t_closeness", "alpha_k_anonymity",
         "basic_beta_likeness", "enhanced_beta_likeness", "delta_disclosure"],
    ),
    Section("", "skdp.metrics.anonymity", "", ["AlphaK", "RecursiveDiversity"]),
    Section(
        "Metrics: risk", "skdp.metrics", "Who can be found, by whom.",
        ["uniqueness", "reidentification_risk", "attacker_risks", "scenario_risks", "SCENARIOS", "suda",
         "linkage_attack", "inference_attack"],
    ),
    Section("", "skdp.metrics.risk", "", ["Risk", "AttackerRisks", "Uniqueness", "Suda"]),
    Section("", "skdp.metrics.attacks", "", ["AttackRisk"]),
    Section(
        "Metrics: utility", "skdp.metrics", "What a released table is still good for.",
        ["granularity", "discernibility", "average_class_size", "marginal_distances", "association_matrix",
         "association_matrices", "association_rules_kept", "propensity_mse", "train_on_release_test_on_real"],
    ),
    Section("", "skdp.metrics.utility", "", ["RulesKept"]),
    Section("", "skdp.metrics.modelling", "", ["PropensityError", "TrainedOnRelease"]),
    Section(
        "Searches", "skdp.model_selection", "Privacy parameters tuned like any others.",
        ["ReleaseScorer", "best_utility", "epsilon_spent", "search_cost", "SearchCost"],
    ),
    Section(
        "", "skdp.private_search", "",
        ["PrivateSearchCV", "best_of_random_number", "random_number_of_trials", "mean_number_of_trials"],
    ),
    Section(
        "Plots", "skdp.plots", "Pictures in scikit-learn's style.",
        ["ClassSizeDisplay", "RiskDisplay", "ReleaseDisplay", "AssociationDisplay", "PrivacyUtilityDisplay"],
    ),
    Section("Report", "skdp.report", "A data safety report for those who sign off a release.", ["DataSafetyReport"]),
    Section(
        "Recipes", "skdp.recipes", "Pipelines in TOML files, and ready-made ones.",
        ["travel", "load", "read", "recipe", "Recipe", "years_before", "AGE_SHARES", "SEASONS", "RECIPES"],
    ),
    Section(
        "Clusters", "skdp.distributed", "The same steps over the partitions of a Dask DataFrame.",
        ["synthesize", "fit", "transform", "release", "class_counts", "k_anonymity", "l_diversity", "PartitionError"],
    ),
    Section("Datasets", "skdp.datasets", "Fictitious tables to try it all on.", ["make_customer_survey"]),
    Section(
        "Mechanisms", "skdp.mechanisms",
        "The exact samplers that all noise comes from, for those who write a step. The steps above check what they are "
        "given, and say what they guarantee; these do not.",
        ["laplace", "laplace_integers", "two_sided_geometric", "randomized_response", "bernoulli", "laplace_grid",
         "LaplaceGrid", "Geometric", "secure_source", "seeded_source", "KeyStream", "rational", "positive"],
    ),
    Section(
        "For those who write a step", "skdp.base", "The base of every step, and the one rule about rows.",
        ["PrivacyTransformer", "RowDropperMixin", "refuse_beside_others"],
    ),
    Section("", "skdp.specifications", "", ["Specification", "Block"]),
]  # fmt: skip

HEAD = """\
API reference
=============

Every public name, in the order of the data. A name listed under ``skdp`` is imported from there:
``from skdp import KAnonymizer``. Steps also have what every scikit-learn transformer has: ``get_params``,
``set_params``, ``set_output`` and, where not listed, ``fit_transform``.
"""


def present() -> list[Section]:
    """Return the sections whose module is there."""
    return [section for section in SECTIONS if find_spec(section.module)]


def page() -> str:
    """Return the page that lists them, for autosummary to make a page of each."""
    parts = [HEAD]
    for title, module, text, names in present():
        if title:
            parts += [f"{title}\n{'-' * len(title)}\n", f"{text}\n"]
        listed = "\n".join(f"   {name}" for name in names)
        parts.append(
            f".. currentmodule:: {module}\n\n.. autosummary::\n   :toctree: generated\n   :nosignatures:\n\n{listed}\n"
        )
    return "\n".join(parts)
