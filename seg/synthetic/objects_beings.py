"""People, animals and plants of the object scenes, a method each. Shapes and colours were chosen by eye."""

import math

import numpy as np

from seg.synthetic import scenes_props as props
from seg.synthetic.objects_parts import CIRCLE, Parts, hard, moved, soft, turned
from seg.synthetic.scenes_canvas import Colour

_LEAVES = ((52, 110, 44), (70, 132, 50), (40, 92, 52), (96, 140, 56))
_COATS: dict[str, tuple[Colour, ...]] = {
    "bird": ((196, 52, 44), (226, 180, 50), (214, 96, 40), (52, 98, 180)),
    "cat": ((228, 138, 48), (220, 146, 70), (204, 126, 60), (150, 140, 132)),
    "cow": ((40, 34, 36), (40, 34, 36), (120, 62, 36)),
    "dog": ((64, 54, 50), (48, 42, 42), (92, 72, 58), (200, 172, 128)),
    "horse": ((132, 66, 30), (104, 54, 30), (156, 84, 38)),
    "sheep": ((232, 226, 208), (218, 208, 184), (240, 238, 230)),
}
DARK: Colour = (30, 28, 30)


class Beings(Parts):
    """What is alive, a method each."""

    def person(self) -> None:
        """Someone from the front, standing, walking or waving."""
        skin, hair = self.vary(props.SKIN), self.vary(props.HAIR)
        clothes, trousers = self.vary((*props.CLOTHES, (190, 60, 60), (70, 110, 170)), 0.2), self.vary(props.TROUSERS)
        stride, sleeve = self.dice.uniform(-0.2, 0.2), self.dice.choice((skin, clothes))
        if self.chance(0.4):
            self.part(soft("-.17,1.72 -.12,1.86 .12,1.86 .17,1.72 .2,1.36 -.2,1.36"), hair, 0.8)
        for side in (-1, 1):
            end = self.limb(side * 0.1, 0.95, 0.9, 0.22, swing=side * 0.06 + stride, colour=trousers, shade=0.9)
            self.disc(end[0] + 0.03, end[1], 0.09, DARK, flat=0.6)
        for side in (-1, 1):
            raised = self.dice.choice((0.15, 0.15, 0.4, 0.7, 2.2)) + self.dice.uniform(-0.1, 0.2)
            hand = self.limb(side * 0.23, 1.42, 0.6, 0.14, swing=side * raised, colour=sleeve, shade=0.85)
            self.disc(*hand, 0.06, skin)
        self.body(soft("-.3,1.44 -.16,1.54 .16,1.54 .3,1.44 .24,1.1 .24,.82 -.24,.82 -.24,1.1"), clothes)
        self.bar(0, 1.46, 0, 1.58, 0.13, colour=skin, shade=0.85)
        self.disc(0, 1.68, 0.13, skin, flat=1.2)
        self.part(soft("-.15,1.66 -.15,1.84 0,1.89 .15,1.84 .15,1.66 .1,1.78 -.1,1.78"), hair)
        for x in (-0.05, 0.05):
            self.disc(x, 1.69, 0.016, DARK)

    def horse(self) -> None:
        """Long legs, a long neck with a mane, the head up or at the grass."""
        coat = self.vary(_COATS["horse"])
        mane = self.vary((DARK, (70, 50, 36), (210, 196, 170)))
        self.legs((-0.58, 0.46), 0.95, 0.17, (coat, DARK), far=True)
        self.part(soft("-.7,1.3 -.92,1.15 -1.0,.6 -.9,.4 -.8,.8 -.66,1.1"), mane)
        nod = self.dice.choice((0.0, 0.0, -0.35, -1.25)) + self.dice.uniform(-0.15, 0.15)
        head = (0.5, 1.15, nod)
        neck = soft(".36,1.3 .7,1.72 .82,1.92 .98,1.84 1.26,1.5 1.24,1.38 1.08,1.36 .9,1.5 .74,1.1 .5,.92")
        self.part(turned(soft(".3,1.32 .58,1.78 .8,2.0 .86,1.86 .66,1.5 .5,1.2"), *head), mane)
        self.body(turned(neck, *head), coat)
        self.part(turned(hard(".8,1.86 .82,2.06 .91,1.86"), *head), coat)
        self.body(soft("-.8,1.2 -.64,1.42 -.1,1.3 .4,1.38 .7,1.24 .64,.92 .2,.8 -.3,.84 -.66,.9"), coat)
        self.legs((-0.64, 0.5), 0.95, 0.19, (coat, DARK), far=False)
        self.part(turned(CIRCLE * 0.03 + (0.96, 1.72), *head), DARK)

    def cow(self) -> None:
        """A long box of a body with patches, horns and an udder."""
        coat, patch = self.dice.sample((self.vary(_COATS["cow"]), self.vary(((240, 236, 228),))), 2)
        self.legs((-0.66, 0.5), 0.66, 0.18, (coat, DARK), far=True)
        self.bar(-0.84, 1.2, -0.92, 0.5, 0.06, colour=coat, shade=0.8)
        self.disc(-0.3, 0.62, 0.16, (214, 150, 140), flat=0.8)
        self.body(soft("-.92,1.3 -.6,1.34 .4,1.34 .84,1.34 .8,.8 .5,.6 -.5,.6 -.9,.74"), coat)
        for x in (-0.55, -0.1, 0.4):
            place = np.array([[x + self.dice.uniform(-0.1, 0.1), self.dice.uniform(0.9, 1.1)]])
            self.part(self.clumps(place, self.dice.uniform(0.1, 0.24), 0.17), patch)
        self.legs((-0.7, 0.54), 0.66, 0.2, (coat, DARK), far=False)
        head = (0.7, 1.2, self.dice.choice((0.15, 0.0, -0.9)) + self.dice.uniform(-0.15, 0.15))
        self.part(turned(soft(".88,1.46 .92,1.76 1.0,1.78 .96,1.44"), *head), (226, 214, 186))
        self.body(turned(soft(".6,1.2 .78,1.5 1.02,1.5 1.36,1.14 1.34,.96 1.16,.94 .9,1.04 .66,1.0"), *head), coat)
        self.part(turned(soft(".84,1.36 .64,1.42 .6,1.28 .82,1.24"), *head), coat, 0.7)
        self.part(turned(CIRCLE * 0.12 + (1.26, 1.06), *head), (206, 150, 138))
        self.part(turned(CIRCLE * 0.03 + (1.04, 1.32), *head), DARK)

    def sheep(self) -> None:
        """A ball of wool on thin legs."""
        wool = self.vary(_COATS["sheep"])
        face = self.vary((DARK, (62, 54, 50), (196, 180, 156)))
        self.legs((-0.34, 0.28), 0.45, 0.11, (face, DARK), far=True)
        self.legs((-0.38, 0.32), 0.45, 0.12, (face, DARK), far=False)
        angles = np.linspace(0, 2 * np.pi, 13)[:-1]
        curls = np.stack([0.52 * np.cos(angles), 0.3 * np.sin(angles) + 0.72], axis=1)
        for curl in self.clumps(curls, 0.2, 0.17):
            self.part(curl, wool, 0.88)
        self.part(self.clumps(np.array([[0.0, 0.74]]), 0.56, 0.36), wool, 1.0)
        for curl in self.clumps(curls[1:6] * (0.7, 1) - (0, 0.06), 0.13, 0.1):
            self.part(curl, wool, 1.1)
        head = (0.5, 0.85, self.dice.choice((0.0, 0.1, -0.9)))
        self.body(turned(soft(".5,.96 .62,1.12 .82,1.08 1.02,.8 .96,.68 .78,.74 .56,.78"), *head), face)
        self.part(turned(soft(".62,1.04 .44,1.0 .42,.9 .6,.94"), *head), face, 0.8)
        self.part(turned(CIRCLE * 0.1 + (0.6, 1.08), *head), wool)

    def dog(self) -> None:
        """A tail held high, a long snout and hanging ears."""
        coat, ear = self.vary(_COATS["dog"]), self.vary(_COATS["dog"])
        legs = (coat, self.dice.choice((coat, (232, 224, 210))))
        self.legs((-0.46, 0.36), 0.6, 0.15, legs, far=True)
        wag = self.dice.uniform(-0.5, 0.4)
        self.part(turned(soft("-.5,.9 -.72,1.1 -.86,1.36 -.74,1.36 -.58,1.14 -.4,.92"), -0.5, 0.9, wag), coat, 0.9)
        self.body(soft("-.62,.9 -.45,1.0 .2,.98 .58,1.02 .6,.7 .45,.54 0,.58 -.4,.56 -.6,.62"), coat)
        self.legs((-0.5, 0.4), 0.6, 0.16, legs, far=False)
        head = (0.5, 0.95, self.dice.uniform(-0.35, 0.3))
        self.body(
            turned(soft(".36,.92 .42,1.24 .6,1.4 .8,1.34 1.16,1.18 1.18,1.04 1.02,.98 .8,1.0 .6,.76"), *head), coat
        )
        self.part(turned(soft(".52,1.36 .36,1.1 .4,.88 .54,.92 .64,1.2 .66,1.34"), *head), ear, 0.8)
        self.part(turned(CIRCLE * 0.06 + (1.14, 1.14), *head), DARK)
        self.part(turned(CIRCLE * 0.035 + (0.8, 1.22), *head), DARK)
        if self.chance(0.6):
            self.part(turned(hard(".36,1.0 .6,.84 .64,.9 .4,1.08"), *head), self.vary(props.HELMETS))

    def cat(self) -> None:
        """Sitting, or lying like a loaf; pointed ears, stripes on some."""
        coat = self.vary(_COATS["cat"])
        lying = self.chance(0.4)
        x, y = (0.5, 0.5) if lying else (0.0, 0.98)
        if lying:
            self.part(soft("-.6,.3 -.95,.2 -1.0,.0 -.6,-.02 -.3,.06 -.6,.1"), coat, 0.75)
            self.body(soft("-.8,.1 -.8,.42 -.4,.62 .2,.6 .66,.4 .74,.06 .6,0 -.7,0"), coat)
            marks = [hard(f"{m},.6 {m + 0.08},.6 {m + 0.06},.26 {m + 0.02},.26") for m in (-0.5, -0.3, -0.1)]
            self.bar(0.3, 0.06, 0.84, 0.06, 0.13, colour=coat, shade=1.1)
        else:
            tail = soft("-.2,.02 .5,.0 .66,.2 .56,.5 .66,.56 .8,.2 .56,-.1 -.1,-.08")
            self.part(tail, coat, 0.75)
            self.body(soft("-.34,-.04 -.42,.3 -.24,.66 -.16,.86 .16,.86 .24,.66 .42,.3 .34,-.04"), coat)
            marks = [hard(f".1,{m} .3,{m + 0.03} .3,{m + 0.07} .12,{m + 0.07}") for m in (0.2, 0.36, 0.52)]
            for side in (-0.13, 0.13):
                self.bar(side, 0.5, side, -0.02, 0.13, colour=coat, shade=1.12)
        if self.chance(0.6):
            self.part(np.stack(marks), coat, 0.55)
        for side in (-1, 1):
            ear = hard(".06,.16 .2,.42 .27,.08")
            self.part(ear * (side, 1) + (x, y), coat, 0.85)
            self.part((ear * 0.7 + (0.05, 0.06)) * (side, 1) + (x, y), (196, 142, 136))
        self.disc(x, y, 0.28, coat, 1.05, 0.84)
        self.disc(x, y - 0.1, 0.12, (236, 226, 214), flat=0.75)
        self.disc(x, y - 0.05, 0.03, (206, 120, 120))
        for side in (-0.11, 0.11):
            self.disc(x + side, y + 0.04, 0.05, (176, 196, 70))
            self.disc(x + side, y + 0.04, 0.022, DARK, flat=2.0)

    def bird(self) -> None:
        """Perched, or with both wings spread."""
        coat, wing = self.vary(_COATS["bird"]), self.vary(_COATS["bird"])
        beak = self.vary(((232, 176, 50), (210, 120, 40), (60, 56, 52)))
        if self.place == "air":
            lift = self.dice.uniform(-0.3, 0.5)
            self.part(turned(soft(".1,.1 .0,.5 .2,.95 .45,1.15 .44,.6 .3,.1"), 0.1, 0.1, lift - 0.3), wing, 0.7)
            self.part(hard("-.4,.06 -.95,.22 -1.0,.04 -.9,-.12 -.4,-.06"), wing, 0.85)
            self.body(soft("-.6,.02 -.2,.2 .3,.2 .55,.26 .72,.16 .68,.02 .3,-.14 -.2,-.14"), coat)
            self.part(turned(soft("-.2,.06 -.6,.5 -.6,1.0 -.35,1.3 -.1,.7 .2,.08"), -0.1, 0.1, lift), wing)
            x, y = 0.62, 0.14
        else:
            for leg in (-0.06, 0.1):
                self.bar(leg, 0.2, leg + 0.04, -0.1, 0.035, colour=beak, shade=0.8)
            self.part(hard("-.4,.42 -1.0,.2 -.96,.06 -.3,.24"), wing, 0.85)
            self.body(soft("-.55,.34 -.3,.1 .1,.1 .4,.36 .48,.7 .44,.92 .22,.96 .1,.84 -.1,.66 -.4,.54"), coat)
            self.part(soft("-.6,.3 -.5,.24 -.1,.26 .16,.5 .1,.64 -.2,.58"), wing, 0.9)
            self.part(soft(".16,.2 .3,.3 .4,.6 .2,.56 .1,.36"), (236, 214, 180))
            x, y = 0.34, 0.8
        self.part(moved(hard("0.1,.08 .36,.0 .1,-.06"), x, y), beak)
        self.disc(x, y + 0.05, 0.035, DARK)

    def potted_plant(self) -> None:
        """Leaves, and flowers on some, in a pot."""
        pot, leaf = self.vary(((184, 96, 60), (168, 84, 52), (206, 200, 190), (90, 110, 130))), self.vary(_LEAVES)
        bloom = self.vary(((224, 80, 110), (240, 200, 70), (236, 232, 236), (170, 80, 180)))
        count, flowers = self.dice.randrange(9, 16), self.chance(0.45)
        slim = self.dice.uniform(0.6, 1.5)
        for k in range(count):
            angle = (k * 0.618 % 1 - 0.5) * self.dice.uniform(2.2, 2.8)
            long = self.dice.uniform(0.55, 1.05)
            blade = soft("-.02,0 -.13,.4 -.09,.8 0,1.05 .09,.8 .13,.4 .02,0") * (slim, long)
            self.part(turned(moved(blade, 0, 0.42), 0, 0.42, angle), leaf, self.dice.uniform(0.65, 1.2))
            if flowers and k % 2:
                self.disc(-long * math.sin(angle), 0.42 + long * math.cos(angle), 0.1, bloom)
        self.part(hard("-.26,0 .26,0 .34,.44 -.34,.44"), pot)
        self.part(hard(".08,0 .26,0 .34,.44 .14,.44"), pot, 0.78)
        self.part(hard("-.39,.4 .39,.4 .39,.54 -.39,.54"), pot, 1.12)
