"""A few hundred sentences in English, French and German, made of the same few words."""

from __future__ import annotations

import random

LANGUAGES = ("French", "German")
NOUNS = {
    "cat": ("chat", "m", "Katze", "f"),
    "dog": ("chien", "m", "Hund", "m"),
    "house": ("maison", "f", "Haus", "n"),
    "car": ("voiture", "f", "Auto", "n"),
    "book": ("livre", "m", "Buch", "n"),
    "table": ("table", "f", "Tisch", "m"),
    "door": ("porte", "f", "Tür", "f"),
    "letter": ("lettre", "f", "Brief", "m"),
    "garden": ("jardin", "m", "Garten", "m"),
    "bread": ("pain", "m", "Brot", "n"),
    "train": ("train", "m", "Zug", "m"),
    "shop": ("magasin", "m", "Laden", "m"),
    "city": ("ville", "f", "Stadt", "f"),
    "key": ("clé", "f", "Schlüssel", "m"),
    "chair": ("chaise", "f", "Stuhl", "m"),
    "parcel": ("colis", "m", "Paket", "n"),
    "bill": ("facture", "f", "Rechnung", "f"),
    "flower": ("fleur", "f", "Blume", "f"),
}
ADJECTIVES = {
    "big": ("grand", "grande", "groß"),
    "small": ("petit", "petite", "klein"),
    "red": ("rouge", "rouge", "rot"),
    "green": ("vert", "verte", "grün"),
    "black": ("noir", "noire", "schwarz"),
    "white": ("blanc", "blanche", "weiß"),
    "new": ("nouveau", "nouvelle", "neu"),
    "old": ("vieux", "vieille", "alt"),
    "beautiful": ("beau", "belle", "schön"),
    "open": ("ouvert", "ouverte", "offen"),
    "warm": ("chaud", "chaude", "warm"),
    "late": ("en retard", "en retard", "spät"),
}
SUBJECTS = {"I": ("je", 0), "we": ("nous", 1), "they": ("ils", 2)}
GERMAN_SUBJECTS = {"I": "ich", "we": "wir", "they": "sie"}
VERBS = {
    "see": (("vois", "voyons", "voient"), ("sehe", "sehen", "sehen")),
    "buy": (("achète", "achetons", "achètent"), ("kaufe", "kaufen", "kaufen")),
    "have": (("ai", "avons", "ont"), ("habe", "haben", "haben")),
    "sell": (("vends", "vendons", "vendent"), ("verkaufe", "verkaufen", "verkaufen")),
    "find": (("trouve", "trouvons", "trouvent"), ("finde", "finden", "finden")),
    "like": (("aime", "aimons", "aiment"), ("mag", "mögen", "mögen")),
}
PHRASES = {
    "good morning": ("bonjour", "guten Morgen"),
    "good evening": ("bonsoir", "guten Abend"),
    "good night": ("bonne nuit", "gute Nacht"),
    "hello": ("bonjour", "hallo"),
    "goodbye": ("au revoir", "auf Wiedersehen"),
    "thank you": ("merci", "danke"),
    "thank you very much": ("merci beaucoup", "vielen Dank"),
    "please": ("s'il vous plaît", "bitte"),
    "yes": ("oui", "ja"),
    "no": ("non", "nein"),
    "sorry": ("désolé", "Entschuldigung"),
    "how are you": ("comment allez-vous", "wie geht es Ihnen"),
    "I am tired": ("je suis fatigué", "ich bin müde"),
    "see you tomorrow": ("à demain", "bis morgen"),
    "welcome": ("bienvenue", "willkommen"),
    "what time is it": ("quelle heure est-il", "wie spät ist es"),
    "I do not understand": ("je ne comprends pas", "ich verstehe nicht"),
    "one": ("un", "eins"),
    "two": ("deux", "zwei"),
    "three": ("trois", "drei"),
    "today": ("aujourd'hui", "heute"),
    "tomorrow": ("demain", "morgen"),
    "Monday": ("lundi", "Montag"),
    "Friday": ("vendredi", "Freitag"),
}
DER = {"m": "der", "f": "die", "n": "das"}
DEN = {"m": "den", "f": "die", "n": "das"}
EINEN = {"m": "einen", "f": "eine", "n": "ein"}


def translated(dice: random.Random) -> tuple[str, str, str]:
    """English, French and German of one sentence."""
    return dice.choice((_phrase, _is, _is, _is, _does, _does, _does, _where))(dice)


def _phrase(dice: random.Random) -> tuple[str, str, str]:
    english = dice.choice(sorted(PHRASES))
    return english, *PHRASES[english]


def _is(dice: random.Random) -> tuple[str, str, str]:
    noun, adjective = dice.choice(sorted(NOUNS)), dice.choice(sorted(ADJECTIVES))
    french, gender, german, its = NOUNS[noun]
    said = ADJECTIVES[adjective]
    le = "le" if gender == "m" else "la"
    return (
        f"the {noun} is {adjective}",
        f"{le} {french} est {said[gender == 'f']}",
        f"{DER[its]} {german} ist {said[2]}",
    )


def _does(dice: random.Random) -> tuple[str, str, str]:
    subject, verb, noun = (dice.choice(sorted(words)) for words in (SUBJECTS, VERBS, NOUNS))
    il, person = SUBJECTS[subject]
    french, gender, german, its = NOUNS[noun]
    forms = VERBS[verb]
    il = "j'" if il == "je" and forms[0][0][0] in "aeiou" else f"{il} "
    if dice.random() < 0.5:
        un = "un" if gender == "m" else "une"
        a, their = "a", EINEN[its]
    else:
        un = "le" if gender == "m" else "la"
        a, their = "the", DEN[its]
    return (
        f"{subject} {verb} {a} {noun}",
        f"{il}{forms[0][person]} {un} {french}",
        f"{GERMAN_SUBJECTS[subject]} {forms[1][person]} {their} {german}",
    )


def _where(dice: random.Random) -> tuple[str, str, str]:
    noun = dice.choice(sorted(NOUNS))
    french, gender, german, its = NOUNS[noun]
    le = "le" if gender == "m" else "la"
    return f"where is the {noun}", f"où est {le} {french}", f"wo ist {DER[its]} {german}"
