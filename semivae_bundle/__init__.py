"""Semi-supervised, partitioned variational autoencoder for four-channel brain-tumour MRI, as a MONAI bundle."""

__version__ = "0.1.0"
