"""VQ-VAE with an autoregressive prior, on the bundled digits unless --data.name says otherwise.

Few examples: without its weight decay the prior learns the training set's codes by heart, and is worse than no prior at
all on held-out ones (20.6 nats after 5,000 iterations, where 4 codes of 64 alike have 16.6; with it 14.1 after 1,000).

Command:   python scripts/train.py --config vq_vae
Hardware:  two CPU cores, about 40 s while they do other work
Expect:    Frechet distance 0.51, precision 0.71, recall 0.94 (scripts/evaluate.py --seeds 10; one seed of training);
           negative ELBO 32.8 nats on held-out images (validation/model/distortion + validation/prior/loss)
"""

from genlab.config.sections import Config, Train
from genlab.methods.vq_vae import VQVAE
from genlab.parts.code_prior import CodePrior
from genlab.parts.optimizer import Optimizer

prior = CodePrior(optimizer=Optimizer(name="adamw", weight_decay=1.0, eps=1e-5))
config = Config(method=VQVAE(optimizer=Optimizer(eps=1e-5), prior=prior), train=Train(steps=2000))
