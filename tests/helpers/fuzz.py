"""Frames with something wrong in them."""


def mutated(dice, text):
    """A text with one to four faults; ``dice`` is a ``random.Random``."""
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(text) + 1)
        match dice.randint(0, 4):
            case 0:
                text = text[:at] + text[at + dice.randint(1, 9) :]
            case 1:
                text = text[:at] + chr(dice.choice([0, 10, 34, 91, 93, 123, 0x1F600])) + text[at:]
            case 2:
                text = (
                    text[:at] + dice.choice(["null", "[]", "{}", "-1", "1e999", '""']) + text[at:]
                )
            case 3:
                text = text[:at] + text[: dice.randint(0, len(text))]
            case 4:
                text = text.replace(dice.choice('"[]{}:,1'), dice.choice('"[]{}:,1'), 1)
    return text
