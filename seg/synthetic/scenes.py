"""Synthetic street scenes: a perspective street in weather, painted far to near with its labels.

Shares of the classes follow Cityscapes' (Cordts et al., The Cityscapes Dataset, figure 5): road and buildings fill
half of the picture, traffic lights and motorcycles a thousandth.
"""

import random
from collections.abc import Callable, Sequence
from functools import partial
from operator import itemgetter

import numpy as np

from seg.datasets import cityscapes
from seg.synthetic import scenes_props as props
from seg.synthetic.scenes_canvas import develop
from seg.synthetic.scenes_setting import SIDES, Setting


def render_street(
    rng: np.random.Generator, height: int, width: int, ids: Sequence[str] = cityscapes.CLASSES.ids
) -> tuple[np.ndarray, np.ndarray]:
    """One street scene.

    What stands where is drawn before any texture, so that a generator in the same state gives the same street at
    every size.

    Args:
        rng: source of all chance; the same state gives the same bits.
        height: in pixels.
        width: in pixels.
        ids: name of every label id, by id; a class that it lacks becomes its "unlabeled".

    Returns:
        image (H, W, 3) uint8 and label ids (H, W) uint8.
    """
    street = Street(random.Random(int(rng.integers(2**63))), height, width)
    street.paint()
    image = develop(street.canvas, props.GRAIN, street.weather, rng)
    table = [ids.index(name if name in ids else "unlabeled") for name in props.GRAIN]
    return image, np.array(table, np.uint8)[street.canvas.slots()]


class Street(Setting):
    """A street with what stands and moves on it."""

    def __init__(self, dice: random.Random, height: int, width: int) -> None:
        super().__init__(dice, height, width)
        self.placed: list[tuple[float, Callable[[], None]]] = []  # distance, and what paints the thing

    def paint(self) -> None:
        """Paint everything, far to near. Things are placed first, since they hide one another."""
        self.sky()
        self.ground()
        self.markings()
        for side in SIDES:
            self.lots(side)
        if self.rails is not None:
            self.put(partial(self.coach, "train"), 1, (self.rails, self.rails), (14, 45))
        for side in SIDES:
            self.furniture(side)
            self.traffic(side)
        for _, thing in sorted(self.placed, key=itemgetter(0), reverse=True):
            thing()
        self.finish()
        self.frame()

    def put(
        self, thing: Callable[[float, float], None], count: int, across: tuple[float, float], along: tuple[float, float]
    ) -> None:
        """Note down things to paint at random places between two distances across and two along the street."""
        for _ in range(count):
            x, z = self.dice.uniform(*across), self.dice.uniform(*along)
            if self.seen(x, z, 3.0):
                self.placed.append((z, partial(thing, x, z)))

    def furniture(self, side: int) -> None:
        """What stands on a pavement and who walks there."""
        kerb, edge = self.kerb[side] + self.parking[side] + side * 0.5, self.path[side]
        along = (kerb, kerb + side * 0.4)
        choice = self.dice.choice
        self.put(self.tree, choice((0, 1, 2, 3, 5, 7)), (kerb, self.line[side]), (12, 60))
        self.put(self.pole, choice((0, 1, 2, 3)), along, (11, 55))
        self.put(self.sign, choice((0, 0, 1, 2)), along, (11, 35))
        self.put(self.traffic_light, choice((0, 0, 1, 1)), along, (13, 35))
        self.put(self.person, choice((0, 1, 4, 8)), (kerb, edge), (9, 40))
        self.put(partial(self.cycle, "bicycle"), choice((0, 0, 0, 1, 1)), (kerb, edge), (10, 28))
        self.put(partial(self.cycle, "motorcycle"), int(self.chance(0.06)), along, (10, 25))
        self.put(partial(self.litter, "static"), choice((0, 0, 1)), along, (9, 30))
        self.put(partial(self.litter, "dynamic"), int(self.chance(0.15)), (kerb, edge), (9, 25))
        if self.chance(0.08):
            self.put(partial(self.pole, name="polegroup"), 3, along, (12, 13))

    def traffic(self, side: int) -> None:
        """Moving vehicles and riders on one half of the road; traffic keeps to the right."""
        kerb, oncoming = self.kerb[side], side < 0
        roadside = self.rails is None and not self.parking[side] and abs(kerb) > 4.5 and self.chance(0.6)
        if self.parking[side]:
            self.parked(kerb + side * 1.1, "parking", oncoming)
        elif roadside:
            self.parked(kerb - side * 1.0, "road", oncoming)
        lane = kerb * (0.68 if self.rails is not None else 0.32 if roadside else 0.5)
        z = self.dice.uniform(9, 35)
        while z < 80:
            kind = self.dice.random()
            if kind < 0.07:
                self.put(partial(self.coach, "truck" if kind < 0.035 else "bus"), 1, (lane, lane), (z + 6, z + 8))
            elif kind < 0.09:
                self.put(partial(self.cycle, "motorcycle", ridden=True), 1, (lane, lane), (z, z))
            elif kind < 0.85:
                self.put(partial(self.car, oncoming=oncoming), 1, (lane - 0.2, lane + 0.2), (z, z))
            z += self.dice.uniform(11, 34)
        beside = kerb - side * (2.4 if roadside else 0.8)
        self.put(partial(self.cycle, "bicycle", ridden=True), int(self.chance(0.18)), (beside, beside), (10, 28))
        self.put(self.person, int(self.chance(0.12)), (kerb * 0.2, kerb), (10, 35))

    def parked(self, x: float, ground: str, oncoming: bool) -> None:
        """A row of parked cars with gaps, now and then a caravan or a trailer."""
        full, z = self.dice.uniform(0.2, 0.9), self.dice.uniform(8, 11)
        while z < 60:
            if self.chance(full):
                self.put(partial(self.car, oncoming=oncoming, ground=ground), 1, (x, x), (z, z))
            elif self.chance(0.03):
                name = self.dice.choice(("caravan", "trailer"))
                self.put(partial(self.coach, name, ground=ground), 1, (x, x), (z, z))
            z += self.dice.uniform(5.4, 6.8)

    def frame(self) -> None:
        """The own bonnet at the lower edge of some, the black border that rectification leaves on others."""
        height, width = self.canvas.height, self.canvas.width
        if self.chance(0.5):
            paint = self.vary(props.PAINT)
            middle, rise = width * self.dice.uniform(0.42, 0.58), height * self.dice.uniform(0.05, 0.1)
            across = np.linspace(-0.1, 1.1, 15) * width
            arch = np.stack([across, height - rise * (1 - ((across - middle) / (0.62 * width)) ** 2)], axis=1)
            for drop, shade in ((0.0, 1.0), (0.35, 0.8), (0.7, 0.62)):
                rim = arch + np.array([0, rise * drop])
                bonnet = np.concatenate([rim, [(1.1 * width, 2 * height), (-0.1 * width, 2 * height)]])
                self.canvas.fill("ego vehicle", bonnet, (paint[0] * shade, paint[1] * shade, paint[2] * shade))
        if self.chance(0.35):
            edge = height * self.dice.uniform(0.01, 0.025)
            for left, right, top in ((0, edge, 0), (width - edge, width, 0), (0, width, height - edge)):
                box = np.array([(left, top), (right, top), (right, height), (left, height)])
                self.canvas.fill("rectification border", box, (4, 4, 4))
