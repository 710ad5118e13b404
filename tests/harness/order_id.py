"""ord_ + 26 characters of Crockford's base32 ⇄ the UUID in the tables; written apart from the C."""
import uuid

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def to_uuid(public_id):
    assert public_id.startswith("ord_") and len(public_id) == 30, public_id
    number = 0
    for character in public_id[4:]:
        number = number * 32 + ALPHABET.index(character)
    return str(uuid.UUID(int=number))


def to_public(text):
    number, characters = uuid.UUID(text).int, ""
    for _ in range(26):
        number, digit = divmod(number, 32)
        characters = ALPHABET[digit] + characters
    return "ord_" + characters
