"""The still part of a street: sky, ground, and what borders it on both sides."""

import math
import random

import numpy as np

from seg.synthetic import scenes_props as props
from seg.synthetic.scenes_brush import Camera, flat, lattice, panels
from seg.synthetic.scenes_canvas import Canvas, Weather
from seg.synthetic.scenes_things import Things

_FAR = 100.0  # metres; the street ends here
_DARK = 0.62  # what is left of the light in the shade of a house
SIDES = (-1, 1)


class Setting(Things):
    """A street in its weather, before anything stands or moves on it. `side` is -1 for the left, 1 for the right."""

    def __init__(self, dice: random.Random, height: int, width: int) -> None:
        grey = dice.uniform(150, 215)
        haze = (grey, grey * dice.uniform(1.02, 1.06), grey * dice.uniform(1.12, 1.2))
        weather = Weather(
            haze=haze,
            visibility=math.exp(dice.uniform(math.log(250), math.log(900))),
            warmth=dice.uniform(-0.04, 0.04),
            exposure=dice.uniform(0.92, 1.08),
            contrast=dice.uniform(0.95, 1.05),
            slope=dice.uniform(-0.06, 0.06),
        )
        camera = Camera(
            focal=width * 2 ** dice.uniform(-0.5, 0.7),
            centre=width * (0.5 + dice.uniform(-0.07, 0.07)),
            horizon=height * dice.uniform(0.28, 0.58),
            height=dice.uniform(1.15, 1.45),
            curve=dice.uniform(-0.0012, 0.0012),
        )
        super().__init__(dice, Canvas(height, width, tuple(props.GRAIN)), camera, weather)
        self.sunny = self.chance(0.5)
        self.lit = dice.choice(SIDES)  # the side that the sun shines on
        self.rails = dice.uniform(-0.5, 0.5) if self.chance(0.13) else None  # middle of a tramway
        # Distances from the axis, left ones negative: of the kerb, of the pavement's outer edge, of the houses.
        self.kerb = {side: side * (dice.uniform(2.6, 4.2) + (1.5 if self.rails is not None else 0.0)) for side in SIDES}
        self.parking = {side: side * (2.2 if self.chance(0.25) else 0.0) for side in SIDES}
        self.path = {side: self.kerb[side] + self.parking[side] + side * dice.uniform(4.0, 6.8) for side in SIDES}
        self.line = {side: self.path[side] + side * (dice.uniform(2, 9) if self.chance(0.5) else 0.0) for side in SIDES}

    def sky(self) -> None:
        """A gradient from the zenith to the haze, and what closes the street at its far end."""
        height, width = self.canvas.height, self.canvas.width
        blue = self.vary(((104, 156, 220), (126, 170, 224), (150, 188, 230)))
        for band in range(8):
            share = band / 7
            colour = (1 - share) * np.array(blue) + share * np.array(self.weather.haze)
            top = self.camera.horizon * band / 8
            box = np.array([(0, top), (width, top), (width, height), (0, height)])
            self.canvas.fill("sky", box, tuple(colour.tolist()))
        for place in range(-4, 4):
            x, wide, high = place * 11 + self.dice.uniform(-4, 4), self.dice.uniform(9, 16), self.dice.uniform(8, 22)
            if self.chance(0.5):
                crown = self.clumps(np.array([[0.0, high * 0.3]]), wide * 0.6, high * 0.6)
                self.upright("vegetation", x, _FAR, crown, self.vary(props.FOLIAGE))
            else:
                wall = np.array([(x, 0, _FAR), (x + wide, 0, _FAR), (x + wide, high, _FAR), (x, high, _FAR)])
                self.fill("building", wall, self.vary(props.FACADES))
                self.fill("building", panels(wall, lattice(5, 5, 0.5, 0.5)), props.GLASS)

    def ground(self) -> None:
        """Grass, pavement, parking strip and road, with the shade of the houses on the side away from the sun."""
        self.strip("terrain", -60, 60, self.vary(props.GRASS))
        paving, asphalt = self.vary(props.PAVING), self.vary(props.ASPHALT)
        for side in SIDES:
            shade = _DARK if self.sunny and side != self.lit else 1.0
            inner, outer = self.kerb[side] + self.parking[side], self.path[side]
            self.strip("sidewalk", inner, outer, paving, shade)
            joints = [flat(inner, outer, z, z + 0.07) for z in np.arange(5.0, 40.0, 1.5)]
            self.fill("sidewalk", joints, paving, shade * 0.8)
            self.strip("sidewalk", inner, inner + side * 0.25, paving, shade * 1.2)
            if self.parking[side]:
                self.strip("parking", self.kerb[side], inner, (128, 118, 114), shade)
        self.strip("road", self.kerb[-1], self.kerb[1], asphalt)
        for _ in range(self.dice.randrange(4)):  # mended places
            x, z = self.dice.uniform(self.kerb[-1], self.kerb[1] - 2), self.dice.uniform(5, 25)
            mended = flat(x, x + self.dice.uniform(0.5, 2), z, z + self.dice.uniform(1, 6))
            self.fill("road", mended, asphalt, self.dice.uniform(0.8, 0.95))
        if self.sunny:
            edge = self.kerb[-self.lit]
            self.strip("road", edge, edge + self.lit * self.dice.uniform(0.5, 6.0), asphalt, _DARK)

    def markings(self) -> None:
        """Dashed centre line, edge lines, a zebra crossing on some, rails on some."""
        middle, start = self.dice.uniform(-0.8, 0.8), self.dice.uniform(2, 8)
        dashes = [flat(middle - 0.07, middle + 0.07, z, z + 3) for z in np.arange(start, 80, 8)]
        self.fill("road", dashes, props.WHITE, 0.95)
        for side in SIDES:
            if self.chance(0.5):
                edge = self.kerb[side] - side * 0.4
                self.strip("road", edge, edge - side * 0.13, props.WHITE, 0.9)
        if self.chance(0.25):
            z = self.dice.uniform(9, 22)
            bars = [flat(x, x + 0.5, z, z + 3) for x in np.arange(self.kerb[-1] + 0.3, self.kerb[1] - 0.6, 1.0)]
            self.fill("road", bars, props.WHITE, 0.95)
        if self.rails is not None:
            self.strip("rail track", self.rails - 1.1, self.rails + 1.1, (122, 112, 104))
            for rail in (-0.75, 0.65):
                self.strip("rail track", self.rails + rail, self.rails + rail + 0.1, (70, 68, 70))

    def lots(self, side: int) -> None:
        """What borders the street on one side, far to near: houses, gardens behind walls and fences, trees."""
        edges = [self.dice.uniform(5, 8)]
        while edges[-1] < _FAR - 10:
            edges.append(edges[-1] + self.dice.uniform(7, 17))
        built = self.dice.uniform(0.45, 1.0)
        for z0, z1 in zip(reversed(edges[:-1]), reversed(edges[1:]), strict=True):
            border = self.building if self.chance(built) else self.garden
            if self.seen(self.line[side], z1, 0.0):
                border(side, z0, z1)

    def building(self, side: int, z0: float, z1: float) -> None:
        """A house: gable, front with windows, roof, and a shop at street level in some."""
        x, height = self.line[side], self.dice.uniform(6, 18)
        shade = (1.1 if side == self.lit else 0.65) if self.sunny else 0.9
        colour = self.vary(props.FACADES)
        ridge = height + self.dice.choice((0.0, 2.0, 3.5))
        middle, back = x + side * 5, x + side * 10
        gable = [(x, 0, z0), (back, 0, z0), (back, height, z0), (middle, ridge, z0), (x, height, z0)]
        self.fill("building", gable, colour, shade * 0.82)
        front = np.array([(x, 0, z0), (x, 0, z1), (x, height, z1), (x, height, z0)])
        self.fill("building", front, colour, shade)
        if ridge > height:
            roof = [(x, height, z0), (x, height, z1), (middle, ridge, z1), (middle, ridge, z0)]
            self.fill("building", roof, self.vary(props.ROOFS), shade)
        columns, floors = max(2, round((z1 - z0) / 2.6)), max(2, round(height / 3.1))
        windows = lattice(columns, floors, self.dice.uniform(0.35, 0.6), self.dice.uniform(0.45, 0.65))
        if self.chance(0.45):
            shop = panels(front, np.array([[0.0, 1.0, 0.0, 0.95 / floors]]))
            self.fill("building", shop, self.vary(props.SHOPS), shade)
        bright = self.dice.randrange(2, 7)
        frames = windows + np.array([-0.008, 0.008, -0.008, 0.008])
        self.fill("building", panels(front, frames), colour, shade * 1.25)
        self.fill("building", panels(front, windows), props.GLASS, shade)
        self.fill("building", panels(front, windows[::bright]), (128, 140, 152), shade)

    def garden(self, side: int, z0: float, z1: float) -> None:
        """Trees and bushes on grass behind a wall, a fence, a guard rail or nothing."""
        x = self.line[side]
        for _ in range(3 if z0 < 40 else 1):
            self.tree(x + side * self.dice.uniform(2, 9), self.dice.uniform(z0, z1))
        for _ in range(2):
            self.tree(x + side * self.dice.uniform(1.0, 3.0), self.dice.uniform(z0, z1), self.dice.uniform(1.2, 2.8))
        kind = self.dice.choice(("wall", "wall", "fence", "fence", "guard rail", None))
        if kind is not None:
            self.border(kind, side, z0, z1)

    def border(self, kind: str, side: int, z0: float, z1: float) -> None:
        """A wall, a fence or a guard rail along the pavement."""
        x = self.line[side]
        height = self.dice.uniform(0.7, 0.9) if kind == "guard rail" else self.dice.uniform(1.2, 2.6)
        face = np.array([(x, 0, z0), (x, 0, z1), (x, height, z1), (x, height, z0)])
        shade = _DARK if self.sunny and side != self.lit else 1.0
        if kind == "wall":
            stone = self.vary(props.MASONRY)
            self.fill("wall", face, stone, shade)
            self.fill("wall", panels(face, lattice(1, 5, 1.0, 0.12)), stone, shade * 0.75)
            self.fill("wall", panels(face, np.array([[0.0, 1.0, 0.93, 1.0]])), stone, shade * 1.2)
        elif kind == "fence":
            wood = self.vary(props.FENCES)
            self.fill("fence", face, (96, 104, 78), shade * 0.8)
            self.fill("fence", panels(face, lattice(round((z1 - z0) / 0.35), 1, 0.45, 1.0)), wood, shade)
            self.fill("fence", panels(face, lattice(1, 2, 1.0, 0.14)), wood, shade * 1.15)
        else:
            self.fill("guard rail", panels(face, np.array([[0.0, 1.0, 0.45, 1.0]])), (150, 152, 154), shade)
