"""Wasserstein GAN whose critic spectral norm keeps 1-Lipschitz in place of clipping, on the bundled digits.

Command:   python scripts/train.py --config sn_wgan
Hardware:  not yet run
Expect:    not yet run
"""

from dataclasses import replace

from genlab.methods.wgan import WGAN
from genlab.train.cli import preset

base = preset("wgan_gp")
settings = {name: value for name, value in vars(base.method).items() if name not in ("penalty", "critic")}
critic = replace(base.method.critic, spectral=True)
config = replace(base, method=WGAN(**settings, critic=critic, clip=0.0))
