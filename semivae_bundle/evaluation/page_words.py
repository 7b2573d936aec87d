"""The words that the report's page explains: key, word, meaning. docs/glossary.md explains more."""

WORDS = (
    ("code", "code", "the numbers that stand for a scan; here the mean of its posterior"),
    ("partition", "partition", "a named part of the code: volume, location, shape, and a residual for all else"),
    ("r2", "R²", "share of a feature's variance over subjects that is predicted: 1 is perfect, 0 as good as the mean"),
    ("residualised", "residualised", "of a shape feature: what is left after its regression on the volume"),
    ("active", "active unit", "a dimension whose mean varies by more than 0.01 over the scans"),
    ("collapse", "collapse", "dimensions that say nothing: their mean is the same for every scan"),
    ("kl", "KL", "what the code says of a scan, in nats: Kullback-Leibler divergence of its posterior from the prior"),
    (
        "fill",
        "precision, recall, density, coverage",
        "shares of prior draws near codes, and of codes near prior draws: low where one lacks what the other has",
    ),
    ("hole", "hole", "a stretch between two subjects' codes where no other subject is near: nothing was learned there"),
    ("distance", "distance correlation", "0 only for independent variables, 1 for a rotated copy; here bias corrected"),
    ("leakage", "leakage", "what a partition tells of a feature that belongs to another"),
    ("scores", "MIG, SAP, modularity, DCI", "how far each dimension, or partition, belongs to one factor, and back"),
    ("conformal", "conformal interval", "bounds that hold the true value in a stated share of new patients"),
    ("dice", "Dice", "overlap of two masks: 1 is identity, 0 is none"),
    ("psnr", "PSNR", "likeness of two images in dB: 3 dB more is half the squared error"),
    ("ms_ssim", "MS-SSIM", "likeness of structure at several scales, fine to coarse: 1 is identity"),
    ("zero", "zero code", "the code that says nothing of a scan; what the decoder draws from it is the same for all"),
    ("phantom", "phantom", "a made-up scan with a tumour of known volume, place and shape"),
)
