"""Fits the tone weights from a folder of labelled short posts: `python -m services.social.models.fit FOLDER`.

The folder holds `<language>_{train,val}_text.txt`, one post a line, and `…_labels.txt` (0 negative, 1 neutral, 2
positive), language in full (italian). Nothing of a post is stored: only weights of hashed features. Needs scikit-learn,
which the running product does not. Choices were made on `val`; the weights that ship are fitted on both.
"""

# scikit-learn and scipy come without types; this script is the only one to use them.
# mypy: disallow-untyped-calls=False

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_matrix, diags, vstack
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from services.social.models import features, phrases
from services.social.models.tone import LANGUAGES, WEIGHTS

_NAMES: Final = dict(zip(LANGUAGES, ("italian", "english", "german", "french", "spanish", "portuguese"), strict=True))
_PENALTY = 2.0  # inverse strength; 1 to 10 differ by less than the error of val
_IDF_POWER = 0.5
_SIGN_WEIGHT = 0.3
_ALL_LANGUAGES_SHARE = 0.5  # weight of the fit over all languages beside the language's own
_PHRASE_WEIGHT = 0.3


@dataclass(frozen=True, slots=True)
class _Set:
    matrix: csr_matrix
    labels: NDArray[np.int64]
    weights: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Linear:
    weights: NDArray[np.float32]  # (classes, features)
    bias: NDArray[np.float64]

    def logits(self, matrix: csr_matrix) -> NDArray[np.float64]:
        return np.asarray(matrix @ self.weights.T + self.bias)


def main(folder: Path, target: Path = WEIGHTS) -> None:
    """Prints macro-F1 and calibration on val, then writes `tone-<language>.npz` for each language."""
    train = {code: _with_phrases(code, _read(folder, code, "train")) for code in LANGUAGES}
    val = {code: _read(folder, code, "val") for code in LANGUAGES}
    chosen = _fit_all(train)
    temperatures = {}
    scores = []
    for code in LANGUAGES:
        logits = chosen[code].logits(val[code].matrix)
        temperatures[code] = _temperature(logits, val[code].labels)
        scores.append(f1_score(val[code].labels, logits.argmax(axis=1), average="macro") * 100)
        error = _calibration_error(_softmax(logits / temperatures[code]), val[code].labels)
        print(f"{code}: macro-F1 {scores[-1]:.1f}, temperature {temperatures[code]:.2f}, calibration error {error:.3f}")  # noqa: T201 -- the script's output
    print(f"mean {np.mean(scores):.1f}")  # noqa: T201 -- the script's output
    final = _fit_all({code: _joined([train[code], val[code]]) for code in LANGUAGES})
    target.mkdir(parents=True, exist_ok=True)
    for code in LANGUAGES:
        _store(target / f"tone-{code}.npz", final[code], temperatures[code])


def _read(folder: Path, code: str, part: str) -> _Set:
    base = folder / f"{_NAMES[code]}_{part}"
    labels = np.array(Path(f"{base}_labels.txt").read_text(encoding="utf-8").split(), np.int64)
    texts = Path(f"{base}_text.txt").read_text(encoding="utf-8").split("\n")[: len(labels)]
    return _Set(_matrix(code, texts), labels, np.ones(len(labels)))


def _with_phrases(code: str, given: _Set) -> _Set:
    labelled = phrases.generate(code)
    extra = _Set(
        _matrix(code, [text for text, _ in labelled]),
        np.array([label for _, label in labelled], np.int64),
        np.full(len(labelled), _PHRASE_WEIGHT),
    )
    return _joined([given, extra])


def _joined(sets: list[_Set]) -> _Set:
    return _Set(
        vstack([one.matrix for one in sets]).tocsr(),
        np.concatenate([one.labels for one in sets]),
        np.concatenate([one.weights for one in sets]),
    )


def _matrix(code: str, texts: list[str]) -> csr_matrix:
    found = features.Extractor(code).extract(texts)
    return csr_matrix((found.values, (found.rows, found.columns)), shape=(found.texts, features.WIDTH))


def _fit_all(sets: dict[str, _Set]) -> dict[str, _Linear]:
    shared = _fit(_joined(list(sets.values())))
    fitted = {}
    for code, one in sets.items():
        own = _fit(one)
        fitted[code] = _Linear(
            own.weights + _ALL_LANGUAGES_SHARE * shared.weights, own.bias + _ALL_LANGUAGES_SHARE * shared.bias
        )
    return fitted


def _fit(given: _Set) -> _Linear:
    frequency = np.asarray((given.matrix > 0).sum(axis=0)).ravel()
    rarity = np.log((1 + given.matrix.shape[0]) / (1 + frequency)) + 1
    scale = (rarity / 5) ** _IDF_POWER
    scale[frequency < 2] = 0  # what was met once is noise
    scale[-features.SIGNS :] = _SIGN_WEIGHT
    kept = np.flatnonzero((scale > 0) & (frequency > 0))
    matrix = (given.matrix @ diags(scale)).tocsc()[:, kept].tocsr()
    model = LogisticRegression(C=_PENALTY, max_iter=100, tol=1e-3).fit(matrix, given.labels, given.weights)
    weights = np.zeros((3, features.WIDTH), np.float32)
    weights[:, kept] = model.coef_ * scale[kept]
    return _Linear(weights, model.intercept_)


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _temperature(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """The one number that makes the probabilities of val likeliest. Source: Guo et al., ICML 2017."""

    def surprise(temperature: float) -> float:
        chosen = _softmax(logits / temperature)[np.arange(len(labels)), labels]
        return float(-np.log(chosen + 1e-12).mean())

    return float(minimize_scalar(surprise, bounds=(0.2, 8.0), method="bounded").x)


def _calibration_error(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    sure, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    total = 0.0
    for low in np.arange(0.3, 1.0, 0.1):
        inside = (sure > low) & (sure <= low + 0.1)
        if inside.any():
            total += inside.mean() * abs(sure[inside].mean() - right[inside].mean())
    return total


def _store(path: Path, model: _Linear, temperature: float) -> None:
    """Eight bits a weight. The largest hundredth of a thousandth is cut, so that one outlier does not coarsen all."""
    scale = np.array([np.quantile(np.abs(row[row != 0]), 0.99999) / 127 for row in model.weights], np.float32)
    steps = np.clip(np.rint(model.weights / scale[:, None]), -127, 127).astype(np.int8)
    np.savez_compressed(
        path,
        steps=np.ascontiguousarray(steps.T),
        scale=scale,
        bias=model.bias.astype(np.float32),
        temperature=np.array([temperature], np.float32),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
