"""What tests of the workers need: a shop whose waits are short, many orders side by side, and what
the books say of one of them."""
from concurrent.futures import ThreadPoolExecutor

from docket_local import order

from .client import new_key
from .wait import wait_for

WORKER = {"DOCKET_PROVIDER_TIMEOUT_MS": 700, "DOCKET_PROVIDER_LONGEST_MS": 2500,
          "DOCKET_CARRIER_TIMEOUT_MS": 700, "DOCKET_RETRY_BASE_MS": 50,
          "DOCKET_RETRY_MAX_MS": 400, "DOCKET_ATTEMPTS_MAX": 8, "DOCKET_CUSTOMER_WAIT_S": 2,
          "DOCKET_BREAKER_FAILURES": 1000000}  # test_breaker.py has its own
TASK_STATES = ("", "ready", "running", "waiting", "parked", "done", "dead")
STAGES = {"payment": 1, "fulfilment": 2, "cancel": 3, "refund": 4}


def open_quick_shop(docket, **worker):
    """Every process; both workers give up and look again soon."""
    env = WORKER | worker
    docket.open_shop(payment=env, fulfilment=env, relay={"DOCKET_SWEEP_S": 1})
    return docket


def post(docket, **changes):
    """The id of a new order."""
    told = docket.post_order(**changes)
    assert told.status == 202, repr(told)
    return told.id


def post_many(docket, count, **changes):
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda _: post(docket, **changes), range(count)))


def post_before_payment(docket, count=1, **changes):
    """Orders whose payment begins only with `thaw("payment")`: there is time to make rules."""
    docket.freeze("payment")
    return post_many(docket, count, **changes)


def paying_with(method):
    return {"payment": {"method": method}}


def wait_all(docket, orders, *statuses, deadline_s=30):
    """Waits until each is in one of these statuses; says who is not."""
    wanted = [order.to_uuid(public) for public in orders]
    numbers = [order.STATUSES.index(status) for status in statuses]
    late = []

    def all_there():
        late[:] = [(order.to_public(uuid), order.STATUSES[status]) for uuid, status in docket.sql(
            "SELECT id::text, status FROM orders WHERE id = ANY (%s::uuid[]) "
            "AND status <> ALL (%s::int2[])", wanted, numbers)]
        return not late

    try:
        wait_for(all_there, deadline_s, f"all {len(orders)} {' or '.join(statuses)}", every_s=0.05)
    except AssertionError as error:
        raise AssertionError(f"{error}: {late[:5]}") from None


def task(docket, public, stage="payment"):
    """(state, attempt, crashes, fault code)"""
    state, *rest = docket.one("SELECT state, attempt, crashes, fault_code FROM task "
                              "WHERE order_id = %s AND stage = %s", order.to_uuid(public),
                              STAGES[stage])
    return TASK_STATES[state], *rest


def wait_task(docket, public, state, stage="payment", deadline_s=20):
    def there():
        rows = docket.sql("SELECT state FROM task WHERE order_id = %s AND stage = %s",
                          order.to_uuid(public), STAGES[stage])
        return rows and TASK_STATES[rows[0][0]] == state

    wait_for(there, deadline_s, f"the {stage} of {public} is {state}")


def attempt(docket, public):
    """(state, intent, confirms, decline code) of its newest payment"""
    return docket.one("SELECT state, intent_id, confirms, decline_code FROM payment_attempt "
                      "WHERE order_id = %s ORDER BY number DESC LIMIT 1", order.to_uuid(public))


def payment_of(docket, public):
    """What is told of its newest payment."""
    return docket.read.get(f"/v1/orders/{public}").json["payment"]


def pay_again(docket, public, method="pm_card_visa", key=None, client=None, **headers):
    """A further attempt, asked for with a key of a server."""
    return (client or docket.server).post(
        f"/v1/orders/{public}/payment_attempts", paying_with(method),
        headers={"Idempotency-Key": key or new_key(), **headers})


def begun(docket, op):
    """Calls of one kind that have reached the sandbox."""
    return docket.sandbox.get("/sandbox/calls").json["begun"][op]


def wait_payable(docket, *orders):
    """Until each may be paid again: its last payment is over, at the provider too."""
    for public in orders:
        wait_for(lambda public=public: "payment_attempts" in
                 docket.read.get(f"/v1/orders/{public}").json["links"], 20,
                 f"{public} may be paid again")


def dead_letter(docket, public):
    """Its open dead letter: (stage, kind, code, attempts, history)"""
    return docket.one("SELECT stage, fault_kind, fault_code, attempts, history FROM dead_letter "
                      "WHERE order_id = %s AND state = 'open'", order.to_uuid(public))


def wait_dead(docket, *orders, deadline_s=20):
    wanted = [order.to_uuid(public) for public in orders]
    wait_for(lambda: docket.one("SELECT count(*) FROM dead_letter WHERE state = 'open' "
                                "AND order_id = ANY (%s::uuid[])", wanted) == len(orders),
             deadline_s, f"dead letters of {len(orders)} orders")


def kinds(docket, public):
    """What happened to it, in order."""
    return [kind for _, kind, _, _ in docket.events(public)]


def facts(docket, kind, *orders):
    """The ledger's lines of one kind about these orders."""
    return [fact for fact in docket.ledger() if fact["kind"] == kind and fact["order"] in orders]


def available(docket, sku):
    return docket.one("SELECT available FROM stock WHERE sku = %s", sku)
