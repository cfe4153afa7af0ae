"""What stands in a street: colours, outlines and measures, as tables. Lengths in metres, colours in RGB.

Measures are those of everyday things (a car is 1.8 m wide); colours were chosen by eye.
"""

import math
from typing import NamedTuple

from seg.synthetic.scenes_brush import Figure, Outline
from seg.synthetic.scenes_canvas import Colour

# Texture of each class: contrast of grains of a pixel, of 1/40 and of 1/8 of the picture's height.
GRAIN: dict[str, Colour] = {
    "unlabeled": (0.0, 0.0, 0.0),
    "ego vehicle": (0.0, 0.0, 0.1),
    "rectification border": (0.0, 0.0, 0.0),
    "out of roi": (0.0, 0.0, 0.0),
    "static": (0.06, 0.08, 0.0),
    "dynamic": (0.08, 0.15, 0.0),
    "ground": (0.12, 0.12, 0.1),
    "road": (0.09, 0.05, 0.08),
    "sidewalk": (0.1, 0.05, 0.06),
    "parking": (0.12, 0.06, 0.08),
    "rail track": (0.12, 0.08, 0.08),
    "building": (0.04, 0.03, 0.05),
    "wall": (0.1, 0.12, 0.12),
    "fence": (0.1, 0.06, 0.05),
    "guard rail": (0.05, 0.05, 0.05),
    "pole": (0.05, 0.08, 0.0),
    "polegroup": (0.05, 0.08, 0.0),
    "traffic light": (0.04, 0.0, 0.0),
    "traffic sign": (0.03, 0.03, 0.0),
    "vegetation": (0.2, 0.25, 0.12),
    "terrain": (0.2, 0.12, 0.12),
    "sky": (0.0, 0.02, 0.07),
    "person": (0.08, 0.15, 0.0),
    "rider": (0.08, 0.15, 0.0),
    "car": (0.03, 0.05, 0.1),
    "truck": (0.04, 0.05, 0.08),
    "bus": (0.03, 0.05, 0.08),
    "caravan": (0.03, 0.05, 0.05),
    "trailer": (0.06, 0.08, 0.05),
    "train": (0.03, 0.04, 0.08),
    "motorcycle": (0.1, 0.2, 0.0),
    "bicycle": (0.12, 0.15, 0.0),
}

ASPHALT = ((78, 80, 88), (70, 72, 80), (86, 86, 92))
PAVING = ((184, 122, 136), (174, 114, 130), (192, 130, 138), (178, 112, 132))
GRASS = ((148, 168, 70), (136, 160, 62), (164, 172, 84))
FOLIAGE = ((50, 84, 34), (60, 98, 38), (42, 76, 40), (72, 100, 36))
FACADES = (
    (214, 184, 118),
    (222, 198, 140),
    (202, 154, 98),
    (228, 208, 164),
    (206, 168, 92),
    (190, 128, 84),
)
ROOFS = ((128, 72, 58), (86, 82, 86), (104, 78, 68))
SHOPS = ((92, 60, 52), (60, 76, 88), (110, 104, 98), (70, 84, 66))
MASONRY = ((150, 142, 132), (138, 120, 108), (126, 126, 128))
FENCES = ((104, 84, 66), (72, 84, 72), (120, 122, 124))
METAL = ((112, 114, 116), (88, 94, 92), (132, 132, 130), (70, 78, 74))
PAINT = (
    (212, 214, 216),
    (150, 154, 160),
    (38, 40, 44),
    (84, 88, 94),
    (44, 60, 104),
    (132, 34, 32),
    (190, 188, 180),
    (28, 30, 34),
    (96, 100, 90),
)
CLOTHES = ((44, 46, 58), (112, 40, 44), (52, 70, 108), (180, 174, 166), (74, 74, 72), (150, 116, 50), (60, 88, 72))
TROUSERS = ((44, 50, 70), (36, 36, 40), (92, 84, 74), (60, 60, 64))
SKIN = ((206, 160, 134), (176, 128, 100), (120, 82, 62))
HAIR = ((48, 38, 32), (110, 84, 54), (30, 28, 28))
HELMETS = ((196, 60, 44), (222, 222, 220), (40, 44, 54), (60, 110, 170))
GLASS: Colour = (52, 60, 70)
RUBBER: Colour = (28, 28, 30)
WHITE: Colour = (222, 222, 218)


