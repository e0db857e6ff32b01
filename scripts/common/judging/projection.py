"""Vectors in two dimensions, to be looked at."""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.preprocessing import StandardScaler

# t-SNE takes a minute for so many, and says little about fewer.
MOST, FEWEST = 3000, 30
# To which PCA brings vectors before t-SNE, as its authors advise.
DIMENSIONS = 50


def sampled(videos: int, seed: int, most: int = MOST) -> np.ndarray:
    """Return which of so many videos are shown, ascending: at most `most`."""
    chosen = np.random.default_rng(seed).permutation(videos)[:most]
    return np.sort(chosen)


def projected(vectors: np.ndarray, seed: int) -> tuple[np.ndarray, str]:
    """Return places in the plane, (videos, 2), and the name of the method.

    t-SNE (https://jmlr.org/papers/v9/vandermaaten08a.html) of standardised vectors; the
    first two principal components of fewer than `FEWEST` videos.

    Args:
        vectors: (videos, numbers), two or more videos.
        seed: draws the solver's numbers.
    """
    scaled = StandardScaler().fit_transform(vectors.astype(np.float64))
    if len(vectors) < FEWEST:
        places = PCA(min(2, *scaled.shape), random_state=seed).fit_transform(scaled)
        return np.pad(places, ((0, 0), (0, 2 - places.shape[1]))), "PCA"
    reduced = PCA(min(DIMENSIONS, *scaled.shape), random_state=seed)
    reduced = reduced.fit_transform(scaled)
    perplexity = min(30.0, (len(vectors) - 1) / 3)
    places = TSNE(perplexity=perplexity, random_state=seed, init="pca")
    return places.fit_transform(reduced), "t-SNE"
