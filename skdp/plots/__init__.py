"""Pictures of a release, as scikit-learn style displays: who stands out, what changed, what safety costs.

A display holds the few figures that its picture shows, and no record. ``plot`` draws them, ``table`` lists them and
``description`` says in a sentence what is to be seen, for those who cannot see it. Drawing needs matplotlib
(``pip install "skdp[report]"``). Figures are the caller's to show, save and close.
"""

from skdp.plots._association import AssociationDisplay
from skdp.plots._classes import ClassSizeDisplay
from skdp.plots._release import ReleaseDisplay
from skdp.plots._risk import RiskDisplay
from skdp.plots._search import PrivacyUtilityDisplay

__all__ = ["AssociationDisplay", "ClassSizeDisplay", "PrivacyUtilityDisplay", "ReleaseDisplay", "RiskDisplay"]
