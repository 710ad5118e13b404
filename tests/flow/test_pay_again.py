"""POST /v1/orders/{id}/payment_attempts: another card, once the last payment is surely over."""
from concurrent.futures import ThreadPoolExecutor

import pytest

from docket_local import order

from harness import Client, must, wait_for
from harness.client import new_key
from harness.outcomes import (WORKER, attempt, available, begun, facts, kinds, pay_again, paying_with,
                              payment_of, post, post_before_payment, wait_all, wait_payable, wait_task)
from harness.webhooks import deliver, event_of

DECLINED = paying_with("pm_card_visa_chargeDeclined")
ASKS = paying_with("pm_card_threeDSecureRequired")
PATIENT = {"DOCKET_CUSTOMER_WAIT_S": 600}
SKU = "TEA-EARL-250"


@pytest.fixture(scope="module", name="shop")
def lend_shop(docket):
    docket.start_all(payment=WORKER | PATIENT, fulfilment=WORKER, relay={"DOCKET_SWEEP_S": 1},
                     api={"DOCKET_PAYMENT_ATTEMPTS_MAX": 3})
    docket.stock_up()
    docket.make_keys()
    return docket


@pytest.fixture(autouse=True)
def leave_no_faults(shop):
    yield
    shop.no_faults()


def declined(shop, **changes):
    """An order that may be paid again."""
    public = post(shop, **(DECLINED | changes))
    wait_payable(shop, public)
    return public


def test_checkout_woocommerce_361_another_card_pays_an_order_whose_first_was_declined(shop):
    """A key of its own for each attempt, and never one under which a refusal is kept."""
    public = declined(shop)
    answer = pay_again(shop, public)
    must((answer.status, answer.json["payment"]), (202, {"attempt": 2}), answer)
    shop.wait_status(public, "fulfilled")
    must(payment_of(shop, public), {"attempt": 2, "state": "captured"}, "its payment")
    [charge] = facts(shop, "charge", public)
    assert charge["key"].startswith(f"{public}-2-confirm-"), charge
    must(len(facts(shop, "intent", public)), 2, "intents")
    must(shop.sql("SELECT number, state, method, decline_reason FROM payment_attempt "
                  "WHERE order_id = %s ORDER BY number", order.to_uuid(public)),
         [(1, 4, "pm_card_visa_chargeDeclined", "card_declined"), (2, 3, "pm_card_visa", "")],
         "the attempts")
    shop.books().must_balance()


def test_the_stock_is_reserved_anew_or_the_order_is_out_of_stock(shop):
    body = {"lines": [{"sku": "LAST-ONE", "quantity": 1}],
            "expected_total": {"amount": 10390, "currency": "EUR"}}
    public = declined(shop, **body)
    must(available(shop, "LAST-ONE"), 1, "the piece is back")
    lucky = post(shop, **body)
    shop.wait_status(lucky, "fulfilled")
    must(pay_again(shop, public).status, 202, "it is tried")
    shop.wait_status(public, "canceled")
    assert "out_of_stock" in kinds(shop, public), kinds(shop, public)
    must(len(facts(shop, "intent", public)), 1, "nobody was asked for money again")
    must(pay_again(shop, public).code, "payment_not_possible", "and no more attempts")
    shop.books().must_balance()


def test_the_same_key_is_the_same_attempt_for_ever(shop):
    public, key = declined(shop), new_key()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: pay_again(shop, public, key=key), range(8)))
    must({(answer.status, answer.body) for answer in answers}, {(202, answers[0].body)}, "answers")
    must(sum("idempotent-replayed" in answer.headers for answer in answers), 7, "replays")
    shop.wait_status(public, "fulfilled")
    must(pay_again(shop, public, key=key).body, answers[0].body, "after its end")
    other = pay_again(shop, public, "pm_card_amex", key)
    must((other.status, other.code, other.accepted), (422, "idempotency_key_reused", "yes"), other)
    must(shop.one("SELECT count(*) FROM payment_attempt WHERE order_id = %s",
                  order.to_uuid(public)), 2, "attempts")
    shop.books().must_balance()


