"""The loss of R3GAN (Huang et al. 2024) on CIFAR-10, as near to its settings as the networks of genlab come.

As there: relativistic pairing, R1 and R2 of the original images through their augmentation, no norm anywhere, leaky
ReLU 0.2, 64 latents, Adam with b1 = 0, batch 512, averaged weights with a half-life of 5 million images. Unlike there:
- the residual networks are those of the WGAN-GP paper, 256 wide, and unconditional; theirs are made of grouped
  convolutions in inverted bottlenecks, with bilinear resampling and the initial weights of Fixup, and know the classes;
- the learning rate stays at 2e-4, where theirs starts; theirs falls to 5e-5 over 20 million images, which are 39,000 of
  the 50,000 iterations here and over which gamma and b2 move as theirs, from 0.05 to 0.005 and from 0.9 to 0.99;
- the half-life of the averages rises along a cosine from 0 to 5 million over these 20 million images there, here as a
  quarter of the images seen;
- the augmentation is that of Zhao et al. (2020) at full strength, and real images are mirrored at random; theirs is the
  pipeline of StyleGAN2-ADA, whose probability rises from 0 to 0.55 over these 20 million images;
- arithmetic is float32, where most of theirs is half precision, and 1,000 training images are held out.

Command:   python scripts/train.py --config r3gan_cifar10 --data.dir data/tfds
Expect:    not yet run; made for an accelerator
Published: FID 1.96, conditional, with the networks and schedules of the paper; not to be expected here
"""

from genlab.config.sections import Config, Train
from genlab.data.config import Data
from genlab.kernels.penalty import Penalty
from genlab.methods.gan import GAN
from genlab.nn.net import Net
from genlab.parts.course import Course
from genlab.parts.optimizer import Optimizer

BURN_IN = 39_000  # iterations
adam = Optimizer(learning_rate=2e-4, b1=0.0, b2=0.9, b2_course=Course(to=0.99, over=BURN_IN, shape="cosine"))
net = Net("resnet", width=256, activation="leaky_relu")
config = Config(
    method=GAN(
        loss="relativistic_pairing",
        penalty=Penalty(weight=0.025, where="both", target=0.0),  # R1 and R2 with gamma 0.05
        penalty_course=Course(to=0.0025, over=BURN_IN, shape="cosine"),
        generator=net,
        discriminator=net,
        generator_optimizer=adam,
        discriminator_optimizer=adam,
        augment=("color", "translation", "cutout"),
    ),
    data=Data(name="tfds:cifar10", batch_size=512, flip=True, validation=0.02),
    train=Train(steps=50_000, ema_halflife=5e6, validate_every=5000),
)
