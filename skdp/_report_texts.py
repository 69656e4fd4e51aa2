"""What a data safety report says in words: the verdict, and how to read each figure."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

OPEN, CLOSE = "\u2068", "\u2069"  # isolate a name, lest one written from right to left turns what stands beside it
MOST_NAMED = 12


@dataclass(frozen=True)
class Reading:
    """How to read one figure.

    Parameters
    ----------
    title : str
        What the figure is called.
    means, better, source, silent : str
        What it means, which way is better, where it is from, and what it does not say.
    """

    title: str
    means: str
    better: str
    source: str
    silent: str


READINGS = (
    Reading(
        "k, classes, records alone",
        "Records alike in every quasi-identifier form a class. k is the size of the smallest; a record alone in its "
        "class is singled out by whoever knows these columns about a person.",
        "A higher k and fewer records alone are safer.",
        "L. Sweeney, “k-anonymity: a model for protecting privacy”, 2002.",
        "k-anonymity is not differential privacy. It says nothing about what an attacker knows beyond the "
        "quasi-identifiers, nor about two releases of the same people: laid side by side, they can single out people "
        "whom each of them hides.",
    ),
    Reading(
        "l and t",
        "l is how many different sensitive values there are, at least, in a class. t is how far, at most, a class's "
        "distribution of them is from that of the table (earth mover's distance, 0 to 1).",
        "A higher l and a lower t are safer. With l = 1 all of some class share a value: it is known for each of them.",
        "A. Machanavajjhala et al., “l-diversity: privacy beyond k-anonymity”, 2007; N. Li, T. Li, "
        "S. Venkatasubramanian, “t-closeness: privacy beyond k-anonymity and l-diversity”, 2007.",
        "Different values may mean the same (two debts of nearly one size), and one of them may be nearly certain. "
        "Columns not named as sensitive are not looked at.",
    ),
    Reading(
        "Risk by attack scenario",
        "The chance that an attack is made, times the chance that it finds the right record: 1 over the size of the "
        "class. “Highest” is that of the record most at risk, “mean” that over all records. The attacker is taken to "
        "know that the person is in the table.",
        "Lower is safer.",
        "K. El Emam, “Guide to the de-identification of personal health information”, 2013.",
        "The chance that an attack is made is an assumption, not a measurement. The risk is of finding the record, "
        "not of learning something without finding it; and it is no higher than stated only for an attacker who knows "
        "the quasi-identifiers and nothing else.",
    ),
    Reading(
        "ε (differential privacy)",
        "Whatever someone believed about one record beforehand, the release changes the odds by a factor of at most "
        "e to the power of ε (where δ is above 0, save for a chance of about δ). The scope says for whom: “local” "
        "holds for each noised cell whoever sees it, “central” for what is released of statistics, “metric” for small "
        "changes.",
        "Lower is safer. Below 1 is strong, above 10 says little; ∞ is no guarantee at all.",
        "C. Dwork, F. McSherry, K. Nissim, A. Smith, “Calibrating noise to sensitivity in private data "
        "analysis”, 2006.",
        "It is about the named columns of one record per person and this one release; each further release adds its "
        "own ε. “No real values are used” is not ε = 0: fictitious records are that only where counts and schema are "
        "public.",
    ),
    Reading(
        "Columns by what happened to them",
        "Found by comparing the two tables, and from the steps where a pipeline is at hand. Where the tables show that "
        "cells are as they were, the steps are not believed. Rows are matched unless columns that were left as they "
        "were show that rows have been moved. Where rows cannot be matched, a column is called untouched if each of "
        "its values is at least as frequent in the original, which may be so by chance where there are few.",
        "Each untouched column should be one that someone decided to leave so.",
        "This report.",
        "Whether a column is safe. That a column looks like an identifier is told by its name and how many of its "
        "values are different; an identifier that does not look like one is not found.",
    ),
    Reading(
        "Granularity and suppression",
        "Granularity is 1 minus the mean share of its column that a released cell may stand for: 1 is untouched, 0 is "
        "all suppressed. Suppressed cells are those that are missing and were not.",
        "Higher granularity and fewer suppressed cells are more useful.",
        "V. Iyengar, “Transforming data to satisfy privacy constraints”, 2002.",
        "How far noise has moved a value: a noised cell stands for one value only, and so counts as fine.",
    ),
    Reading(
        "Marginal distances",
        "How far the distribution of one column has moved: total variation for categories, the largest difference of "
        "the distribution functions (Kolmogorov–Smirnov) and the earth mover's distance over the range for numbers.",
        "Lower is more useful; 0 is a distribution that has not moved.",
        "As scipy.stats.wasserstein_distance and ks_2samp.",
        "Anything about two columns together. Text labels that are others than the original's (sets) count as moved. "
        "That distributions differ is no sign that people are safe.",
    ),
    Reading(
        "Associations",
        "How strongly two columns go together: Cramér's V for categories, the correlation ratio for a category and a "
        "number, Pearson's r for numbers. Drift is the absolute change from the original to the release. Two columns "
        "that are numbers in both are compared with the sign of r, so that a flipped sign shows; all others by their "
        "strength alone, since r gives way to a measure without sign once numbers have become ranges.",
        "Lower drift is more useful.",
        "W. Bergsma, “A bias-correction for Cramér's V and Tschuprow's T”, 2013.",
        "What three columns do together, and whether an association was real in the first place. Text or categories "
        "of more than 20 different values, and of more than one to ten records, are left out, and named: anything "
        "seems to go together with what is different for each record.",
    ),
    Reading(
        "Rules kept",
        "Rules say that records with some values mostly have others as well (support of at least 5 %, right in at "
        "least 50 %). Recall is the share of the original's rules that the release still has, precision the share of "
        "the release's rules that the original has, too.",
        "Higher is more useful.",
        "R. Agrawal, T. Imieliński, A. Swami, “Mining association rules between sets of items in large "
        "databases”, 1993.",
        "Anything about columns whose labels have changed, which are left out here, or of many values.",
    ),
    Reading(
        "Propensity",
        "How well a classification tree tells released records from original ones: the propensity mean squared error "
        "(pMSE), and the same over what records called released by lot would give.",
        "Lower is more useful; 0.25 is told for certain where tables are of one size, a ratio of about 1 is what a "
        "second sample of the same people would get.",
        "J. Snoke et al., “General and specific utility measures for synthetic data”, 2018.",
        "How private the release is: a release that is easily told from the original need not be safe. Columns whose "
        "labels have changed are left out.",
    ),
    Reading(
        "Trained on the release, tested on real records",
        "How well a decision tree predicts the target for real records it has not seen, trained on the release and "
        "trained on the original, in three folds. Guessing is what naming the most frequent class, or the mean, "
        "would get.",
        "Higher is more useful; what counts is how far the first is below the second, and above guessing.",
        "C. Esteban, S. Hyland, G. Rätsch, “Real-valued (medical) time series generation with recurrent conditional "
        "GANs”, 2017.",
        "How another model would do. The tree has not seen a tested record, but the steps that made the release have.",
    ),
)


def clean(text: object) -> str:
    r"""Return text fit for any page: without control characters, direction overrides and broken letters.

    Examples
    --------
    >>> clean("A\x00ge\u202e")
    'Age'
    """
    spaced = " ".join(str(text).split())
    return "".join(one for one in spaced if unicodedata.category(one) not in ("Cc", "Cs", "Cf"))


def plain(text: str) -> str:
    """Return a sentence without the marks around names."""
    return text.replace(OPEN, "").replace(CLOSE, "")


def named(name: object) -> str:
    """Return a column's name within marks that keep it apart from the words around it."""
    return f"{OPEN}{clean(name) or '(no name)'}{CLOSE}"


