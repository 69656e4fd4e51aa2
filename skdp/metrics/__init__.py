"""What a table gives away and what it is still good for, as pure functions."""

from skdp.metrics._counts import ClassCounts
from skdp.metrics.anonymity import (
    alpha_k_anonymity,
    basic_beta_likeness,
    delta_disclosure,
    enhanced_beta_likeness,
    equivalence_classes,
    k_anonymity,
    l_diversity,
    t_closeness,
)
from skdp.metrics.attacks import inference_attack, linkage_attack
from skdp.metrics.modelling import propensity_mse, train_on_release_test_on_real
from skdp.metrics.risk import SCENARIOS, attacker_risks, reidentification_risk, scenario_risks, suda, uniqueness
from skdp.metrics.utility import (
    association_matrices,
    association_matrix,
    association_rules_kept,
    average_class_size,
    discernibility,
    granularity,
    marginal_distances,
)

__all__ = [
    "SCENARIOS",
    "ClassCounts",
    "alpha_k_anonymity",
    "association_matrices",
    "association_matrix",
    "association_rules_kept",
    "attacker_risks",
    "average_class_size",
    "basic_beta_likeness",
    "delta_disclosure",
    "discernibility",
    "enhanced_beta_likeness",
    "equivalence_classes",
    "granularity",
    "inference_attack",
    "k_anonymity",
    "l_diversity",
    "linkage_attack",
    "marginal_distances",
    "propensity_mse",
    "reidentification_risk",
    "scenario_risks",
    "suda",
    "t_closeness",
    "train_on_release_test_on_real",
    "uniqueness",
]
