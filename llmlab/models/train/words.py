"""Word lists that several text generators share. Data only."""

GIRLS = "Mira Anna Lily Nora Ella Tess Ruby Ada Ivy June Mei Sofia Clara Zoe Hana Luna".split()
BOYS = "Tom Ben Max Leo Sam Finn Omar Jack Hugo Theo Ming Paul Eric Noah Kai Felix".split()
NAMES = GIRLS + BOYS
ANIMALS = "cat dog fox bird rabbit mouse bear frog duck horse owl fish goat turtle hen wolf".split()
COLOURS = "red blue green yellow black white brown pink grey orange purple golden".split()
THINGS = (
    "ball kite lamp book drum boat key cup hat map bell box coin rope stone shell flute clock mirror basket "
    "button candle feather ladder ring spoon"
).split()
FOODS = "apple cake bread soup pear cheese honey plum egg rice carrot pie cookie noodle peach melon".split()
PLACES = (
    "garden forest river village school market hill beach farm house park kitchen library barn bridge lake"
).split()
JOBS = "baker farmer teacher sailor painter doctor tailor singer miller gardener shepherd fisher".split()
CITIES = (
    "Paris London Beijing Tokyo Rome Berlin Madrid Cairo Oslo Lima Delhi Seoul Vienna Shanghai Dublin Prague"
).split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
FEELINGS = "happy sad tired proud afraid brave hungry calm angry curious lonely glad".split()
ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
TENS = ", , twenty thirty forty fifty sixty seventy eighty ninety".split()


def spelled(number: int) -> str:
    """The English name of a number below 100.

    >>> spelled(7), spelled(40), spelled(85)
    ('seven', 'forty', 'eighty-five')
    """
    if number < 20:
        return ONES[number]
    tens, ones = divmod(number, 10)
    return TENS[tens] if ones == 0 else f"{TENS[tens]}-{ONES[ones]}"