def listed(names: Sequence, most: int = MOST_NAMED) -> str:
    """Return names as a sentence lists them; the number of those beyond `most` stands for them."""
    shown = [named(name) for name in names[:most]]
    if len(names) > most:
        shown.append(f"{len(names) - most} more")
    return " and ".join(filter(None, [", ".join(shown[:-1]), *shown[-1:]]))


def counted(number: int, what: str, plural: str | None = None) -> str:
    """Return a number with its noun.

    Examples
    --------
    >>> counted(1, "record"), counted(2400, "record"), counted(2, "class", "classes")
    ('1 record', '2,400 records', '2 classes')
    """
    return f"{number:,} {what if number == 1 else plural or what + 's'}"


def percent(share: float | None) -> str:
    """Return a share in percent; neither 0 nor 100 unless it is that.

    Examples
    --------
    >>> percent(0.0004), percent(0.25), percent(0.99999), percent(None)
    ('< 0.1 %', '25 %', '> 99.9 %', '–')
    """
    if share is None:
        return "–"
    if 0 < share < 0.001:
        return "< 0.1 %"
    if 0.999 < share < 1:
        return "> 99.9 %"
    return f"{100 * share:.1f} %".replace(".0 %", " %")


def epsilon_of(guarantee: dict) -> str:
    """Return ε, and δ where there is one."""
    epsilon = "= ∞" if guarantee["epsilon"] is None else f"= {guarantee['epsilon']:.4g}"
    if "not_told" in guarantee:
        epsilon = "not told"
    return f"ε {epsilon}" + (f", δ = {guarantee['delta']:.3g}" if guarantee["delta"] else "")


