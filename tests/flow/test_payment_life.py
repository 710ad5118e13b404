"""The life of a payment attempt: declined, asked of the customer, unknown for too long, looked up again."""
import pytest

from docket_local import order

from harness import metrics, must, wait_for
from harness.outcomes import (WORKER, attempt, available, begun, dead_letter, facts, kinds, open_quick_shop,
                              paying_with, payment_of, post, post_before_payment, task, wait_all, wait_dead)

# token → (reason, retry_same_card)
DECLINES = {"pm_card_visa_chargeDeclined": ("card_declined", False),
            "pm_card_chargeDeclinedInsufficientFunds": ("insufficient_funds", True),
            "pm_card_visa_chargeDeclinedLostCard": ("fraud_suspected", False),
            "pm_card_chargeDeclinedFraudulent": ("fraud_suspected", False),
            "pm_card_chargeDeclinedExpiredCard": ("card_expired", True),
            "pm_card_chargeDeclinedIncorrectCvc": ("card_details_wrong", True),
            "pm_card_chargeDeclinedProcessingError": ("issuer_unavailable", True)}
ASKS_CUSTOMER = "pm_card_threeDSecureRequired"
BANK_DEBIT = "pm_usBankAccount_processing"
SKU = "TEA-EARL-250"
PATIENT = {"DOCKET_CUSTOMER_WAIT_S": 600}
HASTY = {"DOCKET_UNKNOWN_SLA_S": 1}


@pytest.fixture(scope="module", name="shop")
def lend_shop(docket):
    return open_quick_shop(docket, **PATIENT)


@pytest.fixture(autouse=True)
def leave_no_faults(shop):
    yield
    shop.no_faults()
    set_key_lifetime(shop, 86400)


@pytest.fixture(name="hasty_shop")
def lend_hasty_shop(shop):
    """Unknown payments are fenced off after a second."""
    shop.restart("payment", env=WORKER | PATIENT | HASTY)
    yield shop
    shop.no_faults()
    shop.restart("payment", env=WORKER | PATIENT)


def set_key_lifetime(shop, seconds):
    answer = shop.sandbox.request("PUT", "/sandbox/settings", {"key_lifetime_s": seconds})
    must(answer.status, 200, answer)


def wait_fenced(shop, *orders):
    wanted = [order.to_uuid(public) for public in orders]
    wait_for(lambda: shop.one("SELECT count(*) FROM payment_attempt WHERE fenced "
                              "AND order_id = ANY (%s::uuid[])", wanted) == len(orders), 20,
             "each attempt is fenced off")


def act(shop, path, **form):
    """Somebody else than Docket asks the provider."""
    return shop.sandbox.request(
        "POST", f"/v1/payment_intents/{path}".rstrip("/"), "&".join(f"{k}={v}" for k, v in form.items()),
        {"Authorization": "Bearer sk_test", "Content-Type": "application/x-www-form-urlencoded"})


def finish(shop, public, decision):
    intent = attempt(shop, public)[1]
    answer = shop.sandbox.post(f"/sandbox/intents/{intent}/finish", {"as": decision})
    must(answer.status, 200, f"the customer's decision: {answer}")


def test_a_decline_is_told_in_our_words_and_its_intent_is_fenced_off_at_once(shop):
    before = available(shop, SKU)
    orders = {post(shop, **paying_with(method)): wanted for method, wanted in DECLINES.items()}
    wait_all(shop, orders, "payment_failed")
    wait_fenced(shop, *orders)
    for public, (reason, same_card) in orders.items():
        must(payment_of(shop, public), {"attempt": 1, "state": "declined", "decline": {
            "reason": reason, "retry_same_card": same_card, "try_another_card": True}}, public)
    must(len(facts(shop, "cancel", *orders)), len(orders), "intents that were fenced off")
    must(available(shop, SKU), before, "pieces available")
    must({shop.status(public) for public in orders}, {"payment_failed"}, "they wait for a customer")
    shop.books().must_balance()


def test_a_declined_intent_that_is_paid_before_it_is_fenced_off_is_paid(shop):
    """A front end that kept its secret confirms it with another card, past us."""
    [public] = post_before_payment(shop, **paying_with("pm_card_visa_chargeDeclined"))
    shop.fault("cancel", "unavailable", order=public)
    shop.thaw("payment")
    shop.wait_status(public, "payment_failed")
    answer = act(shop, attempt(shop, public)[1] + "/confirm", payment_method="pm_card_visa")
    must((answer.status, answer.json["status"]), (200, "succeeded"), "paid past us")
    shop.no_faults()
    shop.wait_status(public, "fulfilled")
    must(payment_of(shop, public), {"attempt": 1, "state": "captured"}, "its payment")
    must(len(facts(shop, "charge", public)), 1, "charges")
    shop.books().must_balance()


