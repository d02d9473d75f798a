"""How many true events is an unlimited sample from a trained generator worth?

A generator that was trained on n_train events describes the truth as well as n_equiv true events would; the
amplification factor is G = n_equiv / n_train (Eq. (4) of *Forecasting Generative Amplification*).

A *generator* is anything that makes events; a *posterior* is several of them that share a training set, and each of
them is a *member*. The modules of this folder are the core: they turn counts, integrals or samples into n_equiv and G,
and need NumPy and SciPy only (and Matplotlib, when a result is plotted)::

    from gampl import averaging, differential

    result = averaging.from_counts(counts, n_gen=100_000, n_train=1_000)
    print(result)
    result.plot()

    result = differential.from_samples([events], holdout, n_train=1_000, summary=observable)
"""

__version__ = "0.1.0"
