"""Plain autoencoder, on the bundled digits unless --data.name says otherwise.

Command:   python scripts/train.py --config ae
Hardware:  two CPU cores, 20 to 40 s
Expect:    Frechet distance 0.76, precision 0.42, recall 0.91 (scripts/leaderboard.py; three seeds in the README)
"""

from genlab.config.sections import Config, Train
from genlab.methods.ae import AE
from genlab.parts.optimizer import Optimizer

config = Config(method=AE(optimizer=Optimizer(eps=1e-5)), train=Train(steps=5000))