def test_3ds_tells_the_front_end_what_it_needs_and_nothing_once_it_is_over(shop):
    public = post(shop, **paying_with(ASKS_CUSTOMER))
    shop.wait_status(public, "requires_action")
    intent = attempt(shop, public)[1]
    must(payment_of(shop, public), {"attempt": 1, "state": "requires_action", "next_action": {
        "type": "redirect_to_url", "url": f"https://sandbox.invalid/authenticate/{intent}",
        "client_secret": f"{intent}_secret_sandbox"}}, "what is told")
    finish(shop, public, "succeeded")
    shop.wait_status(public, "fulfilled")
    must(payment_of(shop, public), {"attempt": 1, "state": "captured"}, "what is told at the end")
    must(shop.one("SELECT next_action FROM payment_attempt WHERE order_id = %s",
                  order.to_uuid(public)), "", "the secret is not kept")
    shop.books().must_balance()


def test_3ds_that_fails_is_a_decline(shop):
    public = post(shop, **paying_with(ASKS_CUSTOMER))
    shop.wait_status(public, "requires_action")
    finish(shop, public, "failed")
    shop.wait_status(public, "payment_failed")
    must(payment_of(shop, public)["decline"], {"reason": "authentication_failed",
         "retry_same_card": True, "try_another_card": True}, "what is told")
    wait_fenced(shop, public)
    shop.books().must_balance()


def test_3ds_and_then_a_decline_is_that_decline(shop):
    public = post(shop, **paying_with("pm_card_authenticationRequiredChargeDeclinedInsufficientFunds"))
    shop.wait_status(public, "requires_action")
    finish(shop, public, "succeeded")
    shop.wait_status(public, "payment_failed")
    must(payment_of(shop, public)["decline"]["reason"], "insufficient_funds", "the reason")
    shop.books().must_balance()


@pytest.mark.parametrize("method", ["pm_card_visa_chargeDeclined", ASKS_CUSTOMER])
def test_who_does_not_come_back_is_canceled_and_gives_the_stock_back(shop, method):
    shop.restart("payment", env=WORKER | {"DOCKET_CUSTOMER_WAIT_S": 1})
    before = available(shop, SKU)
    public = post(shop, **paying_with(method))
    shop.wait_status(public, "canceled")
    must(available(shop, SKU), before, "pieces available")
    must(len(facts(shop, "cancel", public)), 1, "the intent is fenced off")
    must(facts(shop, "charge", public), [], "charges")
    shop.books().must_balance()
    shop.restart("payment", env=WORKER | PATIENT)


def test_an_unknown_payment_is_on_hold_past_its_time_and_then_fenced_off(hasty_shop):
    """No evidence for a while, then the provider knows of nothing: no money can move any more."""
    shop = hasty_shop
    before = available(shop, SKU)
    [public] = post_before_payment(shop)
    shop.fault("confirm", "reset", order=public)
    shop.fault("retrieve", "unavailable", order=public)
    shop.thaw("payment")
    shop.wait_status(public, "on_hold")
    must(payment_of(shop, public), {"attempt": 1, "state": "unknown"}, "what is told")
    said = " ".join(shop.docket("order", "show", public).split())
    assert "it is not known whether it was taken" in said, said
    must(available(shop, SKU), before - 2, "its stock is kept")
    shop.no_faults()
    shop.wait_status(public, "canceled")
    must(payment_of(shop, public), {"attempt": 1, "state": "voided"}, "what is told at the end")
    must(len(facts(shop, "cancel", public)), 1, "the intent is fenced off")
    must(available(shop, SKU), before, "its stock is returned")
    shop.books().must_balance()


def test_an_unknown_payment_that_is_never_acted_on_is_not_confirmed_for_ever(hasty_shop):
    """Each confirm is lost, each look-up says so: at the end of its time it is over."""
    [public] = post_before_payment(hasty_shop)
    hasty_shop.fault("confirm", "reset", order=public)
    hasty_shop.thaw("payment")
    hasty_shop.wait_status(public, "payment_failed")
    must(len(facts(hasty_shop, "cancel", public)), 1, "the intent is fenced off")
    hasty_shop.books().must_balance()


