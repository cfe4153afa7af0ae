"""Xavier-uniform weights and zero biases (Glorot and Bengio 2010), the studies' start of what is not pretrained."""

from torch import nn


def xavier(network: nn.Module) -> None:
    """Draw the weights of all convolutions in `network` from torch's generator, in the order of its modules."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
