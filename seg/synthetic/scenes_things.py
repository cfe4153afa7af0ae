"""The things of a street, each painted by its own method at a place in metres."""

import numpy as np

from seg.synthetic import scenes_props as props
from seg.synthetic.scenes_brush import Brush, flat, lattice, panels
from seg.synthetic.scenes_canvas import Colour

_LAMPS = np.array([[0.03, 0.15, 0.55, 0.75], [0.85, 0.97, 0.55, 0.75]])
_PLATE = np.array([[0.38, 0.62, 0.28, 0.45]])
_DOORS = np.array([[0.48, 0.52, 0.05, 0.95]])  # the slit between them
_TAIL = np.array([[0.02, 0.12, 0.03, 0.1], [0.88, 0.98, 0.03, 0.1]])
_BUMPER = np.array([[0.0, 1.0, 0.0, 0.26]])
_STRIPE = np.array([[0.0, 1.0, 0.0, 0.3]])
_PANE = np.array([[0.08, 0.92, 0.12, 0.88]])
_PANES = np.array([[0.06, 0.46, 0.12, 0.88], [0.52, 0.94, 0.12, 0.88]])


class Things(Brush):
    """Vehicles, people, plants and street furniture."""

    def car(self, x: float, z: float, oncoming: bool = False, ground: str = "road") -> None:
        """A car seen from behind, or from the front where it is oncoming."""
        paint = self.vary(props.PAINT, 0.15)
        width, length, height = self.dice.uniform(1.7, 1.9), self.dice.uniform(3.8, 4.7), self.dice.uniform(1.38, 1.7)
        waist = height * 0.57
        self.stand("car", x, z, (width, length), 0.24, ground=ground)
        back, _ = self.box("car", x, z, (width, length), (0.24, waist), colour=paint, taper=0.04)
        self.fill("car", back, paint)
        front, rear = (1.2, 0.5) if oncoming else (0.5, 1.2)
        cabin = (width - 0.16, length - front - rear)
        glass, panes = self.box("car", x, z + front, cabin, (waist, height), colour=paint, taper=0.24)
        self.fill("car", panels(panes, _PANES), props.GLASS)
        self.fill("car", glass, paint)
        self.fill("car", panels(glass, _PANE), props.GLASS, self.dice.uniform(0.8, 1.9))
        self.fill("car", panels(back, _BUMPER), props.RUBBER, 1.6)
        self.fill("car", panels(back, _LAMPS), (226, 224, 206) if oncoming else (190, 30, 30))
        self.fill("car", panels(back, _PLATE), props.WHITE if not oncoming else (44, 44, 48))

    def coach(self, name: str, x: float, z: float, ground: str = "road") -> None:
        """A vehicle that is a box: truck, bus, train, caravan or trailer."""
        row = props.COACHES[name]
        paint = self.vary(row.paints)
        self.stand(name, x, z, (row.width, row.length), row.floor, ground=ground)
        back, side = self.box(name, x, z, (row.width, row.length), (row.floor, row.height), colour=paint)
        if row.windows:
            low, high = row.windows
            columns = max(2, round(row.length / 1.6))
            strip = lattice(columns, 1, 0.84, 1.0) * (1, 1, high - low, high - low) + (0, 0, low, low)
            rear, dark = np.array([[0.1, 0.9, low, high]]), props.GLASS
        else:  # the walls of a load
            strip, rear, dark = lattice(6, 1, 0.06, 0.92), _DOORS, props.GLASS
        for face, patches, shade in ((side, strip, 0.82), (back, rear, 1.0)):
            if face is back:
                self.fill(name, back, paint)
            if row.stripe:
                self.fill(name, panels(face, _STRIPE), row.stripe, shade)
            self.fill(name, panels(face, patches), dark, shade)
        self.fill(name, panels(back, _TAIL), (190, 30, 30))

    def stand(self, name: str, x: float, z: float, size: tuple[float, float], floor: float, *, ground: str) -> None:
        """Tyres up to a vehicle's floor, and the dark ground below it."""
        width, length = size
        left, right = x - width / 2, x + width / 2
        self.fill(ground, flat(left - 0.1, right + 0.1, z - 0.15, z + length), (34, 34, 38))
        top = floor + 0.1
        for axle in (z + length * 0.78, z + length * 0.12):
            for tyre in (left + 0.15, right - 0.15):
                self.upright(name, tyre, axle, props.bar(0, 0, 0, top, 0.24), props.RUBBER)

    def person(self, x: float, z: float, name: str = "person", figure: props.Figure = props.PERSON) -> None:
        """Someone on foot."""
        colours = {
            "trousers": self.vary(props.TROUSERS),
            "clothes": self.vary(props.CLOTHES, 0.2),
            "skin": self.vary(props.SKIN),
            "hair": self.vary(props.HAIR),
            "helmet": self.vary(props.HELMETS),
        }
        self.figure(name, x, z, figure, colours)

    def cycle(self, name: str, x: float, z: float, ridden: bool = False) -> None:
        """A bicycle or a motorcycle, with or without its rider."""
        colours: dict[str, Colour] = {
            "rubber": props.RUBBER,
            "spokes": (104, 104, 106),
            "frame": self.vary(props.HELMETS),
            "metal": self.vary(props.METAL),
            "paint": self.vary(props.HELMETS),
            "white": props.WHITE,
        }
        self.figure(name, x, z, props.BICYCLE if name == "bicycle" else props.MOTORCYCLE, colours)
        if ridden:
            self.person(x, z - 0.05, "rider", props.CYCLIST)

    def litter(self, name: str, x: float, z: float) -> None:
        """Something that is there and not scored: a bin (static) or a pram (dynamic)."""
        colours = {"metal": self.vary(props.METAL), "rubber": props.RUBBER, "clothes": self.vary(props.CLOTHES)}
        self.figure(name, x, z, props.BIN if name == "static" else props.PRAM, colours)

    def pole(self, x: float, z: float, name: str = "pole", height: float | None = None) -> None:
        """A lamp post, with an arm over the road where it is tall."""
        tall = height or self.dice.uniform(4.0, 9.0)
        width = self.dice.uniform(0.11, 0.2)
        metal = self.vary(props.METAL)
        self.upright(name, x, z, props.bar(0, 0, 0, tall, width), metal)
        self.upright(name, x, z, props.bar(width / 4, 0, width / 4, tall, width / 2), metal, shade=0.75)
        if tall > 6:
            reach = -1.8 if x > 0 else 1.8
            self.upright(name, x, z, props.bar(0, tall, reach, tall + 0.25, 0.14), metal)

    def sign(self, x: float, z: float) -> None:
        """One or two traffic signs on a pole."""
        height = self.dice.uniform(2.3, 3.2)
        self.pole(x, z, height=height)
        for lower in range(self.dice.choice((1, 1, 2))):
            radius, rows = self.dice.uniform(0.34, 0.5), self.dice.choice(props.SIGNS)
            centre = height - 1.0 * lower
            for outline, colour in rows:
                shape = [(radius * dx, centre + radius * dy) for dx, dy in outline]
                self.upright("traffic sign", x, z - 0.1, shape, self.vary((colour,)))

    def traffic_light(self, x: float, z: float) -> None:
        """A traffic light with one lamp lit, at eye level or above the road."""
        height = self.dice.uniform(2.6, 3.4)
        self.pole(x, z, height=height)
        self.upright("traffic light", x, z - 0.1, props.bar(0, height - 1.0, 0, height + 0.1, 0.44), (34, 36, 36))
        lit = self.dice.randrange(3)
        for row, lamp in enumerate(props.LAMPS):
            disc = props.disc(0, height - 0.12 - 0.33 * row, 0.15, 8)
            self.upright("traffic light", x, z - 0.15, disc, lamp, shade=1.0 if row == lit else 0.25)

    def tree(self, x: float, z: float, low: float = 0.0) -> None:
        """A tree, or a bush where `low` is above 0: then its height in metres."""
        leaves, light = self.vary(props.FOLIAGE, 0.2), self.dice.uniform(0.85, 1.15)
        height = low or self.dice.uniform(4.5, 9.0)
        rx, ry = height * self.dice.uniform(0.26, 0.4), height * self.dice.uniform(0.3, 0.38)
        middle = height * (0.5 if low else 0.68)
        if not low:
            self.upright("vegetation", x, z, props.bar(0, 0, 0.1, middle, height * 0.045), (74, 62, 50))
        crown = self.clumps(np.array([[0.0, middle]]), rx, ry)
        self.upright("vegetation", x, z, crown, leaves, shade=light * 0.85)
        spots = np.array([(self.dice.uniform(-0.6, 0.6), self.dice.uniform(-0.6, 0.6)) for _ in range(10)])
        spots = spots[np.argsort(spots[:, 1])] * (rx, ry) + (0, middle)  # the lower ones lie in the shade
        clumps = self.clumps(spots, rx * 0.24, ry * 0.22)
        self.upright("vegetation", x, z, clumps[:5], leaves, shade=light * 0.62)
        self.upright("vegetation", x, z, clumps[5:], leaves, shade=light * 1.25)