def test_a_fence_that_is_refused_since_it_was_paid_is_a_payment(hasty_shop):
    shop = hasty_shop
    shop.restart("payment", env=WORKER | PATIENT | HASTY | {"DOCKET_PROVIDER_TIMEOUT_MS": 8000})
    [public] = post_before_payment(shop)
    shop.fault("confirm", "reset", order=public)
    shop.fault("cancel", "delay", order=public, ms=3000)
    before = begun(shop, "cancel")
    shop.thaw("payment")
    wait_for(lambda: begun(shop, "cancel") > before, 20, "the fence is under way")
    shop.no_faults()
    answer = act(shop, attempt(shop, public)[1] + "/confirm")
    must((answer.status, answer.json["status"]), (200, "succeeded"), "the confirm acts after all")
    shop.wait_status(public, "fulfilled")
    must(len(facts(shop, "charge", public)), 1, "charges")
    must(facts(shop, "cancel", public), [], "cancels")
    shop.books().must_balance()


def test_an_unknown_payment_does_not_die_of_a_fence_that_fails(hasty_shop):
    shop = hasty_shop
    [public] = post_before_payment(shop)
    shop.fault("confirm", "reset", order=public)
    shop.fault("cancel", "unavailable", order=public)
    shop.thaw("payment")
    shop.wait_status(public, "on_hold")
    wait_for(lambda: task(shop, public)[1] > WORKER["DOCKET_ATTEMPTS_MAX"], 30, "nine fences")
    must(dead_letters(shop, public), 0, "dead letters")
    shop.no_faults()
    shop.wait_status(public, "canceled")
    shop.books().must_balance()


def test_a_bank_that_takes_its_time_is_waited_for_and_decides(shop):
    """`processing`: nothing is asked for again, whatever it becomes."""
    taken, refused = (post(shop, **paying_with(BANK_DEBIT)) for _ in range(2))
    for public in (taken, refused):
        wait_for(lambda public=public: "payment_unknown" in kinds(shop, public), 20, "it is not known")
        must((shop.status(public), shop.read.get(f"/v1/orders/{public}").json["reason"]),
             ("processing", "payment_outcome_unknown"), "what is told")
    finish(shop, taken, "succeeded")
    finish(shop, refused, "failed")
    shop.wait_status(taken, "fulfilled")
    shop.wait_status(refused, "payment_failed")
    must([attempt(shop, public)[2] for public in (taken, refused)], [1, 1], "confirms")
    must(len(facts(shop, "charge", taken, refused)), 1, "charges")
    shop.books().must_balance()


def test_an_amount_that_is_only_held_is_for_a_person_and_goes_on_once_it_is_taken(shop):
    """Docket never asks for it (capture_method); somebody has, at the provider."""
    [public] = post_before_payment(shop)
    shop.fault("confirm", "reset", order=public)
    shop.fault("retrieve", "unavailable", order=public)
    shop.thaw("payment")
    wait_for(lambda: "payment_unknown" in kinds(shop, public), 20, "it is not known")
    shop.freeze("payment")
    shop.no_faults()
    held = act(shop, "", amount=7020, currency="eur", payment_method="pm_card_visa", capture_method="manual",
               **{"metadata[order_id]": public}).json["id"]
    must(act(shop, held + "/confirm").json["status"], "requires_capture", "the intent")
    shop.sql("UPDATE payment_attempt SET intent_id = %s WHERE order_id = %s", held, order.to_uuid(public))
    shop.thaw("payment")
    wait_dead(shop, public)
    must((dead_letter(shop, public)[2], shop.status(public)), ("manual_capture", "on_hold"), "why, and its status")
    must(act(shop, held + "/capture").json["status"], "succeeded", "a person captures it")
    replay(shop, public)
    shop.wait_status(public, "fulfilled")
    must(len(facts(shop, "charge", public)), 1, "charges")
    shop.books().must_balance()


def test_what_a_bank_has_not_decided_past_its_time_is_on_hold_and_is_not_canceled(hasty_shop):
    shop = hasty_shop
    public = post(shop, **paying_with(BANK_DEBIT))
    shop.wait_status(public, "on_hold")
    before = begun(shop, "retrieve")
    wait_for(lambda: begun(shop, "retrieve") > before + 1, 20, "it is looked up again")
    must((shop.status(public), dead_letters(shop, public)), ("on_hold", 0), "status and dead letters")
    finish(shop, public, "succeeded")
    shop.wait_status(public, "fulfilled")
    must((len(facts(shop, "charge", public)), facts(shop, "cancel", public)), (1, []), "charges and cancels")
    shop.books().must_balance()


def dead_letters(shop, public):
    return shop.one("SELECT count(*) FROM dead_letter WHERE order_id = %s", order.to_uuid(public))


