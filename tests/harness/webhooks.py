"""The provider's events, as the sandbox sends them or as a test does by itself."""
import hashlib
import hmac
import json
import time
import uuid

from .client import Client


def send_webhooks(docket, urls=None, **knobs):
    """From now on the sandbox tells the API; `urls` says whom else, "" nobody."""
    urls = docket.world.webhook_url() if urls is None else urls
    knobs = {"urls": urls, "secret": docket.world.webhook_secret()} | knobs
    answer = docket.sandbox.request("PUT", "/sandbox/webhooks", knobs)
    assert answer.status == 200, repr(answer)


def webhooks(docket):
    """What became of them: told, delivered, refused, given_up, open."""
    return docket.sandbox.get("/sandbox/webhooks").json


def event_of(intent, public, kind="payment_intent.succeeded"):
    """An event of its own id about an intent; public None: whose metadata names no order."""
    shown = {"object": "payment_intent", "id": intent,
             "metadata": {"order_id": public} if public else {}}
    return {"id": f"evt_{uuid.uuid4().hex}", "object": "event", "type": kind,
            "data": {"object": shown}}


def sign(body, secret, at=None):
    at = int(time.time() if at is None else at)
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def deliver(docket, event, signature="", port=None, timeout_s=None):
    """Posts an event (or raw bytes), rightly signed unless `signature` says how; None: not at all."""
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    if signature == "":
        signature = sign(body, docket.world.webhook_secret())
    return Client(port or docket.port("api")).post(
        "/v1/webhooks/stripe", body, headers={"Stripe-Signature": signature}, timeout_s=timeout_s)


def inbox(docket, event_id):
    """(outcome, order) of each row of that event: one or none."""
    return docket.sql("SELECT outcome, order_id::text FROM webhook_inbox WHERE event_id = %s",
                      event_id)
