"""Plain autoencoder, on the bundled digits unless --data.name says otherwise.

Command:   python scripts/train.py --config ae
"""

from genlab.methods.ae import AE
from genlab.train.config import Config, Train

config = Config(method=AE(), train=Train(steps=5000))