@pytest.mark.parametrize("trouble", ["act_then_hang", "act_then_reset", "act_then_500", "hang",
                                     "fail_500"])
def test_a_provider_that_forgets_its_keys_at_once_charges_once(shop, trouble):
    set_key_lifetime(shop, 0)
    [public] = post_before_payment(shop)
    shop.fault("create", trouble, order=public, times=2)
    shop.fault("confirm", trouble, order=public, times=2)
    shop.thaw("payment")
    shop.wait_status(public, "fulfilled")
    must(len(facts(shop, "charge", public)), 1, "charges")
    shop.books().must_balance()


def test_a_dead_letter_that_is_replayed_after_the_keys_is_looked_up_first(shop):
    """It was paid; a confirm under an expired key would be another call, and is not made."""
    [public] = post_before_payment(shop)
    shop.fault("confirm", "act_then_reset", order=public, times=1)
    shop.fault("retrieve", "wrong_amount", order=public)
    shop.thaw("payment")
    wait_dead(shop, public)
    must(dead_letter(shop, public)[2], "integrity_failure", "why it gave up")
    set_key_lifetime(shop, 0)
    shop.no_faults()
    confirms = begun(shop, "confirm")
    replay(shop, public)
    shop.wait_status(public, "fulfilled")
    must(begun(shop, "confirm"), confirms, "confirms that were sent")
    must(len(facts(shop, "charge", public)), 1, "charges")
    shop.books().must_balance()


def replay(shop, public):
    letter = shop.one("SELECT id FROM dead_letter WHERE order_id = %s AND state = 'open'",
                      order.to_uuid(public))
    shop.docket("dead", "replay", str(letter), "--reason", "test")


@pytest.mark.parametrize("op, method", [("create", "pm_card_visa"), ("confirm", "pm_card_visa"),
                                        ("confirm", "pm_card_visa_chargeDeclined"), ("retrieve", ASKS_CUSTOMER),
                                        ("cancel", "pm_card_visa_chargeDeclined")])
def test_another_amount_in_any_answer_is_on_hold_and_for_a_person(shop, op, method):
    [public] = post_before_payment(shop, **paying_with(method))
    shop.fault(op, "wrong_amount", order=public)
    shop.thaw("payment")
    wait_dead(shop, public)
    must(dead_letter(shop, public)[2], "integrity_failure", "why it gave up")
    must(shop.status(public), "on_hold", "status")
    must(payment_of(shop, public)["state"], "integrity_failure", "what is told")
    sent = begun(shop, "confirm")
    shop.no_faults()
    replay(shop, public)
    shop.wait_status(public, "fulfilled", "requires_action", "payment_failed", "canceled")
    must(begun(shop, "confirm") - sent, 1 if op == "create" else 0, "confirms after the replay")
    if op == "retrieve":
        finish(shop, public, "succeeded")
        shop.wait_status(public, "fulfilled")
    shop.books().must_balance()


def test_our_own_wrong_key_is_no_decline(shop):
    shop.restart("payment", env=WORKER | PATIENT | {"DOCKET_PROVIDER_KEY": "not a key"})
    public = shop.post_until_told().id
    wait_dead(shop, public)
    must(dead_letter(shop, public)[1:3], ("broken", "provider_401"), "kind and code")
    must(shop.status(public), "on_hold", "status")
    must(payment_of(shop, public), {"attempt": 1, "state": "created"}, "what is told")
    shop.restart("payment", env=WORKER | PATIENT)
    replay(shop, public)
    shop.wait_status(public, "fulfilled")
    must("payment_declined" in kinds(shop, public), False, "it was never declined")
    shop.books().must_balance()


def test_how_many_payments_are_unknown_and_for_how_long_is_measured(shop):
    [public] = post_before_payment(shop)
    shop.fault("confirm", "act_then_reset", order=public, times=1)
    shop.fault("retrieve", "unavailable", order=public)
    shop.thaw("payment")
    wait_for(lambda: "payment_unknown" in kinds(shop, public), 20, "it is unknown")
    shop.sql("UPDATE payment_attempt SET unknown_since = now() - interval '1 hour' "
             "WHERE order_id = %s", order.to_uuid(public))
    wait_for(lambda: measured(shop, "") == 1 and measured(shop, "_oldest_seconds") >= 3600, 30,
             "it is in the metrics")
    shop.no_faults()
    shop.wait_status(public, "fulfilled")
    shop.books().must_balance()


def measured(shop, what):
    return metrics.read(shop, "relay")[f"docket_payments_unknown{what}", ""]
