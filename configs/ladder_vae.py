"""Ladder VAE with two layers of latents, on the bundled digits unless --data.name says otherwise.

Batch norm and a KL term that warms up, both of which Sonderby et al. (2016) find crucial.

Command:   python scripts/train.py --config ladder_vae
Hardware:  two CPU cores
Expect:    Frechet distance 1.0, precision 0.86, recall 0.60 (scripts/evaluate.py --seeds 10; one seed of training)
"""

from dataclasses import replace

from genlab.config.sections import Config, Train
from genlab.methods.ladder_vae import LadderVAE
from genlab.nn.net import Net
from genlab.parts.objective import Objective
from genlab.parts.optimizer import Optimizer

net = Net(norm="batch")
method = LadderVAE(
    encoder=net,
    decoder=net,
    between=replace(net, depth=1),
    objective=Objective(warmup=1000),
    optimizer=Optimizer(eps=1e-5),
)
config = Config(method=method, train=Train(steps=5000))
