"""Plain autoencoder, on the bundled digits unless --data.name says otherwise.

Command:   python scripts/train.py --config ae
"""

from genlab.methods.ae import AE
from genlab.methods.game import Optimizer
from genlab.train.config import Config, Train

config = Config(method=AE(optimizer=Optimizer(eps=1e-5)), train=Train(steps=5000))
