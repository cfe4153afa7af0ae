"""Vehicles and furniture of the object scenes, a method each. Shapes and colours were chosen by eye."""

import math

import numpy as np

from seg.synthetic import scenes_props as props
from seg.synthetic.objects_beings import DARK, Beings
from seg.synthetic.objects_parts import hard, moved, soft
from seg.synthetic.scenes_brush import lattice, panels
from seg.synthetic.scenes_canvas import Colour

_Patch = tuple[float, float, float, float]
_GLASS = ((66, 84, 104), (48, 58, 70), (120, 146, 168))
_METAL: Colour = (150, 152, 156)
_PALE: Colour = (226, 226, 222)
_LAMP: Colour = (244, 236, 190)
_WOOD = ((150, 100, 58), (118, 74, 42), (182, 134, 84), (92, 60, 40))
_CARS = ((44, 78, 168), (60, 96, 186), (204, 208, 214), (128, 134, 144))
_BUSES = ((214, 36, 32), (214, 36, 32), (238, 180, 36))
_TRAINS = ((30, 112, 82), (26, 98, 90), (206, 92, 30))
_SOFAS = ((160, 44, 58), (142, 40, 70), (84, 60, 130))
_BOTTLES = ((30, 96, 50), (46, 112, 56), (112, 58, 20))
_SCREENS = ((40, 74, 190), (40, 110, 206), (30, 36, 60))


