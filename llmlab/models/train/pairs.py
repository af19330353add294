"""English sentences with their Chinese translation, from one small grammar for both languages.

One sentence in ten is held out by a rule on its letters (`held_out`): a probe asks only those.
"""

from __future__ import annotations

from llmlab.models.train.dice import Dice

WHO = {
    "the cat": "猫",
    "the dog": "狗",
    "the bird": "鸟",
    "the fish": "鱼",
    "the girl": "女孩",
    "the boy": "男孩",
    "my mother": "我妈妈",
    "my father": "我爸爸",
    "the teacher": "老师",
    "the student": "学生",
    "the doctor": "医生",
    "my friend": "我朋友",
    "he": "他",
    "she": "她",
    "I": "我",
    "we": "我们",
    "they": "他们",
    "you": "你",
}
PLURAL = {"I", "we", "they", "you"}
EAT = {
    "an apple": "一个苹果",
    "rice": "米饭",
    "bread": "面包",
    "a cake": "一块蛋糕",
    "noodles": "面条",
    "an egg": "一个鸡蛋",
    "fish": "鱼",
}
DRINK = {"water": "水", "tea": "茶", "milk": "牛奶", "coffee": "咖啡"}
SEE = {
    "the moon": "月亮",
    "the sun": "太阳",
    "a tree": "一棵树",
    "a flower": "一朵花",
    "a horse": "一匹马",
    "the house": "房子",
    "a car": "一辆车",
    "the book": "书",
}
LIKE = {
    "red": "红色",
    "blue": "蓝色",
    "music": "音乐",
    "books": "书",
    "flowers": "花",
    "tea": "茶",
    "snow": "雪",
    "summer": "夏天",
}
BUY = {
    "a book": "一本书",
    "a hat": "一顶帽子",
    "a pen": "一支笔",
    "two apples": "两个苹果",
    "three eggs": "三个鸡蛋",
    "a table": "一张桌子",
}
WHERE = {
    "at home": "在家",
    "at school": "在学校",
    "in the park": "在公园",
    "in the garden": "在花园里",
    "by the river": "在河边",
    "in the kitchen": "在厨房",
}
DOES = {
    "sleep": "睡觉",
    "read": "看书",
    "sing": "唱歌",
    "work": "工作",
    "play": "玩",
    "eat": "吃饭",
    "run": "跑步",
}
WHEN = {"": "", "today": "今天", "every day": "每天", "in the morning": "早上", "in the evening": "晚上"}
LOOKS = {
    "big": "大",
    "small": "小",
    "happy": "高兴",
    "tired": "累",
    "beautiful": "漂亮",
    "old": "老",
    "young": "年轻",
    "busy": "忙",
}
VERBS = {
    "eat": ("eats", "吃", EAT),
    "drink": ("drinks", "喝", DRINK),
    "see": ("sees", "看见", SEE),
    "like": ("likes", "喜欢", LIKE),
    "buy": ("buys", "买", BUY),
}


def held_out(english: str) -> bool:
    """True for the sentences that the text never shows.

    >>> held_out("The cat sleeps at home.")
    False
    """
    return sum(i * b for i, b in enumerate(english.encode(), 1)) % 10 == 3


def sentence(dice: Dice) -> tuple[str, str]:
    """One English sentence and its Chinese translation."""
    who = dice.pick(list(WHO))
    zh_who, plural = WHO[who], who in PLURAL
    when = dice.pick(list(WHEN)) if dice.chance(0.5) else ""
    kind = dice.number(0, 9)
    if kind <= 4:
        verb = dice.pick(list(VERBS))
        third, zh_verb, objects = VERBS[verb]
        thing = dice.pick(list(objects))
        if dice.chance(0.2):
            en = f"{who} {'do' if plural else 'does'} not {verb} {thing}"
            zh = (
                f"{zh_who}{WHEN[when]}不{zh_verb}{objects[thing]}"
                if verb != "see"
                else f"{zh_who}{WHEN[when]}没{zh_verb}{objects[thing]}"
            )
        else:
            en, zh = (
                f"{who} {verb if plural else third} {thing}",
                f"{zh_who}{WHEN[when]}{zh_verb}{objects[thing]}",
            )
    elif kind <= 7:
        verb, where = dice.pick(list(DOES)), dice.pick(list(WHERE))
        en, zh = (
            f"{who} {verb if plural else verb + 's'} {where}",
            f"{zh_who}{WHEN[when]}{WHERE[where]}{DOES[verb]}",
        )
    else:
        look = dice.pick(list(LOOKS))
        be = "am" if who == "I" else "are" if plural else "is"
        very = dice.chance(0.5)
        en, zh = (
            f"{who} {be} {'very ' if very else ''}{look}",
            f"{zh_who}{WHEN[when]}{'很' if very else '有点'}{LOOKS[look]}",
        )
        en = en if very else f"{who} {be} a little {look}"
    en = f"{en} {when}".strip()
    return en[0].upper() + en[1:] + ".", zh + "。"


def pairs(dice: Dice) -> str:
    """Three to eight sentence pairs, one way or the other."""
    out = []
    back = dice.chance(0.3)
    want = dice.number(3, 8)
    while len(out) < want:
        en, zh = sentence(dice)
        if not held_out(en):
            out.append(f"Chinese: {zh}\nEnglish: {en}" if back else f"English: {en}\nChinese: {zh}")
    return "\n".join(out)
