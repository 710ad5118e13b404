"""The page of docs/api.md in Chromium, from another origin than the API's: one order, whatever the network does."""
import json

import pytest

from harness import wait_for
from harness.browser import Browser
from harness.cutter import Cutter
from harness.page import Site, write

POLL = r"GET /v1/orders/\w+\?wait"
STREAM = r"GET /v1/orders/\w+/events"
LIFE = "[...document.querySelectorAll('#life li')].map((item) => item.textContent)"
BEGUN = "document.getElementById('life').children.length > 0"
SAYS = "document.getElementById('says').textContent"
KEPT = "import('./docket.js').then(({ kept }) => kept())"
IS_OVER = f"{KEPT}.then((kept) => !kept && !document.getElementById('buy').disabled)"


@pytest.fixture(scope="module")
def browser():
    browser = Browser()
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    site = Site(tmp_path_factory.mktemp("sites"))
    yield site
    site.close()


@pytest.fixture(scope="module")
def shop(docket, site):
    docket.open_shop(api={"DOCKET_CORS_ORIGINS": site.origin})
    return docket


class Page:
    """A customer before the page, with a network of his own to the API."""

    def __init__(self, shop, browser, site, name, changes):
        self.shop, self.net, self.person = shop, Cutter(shop.port("api")), browser.person()
        self.site, self.directory = site, site.directory / name
        self.directory.mkdir()
        write(self.directory, self.net.url, shop.checkout, json.dumps(shop.order_body(**changes)))
        self.url = f"{site.origin}/{name}/index.html"
        self.orders = self.count_orders()

    def open(self, **options):
        return self.person.open(self.url, **options)

    def buy(self, **options):
        tab = self.open(**options)
        tab.click("#buy")
        return tab

    def count_orders(self):
        return self.shop.one("SELECT count(*) FROM orders")

    def must_be_one_order(self, tab):
        """Followed to its end; made once, and charged once.  Returns its id."""
        tab.wait(f"{BEGUN} && {IS_OVER}")
        assert tab.value(LIFE)[-1].endswith(" fulfilled"), tab.value(SAYS)
        assert tab.errors() == []
        assert self.count_orders() == self.orders + 1
        number, captured = self.shop.one(
            "SELECT o.id::text, (SELECT sum(captured) FROM payment_attempt WHERE order_id = o.id) "
            "FROM orders o ORDER BY o.id DESC LIMIT 1")
        assert captured == 7020
        return number


@pytest.fixture
def page(shop, browser, site, request):
    made = Page(shop, browser, site, request.node.name, getattr(request, "param", {}))
    yield made
    made.person.leave()
    made.net.close()


def versions(tab):
    return [int(line.split()[0]) for line in tab.value(LIFE)]


def test_an_order_is_made_and_followed_to_its_end(page):
    tab = page.buy()
    page.must_be_one_order(tab)
    assert tab.value(SAYS) == "Your parcel is on its way."
    assert versions(tab) == sorted(set(versions(tab)))
    assert page.net.seen[:2] == ["OPTIONS /v1/orders", "POST /v1/orders"]  # another origin, with preflight
    assert page.net.count(STREAM) == 1 and page.net.count(POLL) == 0


@pytest.mark.parametrize("cut", ["half", "sent", "answered"])
def test_a_connection_lost_in_the_middle_of_the_post_makes_one_order(page, cut):
    page.net.cuts = [cut, cut]
    tab = page.buy()
    page.must_be_one_order(tab)
    assert page.net.cuts == [] and page.net.count("POST /v1/orders$") >= 3


def test_after_a_reload_the_order_is_found(page):
    """The answers are lost for as long as the first page lives."""
    page.net.cuts = ["half", "answered"] * 50
    tab = page.buy()
    tab.wait(f"{SAYS}.includes('do not order again')")
    wait_for(lambda: page.count_orders() == page.orders + 1, 20, "the order is there, and nobody knows")
    key = tab.value(KEPT)["key"]
    tab.reload()
    assert tab.value(KEPT)["key"] == key
    page.net.cuts = []
    page.must_be_one_order(tab)  # nobody has clicked again


def both_follow_one_order(page, first, second):
    """None of the tabs can see the end before the other has begun."""
    for tab in (first, second):
        tab.wait(BEGUN)
    page.shop.start("payment")
    assert page.must_be_one_order(first) == page.must_be_one_order(second)


def test_a_second_tab_goes_on_with_the_order_of_the_first(page, shop):
    shop.stop("payment")
    page.net.cuts = ["sent", "answered"]
    first, second = page.open(), page.open()
    first.click("#buy")
    both_follow_one_order(page, first, second)


def test_two_tabs_at_the_same_moment_make_one_order(page, shop):
    shop.stop("payment")
    first, second = page.open(), page.open()
    at = first.value("Date.now() + 500")
    for tab in (first, second):
        tab.value(f"setTimeout(() => document.getElementById('buy').click(), {at} - Date.now())")
    both_follow_one_order(page, first, second)


COUNTS = """void import('./docket.js').then(async ({ kept }) => {
    while (Date.now() < %s);
    for (let i = 0; i < 300; i++) await kept((now) => ({ n: (now?.n ?? 0) + 1 }));
    document.title = 'counted'; })"""