class Things(Beings):
    """What was made, a method each."""

    def wheel(self, x: float, y: float, radius: float, hub: Colour = _METAL) -> None:
        """A tyre with its hub."""
        self.disc(x, y, radius, props.RUBBER)
        self.disc(x, y, radius * 0.58, hub)
        self.disc(x, y, radius * 0.2, DARK)

    def panel(self, face: np.ndarray, colour: Colour, *patches: _Patch, shade: float = 1.0) -> None:
        """Rectangles on a quadrilateral, see `panels`."""
        self.part(panels(face, np.array(patches)), colour, shade)

    def aeroplane(self) -> None:
        """From the side, with swept wings, a tail fin and a row of windows."""
        hull = self.vary(((228, 230, 234), (206, 210, 216), (176, 184, 196)))
        trim = self.vary(((190, 40, 44), (36, 72, 150), (230, 160, 40), (60, 64, 72)))
        self.part(hard(".2,.14 -.16,.5 -.02,.5 .5,.14"), hull, 0.7)
        self.part(hard("-1.1,.1 -1.42,.7 -1.16,.7 -.74,.16"), trim)
        self.part(hard("-1.0,.1 -1.4,.3 -1.22,.3 -.7,.12"), hull, 0.7)
        self.body(soft("-1.4,.2 -.9,.22 .9,.24 1.22,.14 1.36,.0 1.2,-.12 .8,-.16 -.5,-.14 -1.1,.02"), hull)
        self.part(hard("-1.0,.04 1.3,.04 1.24,-.02 -.9,-.02"), trim)
        self.part(panels(hard("-.85,.08 .95,.08 .95,.16 -.85,.16"), lattice(14, 1, 0.5, 1.0)), (70, 84, 106))
        self.part(hard("1.04,.1 1.24,.08 1.14,.18 1.02,.2"), (50, 60, 76))
        self.part(hard("-.1,-.02 -.85,-.56 -.6,-.56 .5,-.06"), hull, 0.8)
        for x in (-0.1, -0.4):
            self.part(moved(soft("0,0 .3,0 .36,-.08 .3,-.16 0,-.16 -.04,-.08"), x, x * 0.75 - 0.08), trim, 0.85)

    def bicycle(self) -> None:
        """Two wheels with spokes, a frame of tubes."""
        paint, size = self.vary(props.HELMETS, 0.2), self.dice.uniform(0.33, 0.38)
        for x in (-0.55, 0.55):
            self.disc(x, 0.36, size, props.RUBBER)
            self.disc(x, 0.36, size * 0.84, (148, 150, 150))
            for angle in np.arange(0.2, math.pi, math.pi / 5):
                dx, dy = size * 0.84 * math.cos(angle), size * 0.84 * math.sin(angle)
                self.bar(x - dx, 0.36 - dy, x + dx, 0.36 + dy, 0.02, colour=(70, 72, 74))
        tubes = (
            (-0.55, 0.36, -0.2, 0.86),
            (-0.55, 0.36, 0.02, 0.32),
            (0.02, 0.32, -0.24, 0.98),
            (0.02, 0.32, 0.38, 0.86),
        )
        for tube in (*tubes, (-0.2, 0.86, 0.38, 0.88), (0.55, 0.36, 0.34, 1.06)):
            self.bar(*tube, 0.065, colour=paint)
        self.disc(0.02, 0.32, 0.1, DARK)
        self.part(soft("-.42,1.0 -.1,.98 -.06,1.04 -.4,1.1"), DARK)
        self.part(soft(".24,1.04 .36,1.14 .52,1.08 .5,1.0 .38,1.04"), DARK)

    def motorbike(self) -> None:
        """Two thick wheels, a tank, an engine and an exhaust."""
        paint = self.vary(((40, 42, 46), (230, 112, 24), (60, 62, 66)), 0.15)
        for x in (-0.72, 0.74):
            self.wheel(x, 0.36, 0.36)
        self.bar(-0.7, 0.36, 0.1, 0.4, 0.12, colour=_METAL, shade=0.7)
        self.part(hard("-.4,.2 .36,.2 .46,.66 -.4,.66"), (58, 58, 62))
        self.part(panels(hard("-.2,.28 .3,.28 .3,.62 -.2,.62"), lattice(1, 4, 1.0, 0.5)), _METAL)
        self.bar(-1.0, 0.24, 0.1, 0.24, 0.1, colour=_METAL)
        self.bar(0.4, 1.06, 0.74, 0.36, 0.08, colour=_METAL)
        self.body(soft("-1.1,.86 -.6,.66 -.1,.66 .3,.62 .5,.74 .44,.98 .2,1.06 -.1,.92 -.6,.88 -1.06,.98"), paint)
        self.part(soft("-.96,.94 -.1,.88 -.06,.98 -.5,1.04 -.96,1.06"), DARK)
        self.part(soft(".4,.8 .5,1.12 .66,1.1 .76,.84 .6,.66"), paint)
        self.disc(0.68, 0.88, 0.1, _LAMP)
        self.bar(0.26, 1.2, 0.52, 1.08, 0.07, colour=DARK)

    def boat(self) -> None:
        """Under sail, or with a cabin."""
        hull = self.vary(((232, 230, 224), (40, 74, 124), (168, 44, 40), (120, 80, 50)))
        if self.chance(0.5):
            cloth = self.vary(((238, 236, 228), (238, 236, 228), (206, 84, 60)))
            self.bar(0, 0.3, 0, 2.1, 0.05, colour=(110, 90, 70))
            self.part(hard(".06,.5 .06,2.0 .95,.52"), cloth)
            self.part(hard(".06,.5 .06,1.0 .68,.98 .95,.52"), cloth, 0.88)
            self.part(hard("-.06,.5 -.04,1.8 -.8,.52"), cloth, 0.92)
        else:
            self.part(hard("-.6,.3 -.55,.8 .3,.8 .5,.3"), (232, 232, 228))
            self.part(panels(hard("-.55,.36 .42,.36 .3,.76 -.53,.76"), lattice(4, 1, 0.7, 0.6)), self.vary(_GLASS))
            self.part(hard("-.66,.8 .36,.8 .34,.88 -.62,.88"), hull, 0.8)
            self.bar(-0.3, 0.84, -0.3, 1.3, 0.04, colour=_METAL)
        self.part(soft("-1.0,.42 1.2,.46 1.0,.2 .8,-.02 -.8,-.04 -.96,.1"), hull)
        self.part(hard("-.9,.06 .86,.06 .78,-.02 -.82,-.02"), self.vary(((150, 40, 40), DARK)))
        self.part(hard("-.98,.34 1.08,.36 1.12,.42 -.98,.4"), hull, 0.7)

    def bus(self) -> None:
        """A tall box in perspective: front with a windscreen, side with windows and wheels."""
        paint, glass, far = self.vary(_BUSES), self.vary(_GLASS), self.dice.uniform(0.7, 0.95)
        length, front = self.dice.uniform(1.5, 2.3), self.dice.uniform(0.5, 0.8)
        side = np.array([(0, 0.12), (length, 0.7 - 0.58 * far), (length, 0.7 + 0.72 * far), (0, 1.42)])
        face = hard("-1,.18 0,.12 0,1.42 -1,1.36") * (front, 1)
        self.part(side, paint, 0.86)
        for x, size in ((0.34, 0.19), (length * 0.8, 0.19 * far)):
            self.wheel(x, 0.16 + 0.1 * (1 - far) * x, size)
        self.part(panels(side, lattice(6, 1, 0.86, 1.0) * (1, 1, 0.36, 0.36) + (0, 0, 0.5, 0.5)), glass, 0.8)
        self.panel(side, _PALE, (0.0, 1.0, 0.3, 0.38), shade=0.85)
        self.part(face, paint)
        self.panel(face, glass, (0.08, 0.92, 0.42, 0.82), shade=1.1)
        self.panel(face, (250, 190, 60), (0.2, 0.8, 0.87, 0.95), shade=0.8)
        self.panel(face, _LAMP, (0.08, 0.24, 0.14, 0.24), (0.76, 0.92, 0.14, 0.24))
        self.panel(face, DARK, (0.0, 1.0, 0.0, 0.08), (0.49, 0.51, 0.42, 0.82))

    def car(self) -> None:
        """From the side, or from the front."""
        paint, glass = self.vary(_CARS, 0.15), self.vary(_GLASS)
        if self.chance(0.3):
            for x in (-0.56, 0.56):
                self.bar(x, 0, x, 0.4, 0.22, colour=DARK)
            self.body(soft("-.76,.2 -.8,.6 -.6,.78 -.5,1.16 .5,1.16 .6,.78 .8,.6 .76,.2"), paint)
            self.part(hard("-.54,.76 -.42,1.1 .42,1.1 .54,.76"), glass)
            self.part(hard("-.36,.34 .36,.34 .34,.52 -.34,.52"), DARK)
            self.part(hard("-.78,.2 .78,.2 .78,.3 -.78,.3"), paint, 0.6)
            self.part(hard("-.17,.22 .17,.22 .17,.31 -.17,.31"), _PALE)
            for x in (-0.57, 0.57):
                self.disc(x, 0.52, 0.14, _LAMP, flat=0.7)
            return
        roof = self.dice.uniform(0.96, 1.12)
        self.body(soft("-1.1,.24 -1.14,.6 -1.0,.74 -.5,.74 .4,.74 1.0,.68 1.12,.5 1.1,.22"), paint)
        cabin = hard("-.86,0 -.56,1 .24,1 .66,0") * (1, roof - 0.72)
        self.part(moved(cabin, 0.0, 0.72), paint)
        self.part(moved(cabin * (0.88, 0.82), -0.01, 0.73), glass)
        self.bar(-0.16, 0.7, -0.16, roof, 0.06, colour=paint)
        self.bar(-0.16, 0.3, -0.16, 0.7, 0.02, colour=paint, shade=0.6)
        self.part(soft("1.0,.54 1.14,.5 1.12,.62 .98,.64"), _LAMP)
        self.part(soft("-1.14,.54 -1.02,.54 -1.02,.66 -1.12,.66"), (196, 40, 36))
        for x in (-0.66, 0.64):
            self.disc(x, 0.28, 0.27, paint, 0.4)
            self.wheel(x, 0.23, 0.22, _PALE)

    def train(self) -> None:
        """A locomotive with its coaches, running off towards a vanishing point."""
        paint, glass = self.vary(_TRAINS), self.vary(_GLASS)
        nose = self.vary(((236, 196, 46), (236, 196, 46), paint, (190, 40, 38)))
        length, far = self.dice.uniform(1.7, 2.8), self.dice.uniform(0.3, 0.6)
        side = np.array([(0, 0.1), (length, 0.9 - 0.8 * far), (length, 0.9 + 0.5 * far), (0, 1.4)])
        self.part(side, paint, 0.82)
        self.panel(side, DARK, (0.0, 1.0, 0.0, 0.12))
        self.panel(side, _METAL, (0.0, 1.0, 0.92, 1.0), shade=0.8)
        rows = lattice(9, 1, 0.7, 1.0) * (1, 1, 0.28, 0.28) + (0, 0, 0.5, 0.5)
        self.part(panels(side, rows), glass)
        self.panel(side, nose, (0.0, 1.0, 0.34, 0.42), shade=0.85)
        self.panel(side, DARK, (0.33, 0.345, 0.0, 1.0), (0.66, 0.672, 0.0, 1.0))
        self.part(soft("-.76,.16 -.84,.8 -.7,1.36 -.4,1.48 -.1,1.46 .02,1.38 .02,.06 -.7,.1"), paint)
        self.part(soft("-.74,.26 -.8,.72 .02,.74 .02,.16 -.6,.2"), nose)
        self.panel(hard("-.74,.84 -.06,.84 -.08,1.3 -.64,1.28"), glass, (0.0, 0.47, 0, 1), (0.53, 1.0, 0, 1))
        for x, y in ((-0.62, 0.46), (-0.14, 0.46), (-0.36, 1.39)):
            self.disc(x, y, 0.07, _LAMP)
        self.part(hard("-.7,.04 .04,.0 .04,.16 -.72,.2"), DARK)

    def bottle(self) -> None:
        """A neck, a cap and a label, more or less slim."""
        glass, label = self.vary(_BOTTLES, 0.15), self.vary(((232, 226, 206), (186, 50, 44), (222, 190, 90)))
        slim = self.dice.uniform(0.8, 1.25)
        shape = soft("-.24,0 -.24,.1 -.24,.75 -.1,1.05 -.1,1.4 -.1,1.5 .1,1.5 .1,1.4 .1,1.05 .24,.75 .24,.1 .24,0")
        self.part(shape * (slim, 1), glass)
        self.part(shape * (0.3 * slim, 0.92) + (0.1, 0.04), glass, 0.7)
        self.part(hard("-.16,.1 -.12,.1 -.12,.75 -.16,.75") * (slim, 1), glass, 1.6)
        self.part(hard("-.22,.2 .22,.2 .22,.55 -.22,.55") * (slim, 1), label)
        self.part(hard("-.16,.3 .16,.3 .16,.4 -.16,.4") * (slim, 1), label, 0.6)
        self.part(hard("-.12,1.4 .12,1.4 .12,1.54 -.12,1.54"), self.vary(((196, 160, 60), (170, 40, 40), DARK)))

    def chair(self) -> None:
        """Four legs, a seat and a back with slats."""
        wood = self.vary(((40, 124, 150), (36, 104, 132), (150, 100, 58)))
        seat = self.vary((wood, (70, 96, 130)))
        for x0, x1 in ((-0.24, -0.28), (0.36, 0.42)):
            self.bar(x0, 0.6, x1, 0.12, 0.07, colour=wood, shade=0.7)
        self.part(hard("-.36,.56 -.3,1.3 .34,1.36 .3,.62"), wood, 0.8)
        self.part(panels(hard("-.3,.68 -.26,1.22 .28,1.28 .25,.72"), lattice(1, 4, 1.0, 0.55)), wood, 1.15)
        self.part(soft("-.42,.54 -.34,.66 .34,.7 .5,.56 .46,.46 -.4,.42"), seat)
        self.part(hard("-.42,.5 .5,.52 .48,.42 -.42,.4"), wood, 0.85)
        for x0, x1 in ((-0.36, -0.42), (0.42, 0.48)):
            self.bar(x0, 0.46, x1, 0.0, 0.09, colour=wood)

    def dining_table(self) -> None:
        """A laid table seen from above its edge."""
        wood, cloth = self.vary(_WOOD), self.vary(((236, 230, 216), (190, 74, 66), (120, 150, 170)))
        for x, low in ((-0.82, 0.0), (0.82, 0.0), (-0.6, 0.25), (0.6, 0.25)):
            self.bar(x, 0.7, x * 1.03, low, 0.1, colour=wood, shade=0.75)
        top = hard("-1.05,.66 1.05,.66 .76,1.02 -.76,1.02")
        self.part(hard("-1.05,.56 1.05,.56 1.05,.66 -1.05,.66"), wood, 0.75)
        self.part(top, wood, 1.1)
        if self.chance(0.45):
            self.part(hard("-1.06,.44 1.06,.44 1.05,.66 .77,1.03 -.77,1.03 -1.05,.66"), cloth, 0.82)
            self.part(top, cloth)
        for x, y in ((-0.6, 0.76), (0.04, 0.74), (0.62, 0.77), (-0.3, 0.92), (0.36, 0.92)):
            if self.chance(0.7):
                self.disc(x, y, 0.16, (240, 240, 236), flat=0.36)
                self.disc(x, y, 0.1, self.vary(((196, 120, 60), (120, 150, 60), (220, 220, 216))), flat=0.36)
        self.part(moved(hard("-.05,.0 .05,.0 .07,.2 -.07,.2"), self.dice.uniform(-0.4, 0.4), 0.84), (196, 214, 222))

    def sofa(self) -> None:
        """A back, two arms and cushions."""
        cloth, seats = self.vary(_SOFAS, 0.15), self.dice.choice((2, 2, 3))
        pillow = self.vary((*_SOFAS, (226, 200, 90), (220, 220, 214)))
        for x in (-0.95, 0.95):
            self.bar(x, 0, x, 0.16, 0.1, colour=(70, 50, 38))
        self.part(soft("-1.0,.3 -1.02,.96 -.8,1.06 .8,1.06 1.02,.96 1.0,.3"), cloth, 0.82)
        self.part(hard("-1.0,.1 1.0,.1 1.0,.4 -1.0,.4"), cloth, 0.66)
        cushion = soft("0,0 0,1 1,1 1,0 .5,-.02")
        for left in np.linspace(-0.9, 0.9, seats + 1)[:-1]:
            self.part(cushion * (1.76 / seats, 0.46) + (left, 0.52), cloth, 0.98)
            self.part(cushion * (1.76 / seats, 0.24) + (left, 0.34), cloth, 1.15)
        if self.chance(0.6):
            self.part(moved(soft("0,.0 .04,.4 .34,.36 .36,-.02"), self.dice.uniform(-0.7, 0.5), 0.56), pillow)
        for side in (-1, 1):
            self.body(soft(".84,.1 .8,.6 .86,.76 1.1,.76 1.16,.6 1.12,.1") * (side, 1), cloth, 1.02)

    def tv_monitor(self) -> None:
        """A screen in its frame on a foot, with a picture on some."""
        frame, screen = self.vary(((34, 34, 38), (52, 52, 56), (176, 176, 174))), self.vary(_SCREENS, 0.2)
        wide = self.dice.choice((0.62, 0.85, 0.95))
        self.part(soft("-.4,.0 -.3,.08 .3,.08 .4,0"), frame, 0.8)
        self.bar(0, 0.04, 0, 0.3, 0.2, colour=frame, shade=0.7)
        box = hard("-1,.22 1,.22 1,1.42 -1,1.42") * (wide, 1)
        self.part(box, frame)
        inner = (box - (0, 0.8)) * (0.9, 0.84) + (0, 0.84)
        self.part(inner, screen)
        if self.chance(0.6):
            low, high = sorted((self.dice.uniform(0.1, 0.9), self.dice.uniform(0.3, 0.95)))
            self.panel(inner, self.vary(((70, 120, 70), (190, 170, 130))), (0.0, 1.0, 0.0, low * 0.6))
            self.panel(inner, self.vary(_SOFAS, 0.2), (low * 0.8, high, 0.2, 0.7))
        self.panel(inner, screen, (0.0, 0.5, 0.7, 1.0), shade=1.3)
