"""The loss of R3GAN (Huang et al. 2024) on CIFAR-10, as near to its settings as the networks of genlab come.

As there: relativistic pairing, R1 and R2, no norm anywhere, leaky ReLU 0.2, Adam with b1 = 0, batch 512, augmented
images, averaged weights. Unlike there:
- the residual networks are those of the WGAN-GP paper, 256 wide, and unconditional; theirs are made of grouped
  convolutions in inverted bottlenecks, with bilinear resampling and the initial weights of Fixup;
- gamma, learning rate and b2 stay at 0.05, 2e-4 and 0.9, where theirs start; theirs move to 0.005, 5e-5 and 0.99 over
  20 million images, which are 39,000 of the 50,000 iterations here;
- the augmentation is that of Zhao et al. (2020), and real images are mirrored at random.

Command:   python scripts/train.py --config r3gan_cifar10 --data.dir data/tfds
Expect:    not yet run; made for an accelerator
Published: FID 1.96, conditional, with the networks and schedules of the paper; not to be expected here
"""

from genlab.data.config import Data
from genlab.kernels.penalty import Penalty
from genlab.methods.game import Optimizer
from genlab.methods.gan import GAN
from genlab.nn.network import Net
from genlab.train.config import Config, Train

adam = Optimizer(learning_rate=2e-4, b1=0.0, b2=0.9)
net = Net("resnet", width=256, activation="leaky_relu")
config = Config(
    method=GAN(
        loss="relativistic_pairing",
        penalty=Penalty(weight=0.025, where="both", target=0.0),  # R1 and R2 with gamma 0.05
        generator=net,
        discriminator=net,
        generator_optimizer=adam,
        discriminator_optimizer=adam,
        augment=("color", "translation", "cutout"),
    ),
    data=Data(name="tfds:cifar10", batch_size=512, flip=True, validation=0.02),
    train=Train(steps=50_000, validate_every=5000),
)
