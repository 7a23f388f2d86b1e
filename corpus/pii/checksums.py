"""Check digits: what tells a number of a kind from any other digits.

luhn("4111111111111111") and iban("GB82WEST12345698765432")
"""

# Lengths by country, https://www.swift.com/standards/data-standards/iban (registry release 99).
IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29, "BY": 28, "CH": 21, "CR": 22,
    "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22,
    "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30,
    "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MR": 27,
    "MT": 31, "MU": 30, "NL": 18, "NO": 15, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "SA": 24, "SC": 31,
    "SE": 24, "SI": 19, "SK": 24, "SM": 27, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
}  # fmt: skip
_VERHOEFF_D = (
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678", "5987604321", "6598710432",
    "7659821043", "8765932104", "9876543210",
)  # fmt: skip
_VERHOEFF_P = ("0123456789", "1576283094", "5803796142", "8916043527", "9453126870", "4286573901", "2793806415", "7046913258")
_ODD = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21) * 2 + (2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)  # of 0-9, A-Z
_DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"


def luhn(digits: str) -> bool:
    """ISO/IEC 7812: payment cards."""
    total = 0
    for at, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if at % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def card(digits: str) -> bool:
    """A payment card by length, issuer prefix and Luhn: Visa, Mastercard, American Express, Discover, JCB, Diners, UnionPay."""
    length, two, four = len(digits), int(digits[:2]), int(digits[:4])
    known = (
        (digits[0] == "4" and length in (16, 19))
        or (length == 16 and (51 <= two <= 55 or 2221 <= four <= 2720))
        or (length == 15 and two in (34, 37))
        or (length in (16, 19) and (four == 6011 or two in (62, 64, 65) or 3528 <= four <= 3589))
        or (length == 14 and two in (30, 36, 38, 39))
    )
    return known and len(set(digits)) > 1 and luhn(digits)


def iban(compact: str) -> bool:
    """ISO 13616: length of the country, and the number modulo 97 is 1."""
    if IBAN_LENGTHS.get(compact[:2]) != len(compact):
        return False
    return int("".join(str(int(character, 36)) for character in compact[4:] + compact[:4])) % 97 == 1


def verhoeff(digits: str) -> bool:
    """Indian Aadhaar numbers."""
    check = 0
    for at, digit in enumerate(reversed(digits)):
        check = int(_VERHOEFF_D[check][int(_VERHOEFF_P[at % 8][int(digit)])])
    return check == 0


def aadhaar(digits: str) -> bool:
    return len(digits) == 12 and digits[0] not in "01" and verhoeff(digits)


def cpf(digits: str) -> bool:
    """Brazil: two check digits modulo 11."""
    if len(digits) != 11 or len(set(digits)) == 1:
        return False
    numbers = [int(digit) for digit in digits]
    return all(numbers[n] == sum(numbers[at] * (n + 1 - at) for at in range(n)) * 10 % 11 % 10 for n in (9, 10))


def chinese_id(text: str) -> bool:
    """GB 11643: 17 digits and a check character modulo 11-2; the date of birth must be one."""
    year, month, day = int(text[6:10]), int(text[10:12]), int(text[12:14])
    if not (1900 <= year <= 2100 and 1 <= month <= 12 and 1 <= day <= 31):
        return False
    return "10X98765432"[sum(int(digit) * (2 ** (17 - at) % 11) for at, digit in enumerate(text[:17])) % 11] == text[17].upper()


def spanish_id(text: str) -> bool:
    """DNI and NIE: a letter by the number modulo 23."""
    number = text[:-1].upper().replace("X", "0").replace("Y", "1").replace("Z", "2")
    return _DNI_LETTERS[int(number) % 23] == text[-1].upper()


def french_nir(digits: str) -> bool:
    """15 digits: sex, year, month, …, and a key of 97 minus the number modulo 97."""
    return digits[0] in "12" and 1 <= int(digits[3:5]) <= 12 and 97 - int(digits[:13]) % 97 == int(digits[13:])


def us_ssn(digits: str) -> bool:
    """Areas 000, 666 and 900-999, group 00 and serial 0000 were never given."""
    return digits[:3] not in ("000", "666") and digits[0] != "9" and digits[3:5] != "00" and digits[5:] != "0000"


def italian_code(text: str) -> bool:
    """Codice fiscale: a check letter over the 15 characters before it."""
    order = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    total = 0
    for at, character in enumerate(text[:15].upper()):
        place = order.index(character)
        total += _ODD[place] if at % 2 == 0 else (place if place < 10 else place - 10)
    return chr(ord("A") + total % 26) == text[15].upper()


