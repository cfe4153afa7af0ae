"""Outlines and textures that every rendered image is composed of."""

from collections.abc import Callable

import numpy as np

Outline = np.ndarray  # (points, 2): x to the right and y down


def _points(text: str) -> Outline:
    """Points written as in SVG: x,y x,y ..."""
    return np.array([[float(value) for value in point.split(",")] for point in text.split()])


def _around(*radii: float) -> Outline:
    """Points at these distances from the origin, at equal angles, clockwise from the top."""
    angles = 2 * np.pi * np.arange(len(radii)) / len(radii)
    return np.stack([np.sin(angles), -np.cos(angles)], axis=1) * np.array(radii)[:, None]


_DISC = _around(*32 * (1,))

# Outlines within -1 to 1. An outline inside another one is a hole.
SHAPES: dict[str, tuple[Outline, ...]] = {
    "disc": (_DISC,),
    "triangle": (_around(1, 1, 1),),
    "square": (_points("-.8,-.8 .8,-.8 .8,.8 -.8,.8"),),
    "bar": (_points("-1,-.25 1,-.25 1,.25 -1,.25"),),
    "cross": (_points("-.3,-1 .3,-1 .3,-.3 1,-.3 1,.3 .3,.3 .3,1 -.3,1 -.3,.3 -1,.3 -1,-.3 -.3,-.3"),),
    "star": (_around(*5 * (1, 0.45)),),
    "ring": (_DISC, 0.6 * _DISC),
    "crescent": (np.concatenate([_DISC[2:15], (0.8 * _DISC + (-0.45, 0))[13:3:-1]]),),
    # silhouettes that fill the square
    "box": (_points("-1,-1 1,-1 1,1 -1,1"),),
    "beast": (_points("-1,-.5 -.8,-1 -.5,-.4 .9,-.4 1,0 1,1 .7,1 .6,.3 -.3,.3 -.35,1 -.65,1 -.7,0 -1,-.1"),),
    "bird": (_points("-1,-.9 -.1,-.2 .1,-.2 1,-.9 .6,.3 .1,.6 .2,1 -.2,1 -.1,.6 -.6,.3"),),
    "bottle": (_points("-.35,-1 .35,-1 .35,-.5 1,-.1 1,1 -1,1 -1,-.1 -.35,-.5"),),
    "bus": (_points("-.95,-1 1,-1 1,.7 .7,.7 .6,1 .4,1 .3,.7 -.3,.7 -.4,1 -.6,1 -.7,.7 -1,.7"),),
    "car": (_points("-1,.1 -.7,0 -.4,-1 .4,-1 .7,0 1,.1 1,.75 .65,1 -.65,1 -1,.75"),),
    "chair": (_points("-1,-1 -.5,-1 -.5,0 1,0 1,1 .6,1 .6,.45 -.5,.45 -.5,1 -1,1"),),
    "cycle": (
        0.5 * _DISC + (-0.5, 0.5),
        0.5 * _DISC + (0.5, 0.5),
        _points("-.75,-.7 -.3,-.5 .4,-.5 .4,-1 .8,-1 .6,.1 -.5,.1"),
    ),
    "hull": (_points("-.05,-1 .6,.2 1,.2 .6,1 -.6,1 -1,.2 -.05,.2"),),
    "monitor": (_points("-1,-1 1,-1 1,.5 .2,.5 .5,1 -.5,1 -.2,.5 -1,.5"),),
    "person": (
        _points("-.4,-1 .4,-1 .4,-.6 1,-.5 1,.1 .7,.2 .7,1 .15,1 0,.4 -.15,1 -.7,1 -.7,.2 -1,.1 -1,-.5 -.4,-.6"),
    ),
    "plane": (_points("-1,-.1 -.8,-.7 -.5,-.2 0,-.2 .1,-1 .4,-.2 .8,-.2 1,.05 .8,.2 .3,.2 0,1 -.2,.2 -1,.1"),),
    "plant": (_points("-.5,.2 -1,-.3 -.6,-.4 -.5,-1 0,-.6 .5,-1 .6,-.4 1,-.3 .5,.2 .4,1 -.4,1"),),
    "sitting": (_points("-.7,-1 -.35,-.7 0,-.7 .35,-1 .5,-.2 1,.5 .9,1 -.9,1 -.8,.3"),),
    "sofa": (_points("-1,-.1 -.7,-.2 -.65,-1 .65,-1 .7,-.2 1,-.1 1,1 -1,1"),),
    "table": (_points("-1,-1 1,-1 1,-.4 .8,-.4 .8,1 .4,1 .4,-.4 -.4,-.4 -.4,1 -.8,1 -.8,-.4 -1,-.4"),),
    "tree": (_points("-.15,1 -.15,.5 -.7,.6 -1,.1 -.7,-.6 0,-1 .7,-.6 1,.1 .7,.6 .15,.5 .15,1"),),
}

# Brightness from -1 to 1 at the points u, v, in units of a thing's smaller side.
TEXTURES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "plain": lambda u, _: np.zeros_like(u),
    "stripes": lambda _, v: np.sign(np.sin(20 * v)),
    "bars": lambda u, _: np.sign(np.sin(20 * u)),
    "checks": lambda u, v: np.sign(np.sin(13 * u) * np.sin(13 * v)),
    "dots": lambda u, v: np.sign(np.sin(13 * u) * np.sin(13 * v) - 0.4),
    "waves": lambda u, v: np.sin(26 * np.hypot(u, v)),
    "clouds": lambda u, v: (np.sin(9 * u + 3 * np.sin(7 * v)) + np.sin(8 * v + 3 * np.sin(6 * u))) / 2,
}