def disc(x: float, y: float, radius: float, sides: int = 10, turn: float = 0.0) -> Outline:
    """A regular polygon about (x, y); `turn` in radians."""
    angles = (turn + 2 * math.pi * side / sides for side in range(sides))
    return tuple((x + radius * math.cos(angle), y + radius * math.sin(angle)) for angle in angles)


def bar(x0: float, y0: float, x1: float, y1: float, width: float) -> Outline:
    """A straight tube from (x0, y0) to (x1, y1)."""
    half = width / 2 / math.hypot(x1 - x0, y1 - y0)
    dx, dy = (y0 - y1) * half, (x1 - x0) * half
    return (x0 + dx, y0 + dy), (x1 + dx, y1 + dy), (x1 - dx, y1 - dy), (x0 - dx, y0 - dy)


# Figures: the foot is the origin, a grown-up is 1.78 m tall.
PERSON: Figure = (
    ("trousers", ((-0.16, 0.92), (0.0, 0.92), (-0.06, 0.0), (-0.24, 0.0))),
    ("trousers", ((0.0, 0.92), (0.17, 0.92), (0.22, 0.0), (0.05, 0.0))),
    (
        "clothes",
        (
            (-0.25, 1.44),
            (-0.14, 1.52),
            (0.14, 1.52),
            (0.25, 1.44),
            (0.28, 0.86),
            (0.18, 0.84),
            (-0.18, 0.84),
            (-0.28, 0.86),
        ),
    ),
    ("skin", disc(0.0, 1.64, 0.12, 8)),
    ("hair", ((-0.12, 1.64), (-0.1, 1.75), (0.0, 1.78), (0.1, 1.75), (0.12, 1.66))),
)
CYCLIST: Figure = (
    ("trousers", ((-0.3, 1.0), (-0.05, 1.02), (0.2, 0.62), (0.08, 0.3), (-0.04, 0.32), (0.02, 0.6))),
    (
        "clothes",
        ((-0.32, 0.96), (-0.3, 1.3), (0.02, 1.56), (0.2, 1.5), (0.44, 1.1), (0.38, 1.04), (0.14, 1.26), (-0.04, 0.98)),
    ),
    ("skin", disc(0.2, 1.66, 0.12, 8)),
    ("helmet", ((0.05, 1.68), (0.08, 1.8), (0.2, 1.85), (0.33, 1.78), (0.34, 1.7))),
)
BICYCLE: Figure = (
    ("rubber", disc(-0.52, 0.34, 0.35)),
    ("rubber", disc(0.52, 0.34, 0.35)),
    ("spokes", disc(-0.52, 0.34, 0.28)),
    ("spokes", disc(0.52, 0.34, 0.28)),
    ("frame", bar(-0.52, 0.34, -0.2, 0.86, 0.07)),
    ("frame", bar(-0.5, 0.34, 0.02, 0.3, 0.06)),
    ("frame", bar(0.02, 0.3, 0.4, 0.84, 0.08)),
    ("frame", bar(-0.24, 0.82, 0.4, 0.84, 0.08)),
    ("frame", bar(0.52, 0.34, 0.36, 1.02, 0.07)),
    ("rubber", bar(-0.36, 0.92, -0.1, 0.92, 0.09)),
    ("rubber", bar(0.28, 1.04, 0.46, 1.0, 0.07)),
)
MOTORCYCLE: Figure = (
    ("rubber", disc(-0.64, 0.32, 0.33)),
    ("rubber", disc(0.66, 0.32, 0.33)),
    ("metal", disc(-0.64, 0.32, 0.15, 8)),
    ("metal", disc(0.66, 0.32, 0.15, 8)),
    ("rubber", ((-0.5, 0.22), (0.42, 0.22), (0.5, 0.62), (-0.6, 0.6))),
    (
        "paint",
        ((-0.9, 0.72), (-0.3, 0.62), (0.1, 0.66), (0.5, 0.5), (0.62, 0.9), (0.34, 1.06), (0.0, 0.92), (-0.8, 0.84)),
    ),
    ("rubber", ((-0.72, 0.84), (-0.02, 0.82), (-0.04, 0.94), (-0.7, 0.94))),
    ("metal", bar(0.4, 0.98, 0.68, 0.34, 0.08)),
    ("white", disc(0.62, 0.86, 0.11, 8)),
)
BIN: Figure = (
    ("metal", ((-0.3, 0.0), (0.3, 0.0), (0.34, 0.95), (-0.34, 0.95))),
    ("rubber", ((-0.38, 0.92), (0.38, 0.92), (0.34, 1.05), (-0.34, 1.05))),
)
PRAM: Figure = (
    ("rubber", disc(-0.25, 0.16, 0.16, 8)),
    ("rubber", disc(0.25, 0.16, 0.16, 8)),
    ("clothes", ((-0.42, 0.4), (0.4, 0.4), (0.45, 0.7), (0.1, 1.0), (-0.3, 0.95), (-0.46, 0.7))),
)

