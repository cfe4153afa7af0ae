"""Backdrops of the object scenes: sky, meadow, road, water, rails and rooms, all of them label 0."""

import numpy as np

from seg.synthetic import scenes_props as props
from seg.synthetic.objects_things import Things
from seg.synthetic.scenes_brush import Outline, lattice, panels
from seg.synthetic.scenes_canvas import Colour

# Texture of the backdrops, as `scenes_props.GRAIN`; all are label 0.
GRAIN: dict[str, Colour] = {
    "sky": (0.0, 0.02, 0.08),
    "green": (0.15, 0.2, 0.12),
    "stone": (0.12, 0.06, 0.08),
    "house": (0.05, 0.04, 0.08),
    "water": (0.08, 0.12, 0.1),
    "wall": (0.03, 0.03, 0.1),
    "floor": (0.06, 0.08, 0.08),
}
_PAVING = ((160, 156, 150), (176, 168, 156), (140, 138, 138), (168, 140, 128))
_FACADES = ((206, 200, 188), (190, 186, 180), (214, 208, 190), (186, 178, 172))


class Backdrops(Things):
    """What may lie behind the things. Lengths are in the picture's shorter side, from the middle of its lower edge.

    Attributes:
        wide: width of the picture.
        tall: height of the picture.
        horizon: height at which the ground, or the floor, ends.
    """

    wide: float
    tall: float
    horizon: float

    def backdrop(self) -> None:
        """Paint what belongs to the place."""
        outdoors = {"air": self.air, "meadow": self.meadow, "road": self.road, "water": self.water, "rails": self.rails}
        (outdoors | {"room": self.room})[self.place]()

    def paste(self, name: str, outline: Outline | np.ndarray, colour: Colour, shade: float = 1.0) -> None:
        """Fill an outline (N, 2), or several (M, N, 2) that do not overlap."""
        self.upright(name, 0.0, 1.0, outline, colour, shade=shade)

    def rect(self, name: str, low: float, high: float, colour: Colour, shade: float = 1.0) -> np.ndarray:
        """Fill a band across the whole picture; its corners."""
        half = self.wide / 2
        band = np.array([(-half, low), (half, low), (half, high), (-half, high)])
        self.paste(name, band, colour, shade)
        return band

    def spread(self, low: float, high: float, count: int) -> np.ndarray:
        """Random places (count, 2) between two heights."""
        half, uniform = self.wide / 2, self.dice.uniform
        return np.array([(uniform(-half, half), uniform(low, high)) for _ in range(count)])

    def tufts(
        self, name: str, places: np.ndarray, reach: tuple[float, float], colour: Colour, shade: float = 1.0
    ) -> None:
        """Ragged ellipses, filled one by one: where several outlines of one fill overlap, they cancel out."""
        for outline in self.clumps(places, *reach):
            self.paste(name, outline, colour, shade)

    def sky(self, low: float) -> None:
        """A gradient above `low`, with clouds in some."""
        zenith = np.array(self.vary(((104, 156, 220), (140, 176, 224), (176, 186, 200), (196, 200, 206))))
        pale = 0.5 * zenith + 0.5 * np.array((226, 230, 234))
        for band in range(6):
            colour = tuple((pale + (zenith - pale) * band / 5).tolist())
            self.rect("sky", low + (self.tall - low) * band / 6, self.tall, colour)
        if self.chance(0.6):
            places = self.spread(low + 0.1, self.tall, 5)
            self.tufts("sky", places, (0.22, 0.06), (236, 238, 240))

    def trees(self, low: float) -> None:
        """A line of trees and bushes."""
        for shade in (0.75, 1.0):
            places = self.spread(low, low + 0.1, 7)
            reach = (self.dice.uniform(0.1, 0.25), self.dice.uniform(0.06, 0.2))
            self.tufts("green", places, reach, self.vary(props.FOLIAGE, 0.2), shade)

    def air(self) -> None:
        """Nothing but sky, or a strip of land below it."""
        self.sky(0.0)
        if self.chance(0.5):
            self.trees(0.02)
            self.rect("green", 0.0, self.tall * self.dice.uniform(0.05, 0.2), self.vary(props.GRASS))

    def meadow(self) -> None:
        """Grass under trees and sky."""
        self.sky(self.horizon)
        if self.chance(0.75):
            self.trees(self.horizon)
        grass = self.vary((*props.GRASS, (112, 146, 62), (170, 160, 96)), 0.15)
        self.rect("green", 0.0, self.horizon, grass)
        self.tufts("green", self.spread(0, self.horizon, 12), (0.16, 0.025), grass, 0.82)
        if self.chance(0.3):
            fence = self.rect("house", self.horizon - 0.02, self.horizon, (120, 104, 84))
            self.paste("house", panels(fence, lattice(12, 1, 0.12, 4.0)), (112, 96, 76))

    def road(self) -> None:
        """Asphalt before houses or trees."""
        self.sky(self.horizon)
        if self.chance(0.7):
            wall = self.rect("house", self.horizon, self.tall * self.dice.uniform(0.75, 1.1), self.vary(_FACADES))
            grid = lattice(self.dice.randrange(3, 8), self.dice.randrange(2, 4), 0.5, 0.55)
            self.paste("house", panels(wall, grid), props.GLASS)
        else:
            self.trees(self.horizon)
        self.rect("stone", 0.0, self.horizon, self.vary(_PAVING))
        self.rect("stone", 0.0, self.horizon * 0.8, self.vary(props.ASPHALT, 0.2))
        if self.chance(0.6):
            dashes = self.rect("stone", self.horizon * 0.36, self.horizon * 0.4, props.ASPHALT[0])
            self.paste("stone", panels(dashes, lattice(4, 1, 0.5, 1.0)), props.WHITE)

    def water(self) -> None:
        """Water with ripples, a shore behind it."""
        self.sky(self.horizon)
        if self.chance(0.7):
            self.trees(self.horizon)
        water = self.vary(((70, 112, 140), (90, 124, 130), (58, 92, 124), (110, 136, 140)))
        self.rect("water", 0.0, self.horizon, water)
        for shade in (0.85, 1.15):
            self.tufts("water", self.spread(-0.02, self.horizon, 12), (0.12, 0.007), water, shade)

    def rails(self) -> None:
        """A track in gravel, a platform on some."""
        self.sky(self.horizon)
        self.trees(self.horizon)
        self.rect("stone", 0.0, self.horizon, self.vary(((138, 124, 110), (120, 112, 106))))
        far = self.dice.uniform(-0.4, 0.4)
        for near in (-0.5, -0.1, 0.3, 0.7):
            rail = [(near, 0), (near + 0.03, 0), (far + 0.008, self.horizon), (far, self.horizon)]
            self.paste("stone", rail, (84, 76, 74))
        if self.chance(0.4):
            side = self.dice.choice((-1, 1))
            edge = [(side * 0.3, 0), (far, self.horizon), (side * self.wide, self.horizon), (side * self.wide, 0)]
            self.paste("stone", edge, (176, 170, 160))

    def room(self) -> None:
        """A wall with paper, pictures or a window, and a floor."""
        paper = self.vary(((222, 214, 194), (204, 212, 208), (218, 204, 196), (230, 226, 218), (190, 200, 206)))
        wall = self.rect("wall", self.horizon, self.tall, paper)
        if self.chance(0.4):
            self.paste("wall", panels(wall, lattice(self.dice.randrange(6, 14), 1, 0.4, 1.0)), paper, 0.9)
        for _ in range(self.dice.randrange(3)):
            x, y = self.dice.uniform(-self.wide / 2, self.wide / 2), self.dice.uniform(self.horizon + 0.1, self.tall)
            size = np.array((self.dice.uniform(0.08, 0.22), self.dice.uniform(0.08, 0.25)))
            frame = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * size + (x, y)
            pane = self.vary(((196, 218, 234), (120, 140, 110), (170, 120, 90), (100, 110, 130)), 0.2)
            self.paste("wall", frame, self.vary(((240, 238, 232), (90, 66, 46))))
            self.paste("wall", (frame - (x, y)) * 0.84 + (x, y), pane)
        floor = self.vary(((184, 160, 130), (160, 152, 142), (150, 146, 140), (196, 180, 156)))
        planks = self.rect("floor", 0.0, self.horizon, floor)
        self.paste("floor", panels(planks, lattice(1, 6, 1.0, 0.06)), floor, 0.8)
        self.rect("wall", self.horizon, self.horizon + 0.025, (232, 228, 220))
