"""Tables of personal data, made safe to share and to train on, as scikit-learn steps."""

from skdp import _start
from skdp.accounting import PrivacyGuarantee
from skdp.anonymity import KAnonymizer
from skdp.binning import IntervalBinner, QuantileBinner
from skdp.bounds import DPBounds
from skdp.cleaning import PIICleaner, is_undeliverable
from skdp.gaussian import GaussianNoise
from skdp.guarantees import privacy_guarantee
from skdp.imputation import Conditional, DistributionImputer
from skdp.ledger import BudgetExceededError, LedgerError, PrivacyLedger, set_ledger
from skdp.noise import LaplaceNoise, RandomizedResponse
from skdp.outliers import OutlierDropper
from skdp.pipeline import Pipeline, TrainOnKept, make_pipeline
from skdp.specifications import Choice, Copy, Dates, Derived, Fake, FromColumn, Integers
from skdp.synthesis import FakerSynthesizer

__version__ = "0.1.0"
