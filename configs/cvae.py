"""Conditional VAE."""

from dataclasses import replace

from genlab.train.cli import preset

vae = preset("vae")
config = replace(vae, method=replace(vae.method, classes=10))