def verdict(figures: dict) -> list[str]:
    """Return the verdict, one paragraph as a list of sentences; the worst comes first."""
    wider = _if_more_is_known(figures)
    columns = [*_columns(figures["columns"]), *_other_names(figures["columns"])]
    return [*_hiding(figures), *wider, *_inference(figures), *columns, *_promise(figures)]


def _hiding(figures: dict) -> list[str]:
    """Return what k means here."""
    told, k = figures["anonymity"], figures["anonymity"]["after"]["k"]
    released = figures["records"]["out"]
    left = [name for name in told["quasi_identifiers"] if name not in told["not_released"]] + told.get("copies", [])
    if "not_told" in told:
        return _not_told(told["not_told"], left, released)
    if not left:
        return [
            f"None of the quasi-identifiers ({listed(told['quasi_identifiers'])}) is in the released table: whoever "
            "knows only these about a person cannot tell which record is theirs."
        ]
    if k == 1:
        alone = told["after"]["alone"]
        stand = "stands" if alone == 1 else "stand"
        return [
            f"k = 1: {alone:,} of the {counted(released, 'released record')} ({percent(alone / released)}) {stand} "
            f"alone in what others may know ({listed(left)}). Someone who knows all of these about a person who stands "
            "alone finds that person's record for certain."
        ]
    return [
        f"In the released table each record shares its quasi-identifiers ({listed(left)}) with at least "
        f"{counted(k - 1, 'other')}.",
        f"Someone who knows all of these about a person, and nothing else, can be right about which record is theirs "
        f"at most 1 time in {k:,}.",
    ]


def _not_told(hidden: dict, left: list, released: int) -> list[str]:
    """Return that columns were added which may be quasi-identifiers under other names, and what is certain even so."""
    missing, added, alone = hidden["missing"], hidden["hiding"], hidden["alone_at_least"]
    one, single = len(missing) == 1, len(added) == 1
    certain = [
        f"k = 1: at least {alone:,} of the {counted(released, 'released record')} ({percent(alone / released)}) "
        f"{'stands' if alone == 1 else 'stand'} alone in what others may know ({listed(left)})."
    ]
    return [
        *(certain if alone and left else ()),
        f"How well records hide is not told: {listed(missing)} {'is' if one else 'are'} not in the released table by "
        f"{'this name' if one else 'these names'}, and {listed(added)} {'was' if single else 'were'} added, which may "
        f"hold {'it under another name' if one else 'them under other names'}.",
        "Name what others may know of the added columns as quasi-identifiers, or give columns the names that they had.",
    ]


