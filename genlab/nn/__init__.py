"""Networks: Flax NNX encoders and decoders on a few backbones."""
