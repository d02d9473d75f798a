"""Settings and events become a posterior: train, or load what was trained before.

`settings.Training` says what, `train.train_or_load` trains it or finds it in the store, on events or on `data.Data`
with weights and conditions, and `ensemble.Ensemble` is what comes out.
"""