def test_of_two_at_once_one_opens_an_attempt(shop):
    public = declined(shop)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: pay_again(shop, public), range(8)))
    must(sorted(answer.status for answer in answers), [202] + [409] * 7, answers)
    must({answer.code for answer in answers} <= {None, "payment_in_progress", "payment_not_possible"}, True,
         answers)
    shop.wait_status(public, "fulfilled")
    must(len(facts(shop, "charge", public)), 1, "charges")
    shop.books().must_balance()


def test_vendure_2620_nothing_is_opened_before_the_last_payment_is_surely_over(shop):
    """Not while it is paid, nor before its intent is canceled."""
    [public] = post_before_payment(shop)
    answer = pay_again(shop, public)
    must((answer.status, answer.code, answer.accepted), (409, "payment_in_progress", "no"), answer)
    shop.thaw("payment")
    shop.wait_status(public, "fulfilled")
    must(pay_again(shop, public).code, "payment_not_possible", "it is paid")

    [public] = post_before_payment(shop, **DECLINED)
    shop.fault("cancel", "unavailable", order=public)
    shop.thaw("payment")
    shop.wait_status(public, "payment_failed")
    answer = pay_again(shop, public)
    must((answer.status, answer.code), (409, "payment_in_progress"), answer)
    must("payment_attempts" in shop.read.get(f"/v1/orders/{public}").json["links"], False, "a link")
    shop.no_faults()
    wait_payable(shop, public)
    must(pay_again(shop, public).status, 202, "now it is over")
    shop.wait_status(public, "fulfilled")
    shop.books().must_balance()


def asked(shop):
    """An order whose customer is asked for 3-D Secure and has ten minutes for it, and its intent."""
    public = post(shop, **ASKS)
    shop.wait_status(public, "requires_action")
    wait_task(shop, public, "waiting")
    return public, attempt(shop, public)[1]


def finish(shop, intent, how="succeeded"):
    return shop.sandbox.post(f"/sandbox/intents/{intent}/finish", {"as": how}).status


def must_give_up(shop, public, key=None):
    answer = pay_again(shop, public, key=key)
    must((answer.status, answer.code, answer.accepted), (409, "payment_in_progress", "no"), answer)
    assert "is being canceled" in answer.json["detail"] and "retry-after" in answer.headers, answer


def test_who_would_rather_pay_otherwise_need_not_sit_out_3d_secure(shop):
    """The intent is canceled first: what was asked for can not be paid any more, then another is made."""
    (public, intent), key = asked(shop), new_key()
    must_give_up(shop, public, key)
    wait_payable(shop, public)
    told = shop.read.get(f"/v1/orders/{public}").json
    must((told["status"], told["reason"]), ("payment_failed", "payment_given_up"), told)
    must(len(facts(shop, "cancel", public)), 1, "intents that were fenced off")
    assert finish(shop, intent) != 200, "an intent that is canceled was paid"
    must(pay_again(shop, public, key=key).status, 202, "key and body again")
    shop.wait_status(public, "fulfilled")
    must(payment_of(shop, public), {"attempt": 2, "state": "captured"}, "its payment")
    must(len(facts(shop, "charge", public)), 1, "charges")
    shop.books().must_balance()


def test_who_gives_up_what_he_has_just_paid_has_paid(shop):
    """Said before the worker looks: the provider's cancel is refused, or not asked for any more."""
    public, intent = asked(shop)
    shop.freeze("payment")
    must_give_up(shop, public)
    must(finish(shop, intent), 200, "paid after all")
    shop.thaw("payment")
    shop.wait_status(public, "fulfilled")
    must(payment_of(shop, public), {"attempt": 1, "state": "captured"}, "its payment")
    must(pay_again(shop, public).code, "payment_not_possible", "it is paid")
    must(len(facts(shop, "charge", public)), 1, "charges")
    shop.books().must_balance()


