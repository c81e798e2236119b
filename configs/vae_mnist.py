"""The usual VAE on MNIST, 784-400-20 and back, dynamic binarisation, with averaged weights and a falling learning rate.

Command:   python scripts/train.py --config vae_mnist --data.dir data/tfds
Hardware:  two CPU cores, 12 minutes of CPU time
Expect:    94.9 nats of negative ELBO, 91.6 of the importance-weighted bound with k = 50, on the 10,000 test images
Published: 86.8 nats of -log p(x) by a network of twice the depth, after 3,280 epochs (configs/iwae_mnist.py)
"""

from genlab.config.sections import Config, Train
from genlab.data.config import Data
from genlab.methods.vae import VAE
from genlab.nn.net import Net
from genlab.parts.optimizer import Optimizer

STEPS = 100_000
net = Net(width=400, depth=1, activation="silu")  # two nats better than relu
adam = Optimizer(learning_rate=1e-3, schedule="cosine", horizon=STEPS)
config = Config(
    method=VAE(latent=20, encoder=net, decoder=net, optimizer=adam),
    data=Data(name="tfds:mnist", binarise=True, validation=1 / 60),
    train=Train(steps=STEPS, validate_every=5000),
)
