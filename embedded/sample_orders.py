"""The demo's upstream "orders": a small shop's orders, in memory. Its document is specs/orders.yaml."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from embedded.sample_answers import Answer, Asked, answer_by, problem

STATES = ("open", "paid", "shipped", "cancelled")
CATALOGUE = {
    "TEA-100": ("Green tea, 100 g", 690),
    "POT-2": ("Teapot, 2 cups", 3490),
    "CUP-4": ("Cups, set of 4", 2490),
    "KET-1": ("Kettle, 1 l", 5990),
}
"""SKU -> name and unit price in euro cents."""

CUSTOMERS = ("Aiko Tanaka", "Ben Okafor", "Clara Lindqvist", "Diego Ruiz", "Ela Kaya")
FIRST_DAY = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
MOST_KEPT = 2_000
"""Orders in memory; the oldest go first."""

type Order = dict[str, Any]


@dataclass
class Shop:
    """All orders by id, oldest first. Safe to use from several threads."""

    orders: dict[str, Order] = field(default_factory=dict)
    number: int = 1000
    lock: threading.Lock = field(default_factory=threading.Lock)

    def list_orders(self, asked: Asked) -> Answer:
        limit = asked.number("limit", default=20, least=1, most=100)
        state = asked.query.get("state", "")
        if state and state not in STATES:
            raise problem(400, f"state must be one of: {', '.join(STATES)}.")
        with self.lock:
            found = [order for order in reversed(self.orders.values()) if state in ("", order["state"])]
        return Answer(200, {"orders": found[:limit], "total": len(found)})

    def read(self, asked: Asked, order_id: str) -> Answer:
        with self.lock:
            return Answer(200, self._find(order_id))

    def place(self, asked: Asked) -> Answer:
        customer, lines = _checked(asked.body)
        with self.lock:
            order = self._add(customer, lines, datetime.now(UTC))
        return Answer(201, order, {"Location": f"/orders/{order['id']}"})

    def cancel(self, asked: Asked, order_id: str) -> Answer:
        with self.lock:
            order = self._find(order_id)
            if order["state"] == "shipped":
                raise problem(409, "The order has been shipped. Ask for a return instead.")
            self.orders[order_id] = {**order, "state": "cancelled"}
            return Answer(200, self.orders[order_id])

    def shipments(self, asked: Asked, order_id: str) -> Answer:
        with self.lock:
            order = self._find(order_id)
        if order["state"] != "shipped":
            return Answer(200, {"shipments": []})
        shipment = {"carrier": "Nordpost", "tracking_number": f"NP{order_id[4:]}EU", "parcels": 1}
        return Answer(200, {"shipments": [shipment]})

    def fill(self) -> None:
        """Forty orders of the past weeks, the same at each start."""
        skus = list(CATALOGUE)
        for number in range(40):
            lines = [_line(skus[number % 4], number % 3 + 1), _line(skus[(number + 1) % 4], 1)]
            at = FIRST_DAY + timedelta(hours=7 * number)
            order = self._add(CUSTOMERS[number % 5], lines[: number % 2 + 1], at)
            order["state"] = STATES[(number * 7) % 4]

    def _find(self, order_id: str) -> Order:
        if order_id not in self.orders:
            raise problem(404, f"There is no order {order_id}.")
        return self.orders[order_id]

    def _add(self, customer: str, lines: list[Order], at: datetime) -> Order:
        self.number += 1
        order_id = f"ord_{self.number}"
        total = sum(line["quantity"] * line["unit_price_cents"] for line in lines)
        self.orders[order_id] = {
            "id": order_id,
            "state": "open",
            "customer": customer,
            "placed_at": at.replace(microsecond=0).isoformat().replace("+00:00", "Z"),
            "currency": "EUR",
            "total_cents": total,
            "lines": lines,
        }
        if len(self.orders) > MOST_KEPT:
            del self.orders[next(iter(self.orders))]
        return self.orders[order_id]


def build() -> Callable[[Asked], Answer]:
    """The service with its first orders."""
    shop = Shop()
    shop.fill()
    one = r"/orders/(?P<order_id>ord_\d{1,12})"
    return answer_by(
        [
            ("GET", "/orders", shop.list_orders),
            ("POST", "/orders", shop.place),
            ("GET", one, shop.read),
            ("POST", one + "/cancel", shop.cancel),
            ("GET", one + "/shipments", shop.shipments),
            ("GET", "/products", _products),
        ]
    )


def _products(asked: Asked) -> Answer:
    rows = [{"sku": sku, "name": name, "unit_price_cents": price} for sku, (name, price) in CATALOGUE.items()]
    return Answer(200, {"products": rows})


def _checked(body: Any) -> tuple[str, list[Order]]:
    """Customer and lines of a new order. Raises Refused (422) with the field that is wrong."""
    if not isinstance(body, dict):
        raise problem(422, "Send an object with customer and lines.")
    customer, lines = body.get("customer"), body.get("lines")
    if not isinstance(customer, str) or not 1 <= len(customer.strip()) <= 80:
        raise problem(422, "customer must be a text of 1 to 80 characters.")
    if not isinstance(lines, list) or not 1 <= len(lines) <= 20:
        raise problem(422, "lines must hold 1 to 20 entries.")
    return customer.strip(), [_checked_line(line) for line in lines]


def _checked_line(line: Any) -> Order:
    sku = line.get("sku") if isinstance(line, dict) else None
    if not isinstance(sku, str) or sku not in CATALOGUE:
        raise problem(422, f"sku must be one of: {', '.join(CATALOGUE)}.")
    quantity = line.get("quantity", 1)
    if not isinstance(quantity, int) or isinstance(quantity, bool) or not 1 <= quantity <= 100:
        raise problem(422, "quantity must be a whole number from 1 to 100.")
    return _line(sku, quantity)


def _line(sku: str, quantity: int) -> Order:
    name, price = CATALOGUE[sku]
    return {"sku": sku, "name": name, "quantity": quantity, "unit_price_cents": price}
