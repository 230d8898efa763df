"""How good, how sure and how consistent is an ensemble, as a function of its number of members?

Everything is computed from the members' predictions, [member, sample, class] for probabilities and [member, sample]
for numbers, so any figure can be recomputed from them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
# Probabilities of 0, which unpruned trees give, would make the log loss infinite; float32 cannot tell less from 0.
SMALLEST = float(np.finfo(np.float32).eps)
BINS = 15
Score = tuple[int | None, str, float]  # x, metric, value

LADDER = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000, 2000, 5000)


def ladder(members: int) -> list[int]:
    """Return the numbers of members at which curves are drawn: about even in the logarithm, and the last."""
    return [*(size for size in LADDER if size < members), members]


def votes_of(probabilities: Floats) -> Floats:
    """Turn each member's probabilities into one whole vote, [..., class]; ties go to the first class."""
    return np.asarray(np.eye(probabilities.shape[-1])[probabilities.argmax(axis=-1)])


def running_mean(
    predictions: Floats, sizes: Sequence[int], mask: Mask | None = None
) -> Iterator[tuple[int, Floats, Mask]]:
    """Yield (size, mean over the first ``size`` members, rows that have one), each [sample, ...].

    ``mask`` [member, sample] keeps a member's prediction for some rows only, as out-of-bag estimates need.
    """
    total = np.zeros(predictions.shape[1:])
    count = np.zeros(predictions.shape[1])
    done = 0
    for size in sizes:
        part = slice(done, size)
        kept = np.ones(predictions[part].shape[:2]) if mask is None else mask[part].astype(np.float64)
        total += np.einsum("ms,ms...->s...", kept, predictions[part])
        count += kept.sum(axis=0)
        done = size
        divisor = np.maximum(count, 1.0).reshape(-1, *[1] * (total.ndim - 1))
        yield size, total / divisor, count > 0


def error(probabilities: Floats, labels: Labels) -> float:
    """Return the share of samples whose largest entry is not their label."""
    return float((probabilities.argmax(axis=-1) != labels).mean())


def log_loss(probabilities: Floats, labels: Labels) -> float:
    """Return the negative log-likelihood in nats a sample, probabilities kept above float32's epsilon."""
    chosen = np.take_along_axis(probabilities, labels[:, None], axis=1)[:, 0]
    return float(-np.log(np.maximum(chosen, SMALLEST)).mean())


def brier(probabilities: Floats, labels: Labels) -> float:
    """Return the mean over classes of the squared error (Lakshminarayanan et al. 2017)."""
    truth = np.eye(probabilities.shape[1])[labels]
    return float(((probabilities - truth) ** 2).mean())


def calibration_error(probabilities: Floats, labels: Labels) -> float:
    """Return the adaptive expected calibration error: 15 bins of equal mass on the top class (Nixon et al. 2019)."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    order = confidence.argsort(kind="stable")
    bins = np.array_split(order, min(BINS, len(order)))
    return float(sum(abs(right[rows].mean() - confidence[rows].mean()) * len(rows) for rows in bins) / len(order))


def disagreement(votes: Floats) -> float:
    """Return the share of samples on which two random members differ, from votes [member, sample, class]."""
    members = votes.shape[0]
    if members < 2:
        return 0.0
    counts = votes.sum(axis=0)
    agreeing = (counts * (counts - 1)).sum(axis=-1) / (members * (members - 1))
    return float(1.0 - agreeing.mean())


def classification_scores(
    test: Floats,
    labels: Labels,
    train: Floats | None = None,
    train_labels: Labels | None = None,
    bag: Mask | None = None,
) -> Iterator[Score]:
    """Yield all scores of an ensemble that averages probabilities, by number of members.

    ``train`` [member, sample, class] with ``bag`` [member, sample], true where a row is out of a member's bag, adds
    the out-of-bag error.
    """
    sizes = ladder(len(test))
    for size, mean, _ in running_mean(test, sizes):
        yield size, "error", error(mean, labels)
        yield size, "nll", log_loss(mean, labels)
        yield size, "brier", brier(mean, labels)
        yield size, "ece", calibration_error(mean, labels)
    votes = votes_of(test)
    member_error = float((test.argmax(axis=-1) != labels).mean())
    yield None, "member_error", member_error
    if len(test) > 1:
        differ = disagreement(votes)
        yield None, "disagreement", differ
        if member_error > 0:
            yield None, "disagreement_ratio", differ / member_error
    if train is not None and train_labels is not None and bag is not None:
        for size, mean, seen in running_mean(train, sizes, bag):
            if seen.any():
                yield size, "oob_error", error(mean[seen], train_labels[seen])


def voting_scores(test: Floats, labels: Labels) -> Iterator[Score]:
    """Yield the error of majority voting by number of members."""
    for size, share, _ in running_mean(votes_of(test), ladder(len(test))):
        yield size, "error", error(share, labels)


def regression_scores(
    test: Floats,
    targets: Floats,
    train: Floats | None = None,
    train_targets: Floats | None = None,
    bag: Mask | None = None,
) -> Iterator[Score]:
    """Yield the scores of an ensemble that averages numbers, by number of members.

    Krogh & Vedelsby (1995): squared error of the mean = mean squared error of the members - ambiguity, where the
    ambiguity is the members' variance around their mean. ``ambiguity_residual`` is the difference of the two sides,
    relative to the left one.
    """
    sizes = ladder(len(test))
    for size, mean, _ in running_mean(test, sizes):
        squared = float(((mean - targets) ** 2).mean())
        members = float(((test[:size] - targets) ** 2).mean())
        ambiguity = float(((test[:size] - mean) ** 2).mean())
        yield size, "rmse", float(np.sqrt(squared))
        yield size, "mse", squared
        if size > 1:
            yield size, "member_mse", members
            yield size, "ambiguity", ambiguity
            yield size, "ambiguity_residual", (squared - (members - ambiguity)) / squared
    if train is not None and train_targets is not None and bag is not None:
        for size, mean, seen in running_mean(train, sizes, bag):
            if seen.any():
                yield size, "oob_rmse", float(np.sqrt(((mean[seen] - train_targets[seen]) ** 2).mean()))
