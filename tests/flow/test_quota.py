"""Quotas of an account: new orders, reads, and what is too much even to look at."""
import re

import pytest

from harness import Client, wait_for
from harness.client import new_key


@pytest.fixture(scope="module")
def shop(docket):
    docket.start("api")
    docket.stock_up()
    docket.make_keys()
    return docket


class Account:
    """One of its own for each test: buckets are full at the beginning."""

    def __init__(self, shop, name):
        self.shop, self.name = shop, name
        key = shop.docket("key", "create", "--scope", "checkout,orders:read", "--name", name,
                          "--account", name).split()[0]
        self.client = Client(shop.port("api"), key)

    def limit(self, **quotas):
        answer = self.shop.operator.request("PUT", f"/admin/accounts/{self.name}/quota",
                                            {"reason": "test", **quotas})
        assert answer.status == 200, answer
        policy = "orders" if "orders" in quotas else "reads"
        wait_for(lambda: f'"{policy}";q={quotas[policy]};' in self.policy(policy), 20,
                 "the API knows the quota")

    def policy(self, policy):
        answer = self.client.post("/v1/orders", "{", headers={"Idempotency-Key": new_key()}) \
            if policy == "orders" else self.client.get("/v1/orders?idempotency_key=none")
        return answer.headers.get("ratelimit-policy", "")

    def order(self, key=None, body=None):
        return self.shop.post_order(body or self.shop.order_body(), key, client=self.client)


@pytest.fixture
def account(shop, request):
    return Account(shop, re.sub(r"\W", "-", request.node.name))


def left(answer):
    policy, rest, wait = re.fullmatch(r'"(\w+)";r=(\d+)(?:;t=(\d+))?',
                                      answer.headers["ratelimit"]).groups()
    return policy, int(rest), int(wait or 0)


def test_without_a_quota_nothing_is_said_of_it(shop):
    told = shop.post_order()
    assert told.status == 202 and "ratelimit" not in told.headers
    assert "ratelimit-policy" not in shop.read.get(f"/v1/orders/{told.id}").headers


def test_new_orders_are_counted_down_and_then_refused(account):
    account.limit(orders=3)
    first = account.order()
    assert first.status == 202 and first.headers["ratelimit-policy"] == '"orders";q=3;w=60'
    assert left(first)[:2] == ("orders", 2)
    assert [account.order().status for _ in range(2)] == [202, 202]
    refused = account.order()
    assert (refused.status, refused.code, refused.accepted) == (429, "quota_exceeded", "no")
    policy, rest, wait = left(refused)
    assert (policy, rest) == ("orders", 0) and 1 <= wait <= 20
    assert int(refused.headers["retry-after"]) >= wait and refused.json["retryable"] is True


def test_a_known_key_is_replayed_whatever_the_quota_says(account):
    account.limit(orders=1)
    first = account.order()
    assert first.status == 202 and account.order().status == 429
    again = account.order(first.key, first.body)
    assert again.status == 202 and again.answer.body == first.answer.body
    other = account.order(first.key, first.body | {"metadata": {"a": "b"}})
    assert (other.status, other.code) == (422, "idempotency_key_reused")


def test_replays_and_refused_orders_cost_no_token(account):
    account.limit(orders=2)
    first = account.order()
    for _ in range(3):
        assert account.order(first.key, first.body).status == 202
        assert account.order(body={"lines": []}).code == "validation_failed"
    assert left(account.order())[1] == 0


def test_beyond_ten_times_the_quota_nothing_is_looked_up(account):
    account.limit(orders=1)
    first = account.order()
    answers = [account.order(first.key, first.body) for _ in range(12)]
    assert answers[0].status == 202
    flood = answers[-1]
    assert (flood.status, flood.code, flood.accepted) == (429, "quota_exceeded", "unknown")
    assert flood.json["stored_by_this_request"] is False
    assert int(flood.headers["retry-after"]) >= left(flood)[2]
    abandoned = account.client.post("/v1/orders/abandon", headers={"Idempotency-Key": first.key})
    assert (abandoned.status, abandoned.accepted) == (429, "unknown")


def test_reads_have_a_quota_of_their_own(account):
    told = account.order()
    account.limit(reads=50)
    path = f"/v1/orders/{told.id}"
    answer = account.client.get(path)
    assert answer.status == 200 and left(answer)[0] == "reads"
    refused = wait_for(lambda: (one := account.client.get(path)).status == 429 and one, 10,
                       "the reads are spent", every_s=0)
    assert refused.code == "quota_exceeded" and "accepted" not in refused.json
    assert int(refused.headers["retry-after"]) >= left(refused)[2] >= 1
    basket = account.shop.order_body()
    assert account.client.post("/v1/quotes", basket).status in (200, 429)
    assert account.order().status == 202


def test_one_account_does_not_spend_anothers(account, shop):
    account.limit(orders=1)
    assert [account.order().status for _ in range(2)] == [202, 429]
    assert shop.post_order().status == 202


@pytest.mark.parametrize("body", [{}, {"orders": -1}, {"orders": "5"}, {"reads": 10000001},
                                  {"orders": 1, "surprise": 1}, {"reads": 1.5}], ids=str)
def test_a_wrong_quota_is_refused(shop, body):
    answer = shop.operator.request("PUT", "/admin/accounts/default/quota",
                                   {"reason": "test", **body})
    assert answer.code == "validation_failed", answer


def test_an_operator_sees_and_changes_quotas_and_the_audit_says_so(account, shop):
    account.limit(orders=7)
    assert shop.operator.request("PUT", f"/admin/accounts/{account.name}/quota",
                                 {"reason": "x", "orders": None, "reads": 9}).json["quota_reads"] == 9
    row, = [one for one in shop.operator.get("/admin/accounts").json["accounts"]
            if one["account"] == account.name]
    assert (row["quota_orders"], row["quota_reads"], row["keys"]) == (None, 9, 1)
    assert shop.one("SELECT count(*) FROM audit WHERE act = 'quota set' AND target = %s",
                    f"account {account.name}") == 2
    nobody = shop.operator.request("PUT", "/admin/accounts/nobody/quota", {"reason": "x", "reads": 1})
    assert nobody.status == 404


def test_the_setting_is_the_quota_of_all_others(shop):
    shop.start("api", env={"DOCKET_QUOTA_ORDERS": 2}, label="api2")
    client = Client(shop.processes["api2"].world.ports["api"], shop.checkout)
    answers = [shop.post_order(client=client) for _ in range(3)]
    assert [one.status for one in answers] == [202, 202, 429]
    assert shop.post_order().status == 202  # another process counts for itself
