import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from seg.metrics.labels import predict_labels

LAYOUTS = {"contiguous": torch.contiguous_format, "channels-last": torch.channels_last}
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def random_logits(*shape: int, ties: bool = False) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(shape, generator=generator)
    return (2 * logits).round() if ties else logits


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("size", [(9, 14), (36, 56), (31, 17), (5, 40), (1, 1)])
def test_equals_interpolate_and_argmax(layout: str, dtype: str, ties: bool, size: tuple[int, int]) -> None:
    logits = random_logits(3, 19, 9, 14, ties=ties).to(DTYPES[dtype], memory_format=LAYOUTS[layout])
    labels = predict_labels(logits, size)
    assert labels.dtype == torch.uint8
    assert labels.shape == (3, *size)
    scores = F.interpolate(logits.float(), size, mode="bilinear")
    differs = labels != scores.argmax(1)
    assert ties or not differs.any()
    # Where resized logits tie, rounding decides, as it does between PyTorch's own kernels.
    chosen = scores.gather(1, labels[:, None].long())[:, 0]
    assert (scores.amax(1) - chosen)[differs].le(2**-21 * max(size) * logits.float().abs().max()).all()
    assert differs.float().mean() < 0.01


@pytest.mark.parametrize("size", [(256, 512), (175, 401)])
def test_differs_from_interpolate_by_rounding_alone(size: tuple[int, int]) -> None:
    logits = random_logits(1, 19, 64, 128)
    scores = F.interpolate(logits, size, mode="bilinear")
    differs = predict_labels(logits, size) != scores.argmax(1)
    best, second = scores.topk(2, dim=1).values.unbind(1)
    assert differs.sum() <= 2
    assert (best - second)[differs].le(2**-21 * max(size) * logits.abs().max()).all()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("classes", [1, 2, 255])
def test_equals_argmax_at_full_size(layout: str, dtype: str, classes: int) -> None:
    logits = random_logits(2, classes, 101, 203, ties=True).to(DTYPES[dtype], memory_format=LAYOUTS[layout])
    assert torch.equal(predict_labels(logits, (101, 203)), logits.argmax(1).byte())


def test_by_hand() -> None:
    logits = torch.tensor([[0.0, 4.0], [2.0, 1.0]]).view(1, 2, 1, 2)
    # At the positions -1/4, 1/4, 3/4, 5/4, clamped: class 0 is 0, 1, 3, 4 and class 1 is 2, 1.75, 1.25, 1.
    assert predict_labels(logits, (1, 4)).tolist() == [[[1, 1, 0, 0]]]


@given(st.lists(st.sampled_from([-torch.inf, -1.0, -0.0, 0.0, 1.0, torch.inf]), min_size=1, max_size=8))
def test_the_lowest_class_wins_a_tie(values: list[float]) -> None:
    logits = torch.tensor(values).view(1, -1, 1, 1)
    assert predict_labels(logits, (1, 1)).item() == values.index(max(values))


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_does_not_depend_on_threads(threads: int) -> None:
    logits, before = random_logits(1, 5, 130, 131), torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        assert torch.equal(predict_labels(logits, (130, 131)), logits.argmax(1).byte())
    finally:
        torch.set_num_threads(before)


def test_gradients_and_arguments_stay_untouched() -> None:
    logits = random_logits(1, 3, 4, 4).bfloat16().requires_grad_()
    copy = logits.detach().clone()
    assert not predict_labels(logits, (4, 4)).requires_grad
    predict_labels(logits, (8, 8))
    assert torch.equal(logits.detach(), copy)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [(4, 4), (8, 8)])
def test_nan_is_refused(dtype: str, size: tuple[int, int]) -> None:
    logits = random_logits(2, 3, 4, 4).to(DTYPES[dtype])
    logits[1, 2, 3, 3] = torch.nan
    with pytest.raises(ValueError, match="NaN"):
        predict_labels(logits, size)


def test_too_many_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="256 classes"):
        predict_labels(torch.zeros(1, 256, 1, 1), (1, 1))