# Traffic signs: outlines about the sign's centre, of radius 1, with their colours.
Sign = tuple[tuple[Outline, Colour], ...]
_RED, _BLUE, _YELLOW, _PALE = (188, 30, 36), (28, 76, 158), (228, 184, 34), (226, 226, 222)
SIGNS: tuple[Sign, ...] = (
    ((disc(0, 0, 1.0, 14), _RED), (disc(0, 0, 0.72, 14), _PALE)),
    ((disc(0, 0, 1.0, 14), _BLUE), (bar(0, -0.6, 0, 0.6, 0.3), _PALE)),
    ((disc(0, 0, 1.1, 3, math.pi / 2), _RED), (disc(0, 0, 0.65, 3, math.pi / 2), _PALE)),
    ((disc(0, 0, 1.1, 3, -math.pi / 2), _RED), (disc(0, 0, 0.65, 3, -math.pi / 2), _PALE)),
    ((disc(0, 0, 1.1, 4), _PALE), (disc(0, 0, 0.8, 4), _YELLOW)),
    ((disc(0, 0, 1.0, 14), _RED), (bar(-0.65, 0, 0.65, 0, 0.3), _PALE)),
    ((bar(-0.9, 0, 0.9, 0, 1.8), _BLUE), (bar(-0.35, 0, 0.35, 0, 0.9), _PALE)),
    (
        (bar(-2.4, 0, 2.4, 0, 2.0), _YELLOW),
        (bar(-2.0, 0.3, 1.4, 0.3, 0.3), RUBBER),
        (bar(-2.0, -0.4, 0.8, -0.4, 0.3), RUBBER),
    ),
)
LAMPS: tuple[Colour, ...] = ((236, 48, 36), (244, 176, 44), (50, 222, 130))


class Coach(NamedTuple):
    """A vehicle that is a box: its measures, its colours, and where along its height the windows lie."""

    width: float
    length: float
    floor: float
    height: float
    paints: tuple[Colour, ...]
    windows: tuple[float, float] | None
    stripe: Colour | None


COACHES: dict[str, Coach] = {
    "truck": Coach(
        2.5, 8.0, 0.55, 3.5, ((206, 204, 198), (96, 112, 128), (170, 150, 110), (128, 60, 52)), None, (70, 72, 76)
    ),
    "bus": Coach(2.5, 11.0, 0.35, 3.1, ((196, 52, 44), (206, 160, 48), (64, 120, 84)), (0.45, 0.85), None),
    "train": Coach(2.5, 24.0, 0.3, 3.5, ((226, 222, 206), (214, 214, 218)), (0.5, 0.8), (60, 90, 160)),
    "caravan": Coach(2.2, 5.0, 0.4, 2.5, ((224, 220, 210),), (0.5, 0.8), None),
    "trailer": Coach(2.0, 3.5, 0.5, 1.7, ((120, 126, 116), (140, 110, 76)), None, None),
}
