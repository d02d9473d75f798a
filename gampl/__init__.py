"""How many true events is an unlimited sample from a trained generator worth?

A generator that was trained on n_train events describes the truth as well as n_equiv true events would; the
amplification factor is G = n_equiv / n_train (Eq. (4) of *Forecasting Generative Amplification*).

A *generator* is anything that makes events; a *posterior* is several of them that share a training set, and each of
them is a *member*. The estimators take counts, integrals, samples or streams of batches::

    from gampl import averaging, differential

    result = averaging.from_counts(counts, n_gen=100_000, n_train=1_000)
    print(result)
    result.plot()

    result = differential.from_stream([batches], holdout, n_gen=1_000_000, n_train=1_000, summary=observable)

The modules of this folder are the core; they need NumPy and SciPy, and Matplotlib for plots. The rooms beside them, from
the ground up, each of which imports only what stands before it: `gampl.store` below the core; above it
`gampl.particles`, `gampl.files`, `gampl.processes`, `gampl.generators`, `gampl.simulation` and `gampl.training`,
`gampl.report`, `gampl.cli`.
"""

__version__ = "0.1.0"
