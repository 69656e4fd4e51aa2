"""What a table gives away and what it is still good for, as pure functions."""

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
from skdp.metrics.risk import SCENARIOS, attacker_risks, reidentification_risk, scenario_risks, suda, uniqueness

__all__ = [
    "SCENARIOS",
    "alpha_k_anonymity",
    "attacker_risks",
    "basic_beta_likeness",
    "delta_disclosure",
    "enhanced_beta_likeness",
    "equivalence_classes",
    "inference_attack",
    "k_anonymity",
    "l_diversity",
    "linkage_attack",
    "reidentification_risk",
    "scenario_risks",
    "suda",
    "t_closeness",
    "uniqueness",
]
