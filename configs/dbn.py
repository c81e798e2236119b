"""Deep belief network of two hidden layers, on the bundled digits unless --data.name says otherwise.

3,000 iterations for each of the two machines, then 4,000 of wake-sleep.

Command:   python scripts/train.py --config dbn
Hardware:  two CPU cores, 71 s beside other trainings
Expect:    Frechet distance 1.9, precision 0.56, recall 0.35 (scripts/evaluate.py --seeds 10; one seed of training)
"""

from genlab.config.sections import Config, Train
from genlab.methods.dbn import DBN
from genlab.parts.optimizer import Optimizer

config = Config(method=DBN(optimizer=Optimizer("sgd", learning_rate=0.1)), train=Train(steps=10_000))
