"""The U-Nets against Table 3 and Table 6 written out by hand, with the same weights."""

import pytest
import torch
from references import assert_xavier, concatenated, copy
from torch import Tensor, nn

from seg.models.unet import build


class Table3(nn.Module):
    """Table 3, with the table's names."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.conv0_1, self.conv0_2 = conv(3, 64), conv(64, 64)
        self.conv1_1, self.conv1_2 = conv(64, 128), conv(128, 128)
        self.conv2_1, self.conv2_2 = conv(128, 256), conv(256, 256)
        self.conv3_1, self.conv3_2 = conv(256, 512), conv(512, 512)
        self.conv4_1, self.conv4_2 = conv(512, 512), conv(512, 512)
        self.deconv4_3 = nn.ConvTranspose2d(512, 512, 2, stride=2)
        self.deconv5_2 = nn.ConvTranspose2d(256, 256, 2, stride=2)
        self.deconv6_1 = nn.ConvTranspose2d(128, 128, 2, stride=2)
        self.deconv7_0 = nn.ConvTranspose2d(64, 64, 2, stride=2)
        self.conv5_1, self.conv5_2 = conv(1024, 256), conv(256, 256)
        self.conv6_1, self.conv6_2 = conv(512, 128), conv(128, 128)
        self.conv7_1, self.conv7_2 = conv(256, 64), conv(64, 64)
        self.conv8_1, self.conv8_2 = conv(128, 16), conv(16, 16)
        self.conv_final = nn.Conv2d(16, classes, 1)
        self.maxpool = nn.MaxPool2d(2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        level0 = self.conv0_2(self.conv0_1(x))
        level1 = self.conv1_2(self.conv1_1(self.maxpool(level0)))
        level2 = self.conv2_2(self.conv2_1(self.maxpool(level1)))
        level3 = self.conv3_2(self.conv3_1(self.maxpool(level2)))
        level4 = self.conv4_2(self.conv4_1(self.maxpool(level3)))
        y = self.conv5_2(self.conv5_1(concatenated(level3, self.deconv4_3, level4)))
        y = self.conv6_2(self.conv6_1(concatenated(level2, self.deconv5_2, y)))
        y = self.conv7_2(self.conv7_1(concatenated(level1, self.deconv6_1, y)))
        y = self.conv8_2(self.conv8_1(concatenated(level0, self.deconv7_0, y)))
        return self.conv_final(y)


class Table6(nn.Module):
    """Table 6 of the VOC studies; `relu`: the activation after each transposed convolution in voc2007_erfnet."""

    def __init__(self, classes: int, relu: bool) -> None:
        super().__init__()
        self.conv1, self.conv2 = conv(3, 64), conv(64, 64)
        self.conv3, self.conv4 = conv(64, 128), conv(128, 128)
        self.conv5, self.conv6 = conv(128, 256), conv(256, 256)
        self.conv7, self.conv8 = conv(256, 512), conv(512, 512)
        self.conv9, self.conv10 = conv(512, 1024), conv(1024, 1024)
        self.deconv1 = nn.ConvTranspose2d(1024, 512, 2, stride=2)
        self.deconv2 = nn.ConvTranspose2d(512, 256, 2, stride=2)
        self.deconv3 = nn.ConvTranspose2d(256, 128, 2, stride=2)
        self.deconv4 = nn.ConvTranspose2d(128, 64, 2, stride=2)
        self.conv11, self.conv12 = conv(1024, 512), conv(512, 512)
        self.conv13, self.conv14 = conv(512, 256), conv(256, 256)
        self.conv15, self.conv16 = conv(256, 128), conv(128, 128)
        self.conv17, self.conv18 = conv(128, 64), conv(64, 64)
        self.output = nn.Conv2d(64, classes, 1)
        self.pool = nn.MaxPool2d(2, stride=2)
        self.relu = nn.ReLU() if relu else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        level1 = self.conv2(self.conv1(x))
        level2 = self.conv4(self.conv3(self.pool(level1)))
        level3 = self.conv6(self.conv5(self.pool(level2)))
        level4 = self.conv8(self.conv7(self.pool(level3)))
        y = self.conv10(self.conv9(self.pool(level4)))
        y = self.conv12(self.conv11(torch.cat([level4, self.relu(self.deconv1(y))], dim=1)))
        y = self.conv14(self.conv13(torch.cat([level3, self.relu(self.deconv2(y))], dim=1)))
        y = self.conv16(self.conv15(torch.cat([level2, self.relu(self.deconv3(y))], dim=1)))
        y = self.conv18(self.conv17(torch.cat([level1, self.relu(self.deconv4(y))], dim=1)))
        return self.output(y)


def conv(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())


def pair(size: tuple[int, int]) -> tuple[nn.Module, nn.Module, Tensor]:
    """The network and the table with the same random weights, and images."""
    torch.manual_seed(0)
    actual, table = build(19), Table3(19)
    copy(actual, table)
    return actual, table, torch.randn(2, 3, *size)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("size", [(32, 48), (16, 16), (33, 41), (47, 31)], ids=str)
def test_is_table_3(size: tuple[int, int], training: bool) -> None:
    actual, table, images = pair(size)
    if training and size == (16, 16):
        images = images.repeat(2, 1, 1, 1)  # batch norm needs more than one value per channel
    with torch.no_grad():
        torch.testing.assert_close(actual.train(training)(images), table.train(training)(images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("widths", "relu"), [("voc2012_fcn", False), ("voc2007_erfnet", True)])
@pytest.mark.parametrize("training", [False, True])
def test_is_table_6(widths: str, relu: bool, training: bool) -> None:
    torch.manual_seed(0)
    actual, table = build(21, widths=widths), Table6(21, relu)
    copy(actual, table)
    with torch.no_grad():
        for up in (*actual.up, *(getattr(table, f"deconv{i}") for i in range(1, 5))):
            up.bias -= 1  # otherwise the activation would change nothing
        images = torch.randn(2, 3, 32, 48)
        torch.testing.assert_close(actual.train(training)(images), table.train(training)(images), rtol=1e-4, atol=1e-4)


def test_voc_widths_have_31_million_parameters() -> None:
    encoder = 9 * (3 * 64 + 64 * 64 + 64 * 128 + 128 * 128 + 128 * 256 + 256 * 256 + 256 * 512 + 512 * 512)
    encoder += 9 * (512 * 1024 + 1024 * 1024)
    up = 4 * (1024 * 512 + 512 * 256 + 256 * 128 + 128 * 64) + (512 + 256 + 128 + 64)
    decoder = 9 * (1024 * 512 + 512 * 512 + 512 * 256 + 256 * 256 + 256 * 128 + 128 * 128 + 128 * 64 + 64 * 64)
    norms = 2 * 2 * (64 + 128 + 256 + 512 + 1024 + 512 + 256 + 128 + 64)
    expected = encoder + up + decoder + norms + 64 * 21 + 21
    for widths in ("voc2012_fcn", "voc2007_erfnet"):
        assert sum(parameter.numel() for parameter in build(21, widths=widths).parameters()) == expected == 31_038_933


def test_skips_carry_the_fine_detail() -> None:
    """A change of one pixel has its largest effect at this pixel, which the deepest level alone could not locate."""
    actual, _, images = pair((32, 32))
    with torch.inference_mode():
        before = actual.eval()(images)
        images[0, :, 3, 3] += 5
        difference = (actual(images) - before).abs().sum(1)
    assert difference[0].argmax() // 32 in range(1, 6)
    assert difference[0].argmax() % 32 in range(1, 6)
    assert not difference[1].any()


def test_weights_are_xavier_uniform_and_biases_zero() -> None:
    torch.manual_seed(0)
    assert_xavier(build(19))


@pytest.mark.parametrize("size", [(15, 64), (64, 8)], ids=str)
def test_sides_that_cannot_be_halved_four_times_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"images of \(\d+, \d+\).*use sides >= 16"):
        build(19)(torch.zeros(1, 3, *size))