def rare_card(digits: str) -> bool:
    """Ranges that other numbers share (Maestro, old and new JCB, Visa of 13 digits): to be believed only beside a word for a card."""
    length = len(digits)
    known = (
        (12 <= length <= 19 and digits[:2] in ("50", "56", "57", "58", "63", "67", "68", "69"))
        or (length == 15 and digits[:4] in ("2131", "1800"))
        or (length == 16 and digits[:2] == "35")
        or (length == 13 and digits[0] == "4")
    )
    return known and len(set(digits)) > 1 and luhn(digits)


def nhs_number(digits: str) -> bool:
    """England: ten digits, the last 11 minus the weighted sum modulo 11."""
    check = 11 - sum(int(digit) * (10 - at) for at, digit in enumerate(digits[:9])) % 11
    return check != 10 and check % 11 == int(digits[9]) and len(set(digits)) > 1


def pesel(digits: str) -> bool:
    """Poland: date of birth (the century in the month), and weights 1, 3, 7, 9."""
    month, day = int(digits[2:4]) % 20, int(digits[4:6])
    weighted = sum(int(digit) * weight for digit, weight in zip(digits, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1), strict=True))
    return 1 <= month <= 12 and 1 <= day <= 31 and weighted % 10 == 0


def bsn(digits: str) -> bool:
    """Netherlands: the eleven test, the last digit with weight -1."""
    weights = (9, 8, 7, 6, 5, 4, 3, 2, -1)
    return len(set(digits)) > 1 and sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True)) % 11 == 0


def german_tax_id(digits: str) -> bool:
    """Steuer-ID: ISO 7064 MOD 11, 10; no leading zero."""
    product = 10
    for digit in digits[:10]:
        total = (int(digit) + product) % 10 or 10
        product = total * 2 % 11
    return digits[0] != "0" and (11 - product) % 10 == int(digits[10])


def belgian_register(digits: str) -> bool:
    """Rijksregisternummer: 97 minus the first nine digits modulo 97, with a 2 before them for those born from 2000."""
    month, day = int(digits[2:4]), int(digits[4:6])
    return month <= 12 and day <= 31 and int(digits[9:]) in (97 - int(digits[:9]) % 97, 97 - int("2" + digits[:9]) % 97)


def ean13(digits: str) -> bool:
    return (10 - sum(int(digit) * (3 if at % 2 else 1) for at, digit in enumerate(digits[:12])) % 10) % 10 == int(digits[12])


def swiss_ahv(digits: str) -> bool:
    return digits.startswith("756") and ean13(digits)


def dated_luhn(digits: str) -> bool:
    """Swedish personnummer (the last ten digits): year, month, day (60 more for coordination numbers), Luhn."""
    ten = digits[-10:]
    return 1 <= int(ten[2:4]) <= 12 and 1 <= int(ten[4:6]) % 60 <= 31 and luhn(ten)


def finnish_code(text: str) -> bool:
    """Henkilötunnus: day, month, year, century sign, serial, and a check character modulo 31."""
    number = text[:6] + text[7:10]
    return (
        1 <= int(text[:2]) <= 31 and 1 <= int(text[2:4]) <= 12 and "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(number) % 31] == text[10].upper()
    )


def norwegian_number(digits: str) -> bool:
    """Fødselsnummer: two check digits modulo 11."""
    numbers = [int(digit) for digit in digits]
    first = sum(a * b for a, b in zip(numbers, (3, 7, 6, 1, 8, 9, 4, 5, 2, 1), strict=False))
    second = sum(a * b for a, b in zip(numbers, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1), strict=False))
    return first % 11 == 0 and second % 11 == 0


def turkish_number(digits: str) -> bool:
    """T.C. kimlik: the tenth digit from odd and even places, the eleventh from the sum."""
    numbers = [int(digit) for digit in digits]
    tenth = (7 * sum(numbers[0:9:2]) - sum(numbers[1:8:2])) % 10
    return numbers[0] != 0 and numbers[9] == tenth and numbers[10] == sum(numbers[:10]) % 10


def australian_tax_number(digits: str) -> bool:
    return sum(int(digit) * weight for digit, weight in zip(digits, (1, 4, 3, 7, 5, 8, 6, 9, 10), strict=True)) % 11 == 0


def portuguese_nif(digits: str) -> bool:
    check = 11 - sum(int(digit) * (9 - at) for at, digit in enumerate(digits[:8])) % 11
    return digits[0] != "0" and (0 if check >= 10 else check) == int(digits[8])


def korean_number(digits: str) -> bool:
    check = (11 - sum(int(digit) * weight for digit, weight in zip(digits, (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5), strict=False)) % 11) % 10
    return 1 <= int(digits[2:4]) <= 12 and 1 <= int(digits[4:6]) <= 31 and check == int(digits[12])


def mexican_curp(text: str) -> bool:
    order = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ"
    total = sum(order.index(character) * (18 - at) for at, character in enumerate(text[:17].upper()))
    return str((10 - total % 10) % 10) == text[17]