def test_what_is_kept_is_read_and_written_by_one_tab_alone(page):
    """Two tabs count at once.  With localStorage, the lock of another kind around it, 39 of 600 were lost."""
    tabs = [page.open(), page.open()]
    at = tabs[0].value("Date.now() + 500")
    for tab in tabs:
        tab.value("document.getElementById('buy').disabled = true")  # the page itself looks on
        tab.value(COUNTS % at)
    for tab in tabs:
        tab.wait("document.title === 'counted'")
    assert [tab.value(KEPT)["n"] for tab in tabs] == [600, 600]


def test_a_tab_that_is_late_makes_no_order_of_its_own(page):
    """Told that an order is begun, when the first tab has seen its end already."""
    page.must_be_one_order(page.buy())
    late = page.open()
    late.value("import('./docket.js').then(({ tabs }) => tabs().postMessage('changed'))")
    late.value("void import('./docket.js').then(({ kept, order }) => order({}, kept)).then((made) => {"
               "document.title = String(made); })")
    late.wait("document.title === 'null'")
    assert page.count_orders() == page.orders + 1


IS_SHOWN = "!document.getElementById('{}').hidden"


@pytest.mark.parametrize("page", [{"payment": {"method": "pm_card_visa_chargeDeclined"}}], indirect=True)
def test_what_the_links_offer_is_a_button_and_another_card_pays(page):
    tab = page.buy()
    tab.wait(IS_SHOWN.format("pay"))
    assert tab.value(SAYS).endswith("Please pay another way.")
    tab.click("#pay")
    page.must_be_one_order(tab)
    assert not tab.value(IS_SHOWN.format("pay")) and not tab.value(IS_SHOWN.format("cancel"))
    assert page.net.count(r"POST /v1/orders/\w+/payment_attempts") == 1


def test_the_customer_cancels_by_the_link(page, shop):
    shop.stop("payment")
    tab = page.buy()
    tab.wait(IS_SHOWN.format("cancel"))
    tab.click("#cancel")
    shop.start("payment")
    tab.wait(f"{BEGUN} && {IS_OVER}")
    assert tab.value(LIFE)[-1].endswith(" canceled") and tab.errors() == [], tab.value(LIFE)
    assert not tab.value(IS_SHOWN.format("cancel"))
    assert shop.one("SELECT sum(captured) FROM payment_attempt WHERE order_id = "
                    "(SELECT id FROM orders ORDER BY id DESC LIMIT 1)") in (None, 0)


def test_a_page_of_another_origin_orders_nothing(page, site):
    other = Site(page.directory)
    tab = page.person.open(f"{other.origin}/index.html")
    tab.click("#buy")
    tab.wait(f"{SAYS}.includes('do not order again')")
    assert page.net.count("OPTIONS /v1/orders$") >= 1 and page.net.count("POST") == 0
    other.close()


def test_the_stream_goes_on_after_the_api_was_killed(shop, page):
    shop.stop("payment")
    tab = page.buy()
    tab.wait(BEGUN)
    shop.kill("api")
    shop.start("payment")
    wait_for(lambda: shop.one("SELECT final FROM orders ORDER BY id DESC LIMIT 1"), 20, "the order is done")
    shop.start("api", env={"DOCKET_CORS_ORIGINS": page.site.origin})
    newest = shop.one("SELECT version FROM orders WHERE id = %s", page.must_be_one_order(tab))
    assert versions(tab) == list(range(1, newest + 1))  # what passed meanwhile came too, once
    assert page.net.count(STREAM) >= 2 and page.net.count(POLL) == 0


def test_where_streams_are_refused_it_polls(page):
    page.net.streams = "refuse"
    tab = page.buy()
    page.must_be_one_order(tab)
    assert page.net.count(STREAM) == 1 and page.net.count(POLL) >= 1


def test_where_streams_are_held_back_it_polls(page):
    page.net.streams = "hold"
    tab = page.buy(clock=True)
    wait_for(lambda: page.net.count(STREAM) == 1, 10, "the stream is asked for")
    tab.forward(26000)
    page.must_be_one_order(tab)
    assert page.net.count(POLL) >= 1


@pytest.mark.parametrize("page", [{"payment": {"method": "pm_card_visa_chargeDeclinedStolenCard"}}],
                         indirect=True, ids=["stolen"])
def test_a_decline_is_told_and_not_why(page):
    tab = page.buy()
    tab.wait(f"{SAYS} === 'Your payment was declined. Please pay another way.'")
    assert tab.value(LIFE)[-1].endswith(" payment_failed")
    assert "stolen" not in tab.value("document.body.innerText")


@pytest.mark.parametrize("page", [{"expected_total": {"amount": 1, "currency": "EUR"}}],
                         indirect=True, ids=["total"])
def test_a_refusal_gives_the_key_up(page, shop):
    tab = page.buy()
    tab.wait(f"{SAYS}.startsWith('There is no order: ')")
    tab.wait(IS_OVER)
    assert page.count_orders() == page.orders
    assert page.net.count("POST /v1/orders/abandon") == 1
