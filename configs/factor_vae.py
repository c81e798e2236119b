"""FactorVAE (Kim and Mnih 2018), on the bundled digits unless --data.name says otherwise.

Command:   python scripts/train.py --config factor_vae
Hardware:  two CPU cores, 66 s beside other work
Expect:    Frechet distance 1.1, precision 0.84, recall 0.48 (scripts/evaluate.py --seeds 10; one seed of training)
"""

from genlab.config.sections import Config, Train
from genlab.methods.factor_vae import FactorVAE
from genlab.nn.net import Net
from genlab.parts.optimizer import Optimizer

config = Config(
    method=FactorVAE(
        gamma=5.0,
        optimizer=Optimizer(eps=1e-5),
        discriminator=Net(depth=2, activation="leaky_relu"),
        discriminator_optimizer=Optimizer(learning_rate=1e-4, b1=0.5, b2=0.9, eps=1e-5),
    ),
    train=Train(steps=5000),
)
