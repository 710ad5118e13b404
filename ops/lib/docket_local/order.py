"""How orders are named outside and in the tables; written apart from the C that does the same."""
import uuid

STATUSES = ("", "accepted", "processing", "confirmed", "fulfilled", "requires_action",
            "payment_failed", "out_of_stock", "on_hold", "canceling", "canceled", "refunding",
            "refunded")
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base32


def to_uuid(public_id):
    """ord_ + 26 characters → the UUID as text."""
    if not public_id.startswith("ord_") or len(public_id) != 30:
        raise ValueError(f"not the id of an order: {public_id!r}")
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
