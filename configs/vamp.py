"""VAE with a VampPrior, on the bundled digits unless --data.name says otherwise.

Command:   python scripts/train.py --config vamp
Hardware:  two CPU cores
Expect:    Frechet distance 0.73, precision 0.96, recall 0.30 (scripts/evaluate.py --seeds 10; one seed of training)
"""

from genlab.config.sections import Config, Train
from genlab.methods.vae import VAE
from genlab.parts.optimizer import Optimizer
from genlab.parts.prior import Prior

config = Config(method=VAE(prior=Prior("vamp"), optimizer=Optimizer(eps=1e-5)), train=Train(steps=5000))
