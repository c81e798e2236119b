"""Restricted Boltzmann machine by persistent contrastive divergence, on the bundled digits unless --data.name says so.

Grey levels of the digits count as probabilities. Samples are means of the visible units, smooth, after 200 Gibbs steps.

Command:   python scripts/train.py --config rbm
Hardware:  two CPU cores, 22 s
Expect:    Frechet distance 1.4, precision 0.68, recall 0.48 (scripts/evaluate.py --seeds 10; one seed of training)
"""

from genlab.config.sections import Config, Train
from genlab.methods.rbm import RBM
from genlab.parts.optimizer import Optimizer

STEPS = 10_000
sgd = Optimizer("sgd", learning_rate=0.2, schedule="linear", horizon=STEPS)
config = Config(method=RBM(persistent=True, optimizer=sgd), train=Train(steps=STEPS))
