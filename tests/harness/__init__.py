"""What every test of real services is written with.  See conftest.py for the fixtures.

    def test_an_order_is_fulfilled(shop):
        told = shop.post_order()
        assert told.status == 202
        shop.wait_status(told.id, "fulfilled")
        shop.books().must_balance()
"""
import pytest

from . import contract
from .books import Books
from .client import Answer, Client, Raw
from .docket import Docket
from .services import Services
from .wait import must, wait_for

TRAVELLERS = pytest.StashKey()

__all__ = ["Answer", "Books", "Client", "Docket", "Raw", "Services", "TRAVELLERS", "contract",
           "must", "wait_for"]