@pytest.mark.parametrize("kind", ["act_then_reset", "act_then_500", "fail_500", "reset"])
def test_whatever_becomes_of_the_call_that_gives_it_up_no_second_intent_comes_before_its_end(shop, kind):
    public, _ = asked(shop)
    shop.fault("cancel", kind, order=public, times=2)
    must_give_up(shop, public)
    wait_payable(shop, public)
    must((len(facts(shop, "cancel", public)), len(facts(shop, "intent", public))), (1, 1), "cancels, intents")
    must(pay_again(shop, public).status, 202, "it is over")
    shop.wait_status(public, "fulfilled")
    shop.books().must_balance()


def test_a_worker_that_is_looking_is_told_that_it_is_given_up(shop):
    """It learns that the customer is still waited for, and writes that; then it cancels at once."""
    public, intent = asked(shop)
    shop.fault("retrieve", "delay", order=public, ms=500, times=1)
    before = begun(shop, "retrieve")
    must(deliver(shop, event_of(intent, public)).status, 200, "an event, so that it looks")
    wait_for(lambda: begun(shop, "retrieve") > before, 20, "it looks", every_s=0.005)
    must_give_up(shop, public)
    wait_payable(shop, public)
    must(len(facts(shop, "cancel", public)), 1, "intents that were fenced off")
    shop.books().must_balance()


def test_of_many_who_give_it_up_at_once_one_does(shop):
    public, _ = asked(shop)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: pay_again(shop, public), range(8)))
    assert {answer.status for answer in answers} <= {202, 409}, answers
    wait_for(lambda: pay_again(shop, public).code != "payment_in_progress", 20, "it is over, or paid")
    shop.wait_status(public, "fulfilled")
    must(kinds(shop, public).count("payment_given_up"), 1, "given up so often")
    must(len(facts(shop, "charge", public)), 1, "charges")
    shop.books().must_balance()


def test_the_last_attempt_that_may_be_made_is_not_given_up(shop):
    """There would be no other: the customer can still do what he is asked for."""
    public = declined(shop)
    for n, method in ((2, "pm_card_visa_chargeDeclined"), (3, ASKS["payment"]["method"])):
        wait_payable(shop, public)
        must(pay_again(shop, public, method).status, 202, f"attempt {n}")
        shop.wait_status(public, "requires_action" if n == 3 else "payment_failed")
    answer = pay_again(shop, public)
    must(answer.code, "payment_in_progress", answer)
    assert "next_action" in answer.json["detail"], answer
    must(finish(shop, attempt(shop, public)[1]), 200, "the customer agrees")
    shop.wait_status(public, "fulfilled")
    shop.books().must_balance()


def test_after_as_many_attempts_as_are_allowed_it_is_over(shop):
    public = declined(shop)
    for n in (2, 3):
        must(pay_again(shop, public, "pm_card_chargeDeclinedExpiredCard").status, 202, f"attempt {n}")
        wait_for(lambda n=n: payment_of(shop, public)["attempt"] == n and
                 shop.status(public) == "payment_failed" and not open_attempts(shop, public), 20,
                 f"attempt {n} is over")
    answer = pay_again(shop, public)
    must((answer.status, answer.code), (409, "payment_attempts_exhausted"), answer)
    must("payment_attempts" in shop.read.get(f"/v1/orders/{public}").json["links"], False, "a link")
    must(len(facts(shop, "cancel", public)), 3, "every intent is fenced off")
    shop.books().must_balance()


def open_attempts(shop, public):
    return shop.one("SELECT count(*) FROM payment_attempt WHERE order_id = %s AND NOT fenced",
                    order.to_uuid(public))


def test_who_may_pay_again(shop):
    told = shop.post_order(**DECLINED)
    public, token = told.id, told.answer.json["client_token"]
    wait_payable(shop, public)
    stranger = Client(shop.port("api"), shop.make_key("checkout"))
    for client, headers, status in ((stranger, {}, 404), (stranger, {"Client-Token": "x"}, 404),
                                    (shop.read, {}, 403), (Client(shop.port("api")), {}, 401)):
        must(pay_again(shop, public, client=client, **headers).status, status, headers)
    must(pay_again(shop, "ord_" + "0" * 26).status, 404, "no such order")
    answer = pay_again(shop, public, client=shop.api, **{"Client-Token": token})
    must(answer.status, 202, "a browser that has the order's token")
    shop.wait_status(public, "fulfilled")
    shop.books().must_balance()