def _if_more_is_known(figures: dict) -> list[str]:
    """Return what k does not count on: columns that look as if people could know them."""
    told, released = figures["anonymity"]["if_more_is_known"], figures["records"]["out"]
    if told is None:
        return []
    k, alone = told["k"], told["alone"]
    if k > 1:
        found = f"still shares what they know with at least {counted(k - 1, 'other')}"
        return [f"Someone who knows {listed(told['columns'])}, too, finds that each record {found}."]
    return [
        f"Someone who knows {listed(told['columns'])}, too, which look as if others could know them and were not named "
        f"as quasi-identifiers, finds {alone:,} of the {counted(released, 'released record')} "
        f"({percent(alone / released)}) alone."
    ]


def _inference(figures: dict) -> list[str]:
    """Return what is learned about a person without finding the record."""
    told = figures["anonymity"]["after"]["sensitive"]
    uniform = [name for name, found in told.items() if found["l"] == 1]
    if uniform:
        return [
            f"In at least one class all records have the same value of {listed(uniform)}: it is learned for all of "
            "them, whichever record is theirs."
        ]
    if told and "not_told" in figures["anonymity"]:
        return [f"How many different values of {listed(list(told))} a class has is not told for this reason, too."]
    if told:
        parts = [f"{counted(found['l'], 'different value')} of {named(name)}" for name, found in told.items()]
        return [f"Each class has at least {' and '.join(parts)}, which may still be unevenly shared out."]
    return ["No column was named as sensitive, so that nothing is said about what could be learned of a whole class."]


def _columns(columns: dict) -> list[str]:
    """Return what was forgotten, perhaps."""
    by, found = columns["by"], columns["suspicious"]
    untouched = [name for what in ("untouched", "renamed", "rearranged") for name in by.get(what, ())]
    sentences = []
    if found["identifiers"]:
        one = len(found["identifiers"]) == 1
        sentences.append(
            f"Warning: {listed(found['identifiers'])} {'holds' if one else 'hold'} real values and "
            f"{'looks like a direct identifier' if one else 'look like direct identifiers'}, which may name the person "
            "by itself."
        )
    if found["pseudonyms"]:
        one = len(found["pseudonyms"]) == 1
        sentences.append(
            f"Warning: {listed(found['pseudonyms'])} {'is' if one else 'are'} changed or new, and "
            f"{'looks like a direct identifier' if one else 'look like direct identifiers'}; make sure that this does "
            "not lead back to people."
        )
    if found["exact_amounts"]:
        one = len(found["exact_amounts"]) == 1
        sentences.append(
            f"{listed(found['exact_amounts'])} {'holds' if one else 'hold'} exact amounts, nearly all "
            "different: whoever knows one of them may find the record."
        )
    if untouched:
        what = "1 column was" if len(untouched) == 1 else f"{len(untouched):,} columns were"
        sentences.append(f"{what} left untouched: {listed(untouched)}.")
    else:
        sentences.append("No column was left untouched.")
    return sentences


def _other_names(columns: dict) -> list[str]:
    """Return which columns were found under other names."""
    pairs = columns.get("under_other_names", ())
    if not pairs:
        return []
    shown = [f"{named(one['released'])} is {named(one['original'])}" for one in pairs[:MOST_NAMED]]
    more = [f"{len(pairs) - MOST_NAMED} more are in the table below"] * (len(pairs) > MOST_NAMED)
    return [f"Columns of the original are in the release under other names: {', '.join([*shown, *more])}."]


def _promise(figures: dict) -> list[str]:
    told = figures["privacy"]
    second = "Nothing here limits what can be learned from a second release of the same people."
    if not told["stated"]:
        return [
            "No pipeline was given, so that nothing is promised by differential privacy: take ε as infinite.",
            second,
        ]
    if "not_told" in told:
        return [
            f"Noise covers {listed(told['columns'])} ({told['scope']}, {told['relation']}), and no other column. "
            f"{told['not_told']}",
            second,
        ]
    if told["epsilon"] is None:
        because = counted(len(told["reasons"]), "reason is", "reasons are")
        return [f"There is no differential privacy guarantee for a record (ε = ∞); {because} given below.", second]
    return [
        f"Differential privacy holds for {listed(told['columns']) if told['columns'] else 'no column'} with "
        f"{epsilon_of(told)} ({told['scope']}, {told['relation']}), and for no other column.",
        "A second release of the same people adds its own ε, and k does not hold for the two together.",
    ]
