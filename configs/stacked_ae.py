"""Stacked autoencoder, on the bundled digits unless --data.name says otherwise.

Four layers have 500 iterations each, then fine-tuning has 3,000.

Command:   python scripts/train.py --config stacked_ae
Hardware:  two CPU cores, about 94 s while they do other work
Expect:    Frechet distance 0.77, precision 0.39, recall 0.90 (scripts/evaluate.py --seeds 10; one seed of training)
"""

from genlab.config.sections import Config, Train
from genlab.methods.stacked_ae import StackedAE
from genlab.parts.optimizer import Optimizer

adam = Optimizer(eps=1e-5)
config = Config(method=StackedAE(optimizer=adam, layer_optimizer=adam), train=Train(steps=5000))