@pytest.mark.parametrize("body, code", [
    ({}, "validation_failed"), ({"payment": {}}, "validation_failed"),
    ({"payment": {"method": "4"}}, "validation_failed"),
    ({"payment": {"method": "pm_card_visa"}, "amount": 1}, "validation_failed"),
    ({"payment": {"method": "4242 4242 4242 4242"}}, "card_data_not_allowed"), ("{", "invalid_json")])
def test_what_is_no_payment_method_is_refused(shop, body, code):
    answer = shop.server.post(f"/v1/orders/ord_{'0' * 26}/payment_attempts", body,
                              headers={"Idempotency-Key": new_key()})
    must((answer.code, answer.accepted), (code, "unknown"), answer)


def test_an_attempt_while_the_customer_s_time_runs_out_is_in_time_or_refused(shop):
    """Each order is paid again at the moment at which its worker ends it."""
    shop.restart("payment", env=WORKER | {"DOCKET_CUSTOMER_WAIT_S": 1})
    orders = [post(shop, **DECLINED) for _ in range(30)]

    def pay_at_the_end(public):
        key, told = new_key(), []
        wait_for(lambda: shop.status(public) == "payment_failed" or "canceled" in kinds(shop, public),
                 20, "a decline")
        until_over = f"SELECT ended_at + interval '1 second' <= clock_timestamp() FROM " \
            f"payment_attempt WHERE order_id = '{order.to_uuid(public)}'"
        wait_for(lambda: shop.one(until_over), 20, "its time is over", every_s=0.005)
        told.append(pay_again(shop, public, key=key))
        return public, told[-1]

    answers = dict(map(pay_at_the_end, orders))
    must({answer.status for answer in answers.values()} <= {202, 409}, True, answers)
    wait_all(shop, orders, "fulfilled", "canceled")
    for public, answer in answers.items():
        must(shop.status(public), "fulfilled" if answer.status == 202 else "canceled", public)
    shop.books().must_balance()
    shop.restart("payment", env=WORKER | PATIENT)


def test_a_worker_that_ends_the_order_is_overtaken_by_a_new_attempt(shop):
    """It learnt that the first payment is over; the second is another, and is not ended by that."""
    shop.restart("payment", env=WORKER | {"DOCKET_CUSTOMER_WAIT_S": 3})
    public = declined(shop)
    shop.freeze("payment")
    wait_for(lambda: shop.one("SELECT state FROM task WHERE order_id = %s AND stage = 1",
                              order.to_uuid(public)) != 3, 20, "its time is over")
    must(pay_again(shop, public).status, 202, "a new attempt")
    shop.thaw("payment")
    shop.wait_status(public, "fulfilled")
    must(payment_of(shop, public), {"attempt": 2, "state": "captured"}, "its payment")
    shop.books().must_balance()
    shop.restart("payment", env=WORKER | PATIENT)


def test_3ds_of_a_second_attempt_goes_on(shop):
    public = declined(shop)
    must(pay_again(shop, public, "pm_card_threeDSecureRequired").status, 202, "a new attempt")
    shop.wait_status(public, "requires_action")
    told = payment_of(shop, public)
    must((told["attempt"], told["state"]), (2, "requires_action"), told)
    intent = shop.one("SELECT intent_id FROM payment_attempt WHERE order_id = %s AND number = 2",
                      order.to_uuid(public))
    shop.sandbox.post(f"/sandbox/intents/{intent}/finish", {"as": "succeeded"})
    shop.wait_status(public, "fulfilled")
    must(len(facts(shop, "charge", public)), 1, "charges")
    shop.books().must_balance()
