"""The help desk of a shop: fifteen tools over a JSON database of some four thousand records."""

from __future__ import annotations

import ast
import datetime
import gzip
import json
import operator
from pathlib import Path
from typing import Any, Literal

from synthtools.toolkit import Refused, tool

Reason = Literal["no longer needed", "ordered by mistake", "found it cheaper"]
Status = Literal["pending", "packed", "shipped", "delivered", "cancelled"]
Category = Literal["bath", "bedroom", "garden", "kitchen", "office", "outdoor"]
Record = dict[str, Any]
RETURN_DAYS = 30
_OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}


class Retail:
    """The help desk of a shop for the house and the garden: customers, products in variants, orders, returns and exchanges."""

    name = "retail_desk"
    field = "Retail"
    today = "2026-06-12"
    policy = "policy.md"

    worlds = 2
    """The shop as it is, and the same a week later: what was pending has left, and what had arrived is older."""

    def __init__(self, world: int) -> None:
        data = json.loads(gzip.decompress(Path(__file__).with_name("shop.json.gz").read_bytes()))
        self.customers: dict[str, Record] = data["customers"]
        self.products: dict[str, Record] = data["products"]
        self.variants: dict[str, Record] = data["variants"]
        self.orders: dict[str, Record] = data["orders"]
        self.returns: dict[str, Record] = data["returns"]
        for order in self.orders.values() if world else ():
            order["status"] = {"pending": "shipped", "packed": "shipped"}.get(order["status"], order["status"])
            if order["delivered_on"]:
                order["delivered_on"] = (datetime.date.fromisoformat(order["delivered_on"]) - datetime.timedelta(days=7)).isoformat()

    @tool(read_only=True)
    def find_customer_by_email(self, email: str) -> str:
        """Find a customer's number by e-mail address.

        Args:
            email: The whole address, e.g. ada.berg@example.org.

        Raises:
            no_such_customer: No account has this address.
        """
        for key, customer in self.customers.items():
            if customer["email"] == email.lower():
                return key
        raise Refused("no_such_customer", f"No account has the address {email}.")

    @tool(read_only=True)
    def find_customer_by_name(self, last_name: str, postcode: str, first_name: str = "") -> list[str]:
        """Find the numbers of customers by last name and postcode.

        Args:
            last_name: Family name.
            postcode: Postcode of the account's address, e.g. NH4 2XD.
            first_name: Given name, where the others fit several people.

        Raises:
            no_such_customer: Nobody of this name has this postcode.
        """
        found = [
            key
            for key, customer in self.customers.items()
            if customer["last_name"].lower() == last_name.lower()
            and customer["address"]["postcode"].lower() == postcode.lower()
            and customer["first_name"].lower().startswith(first_name.lower())
        ]
        if not found:
            raise Refused("no_such_customer", f"Nobody called {last_name} has the postcode {postcode}.")
        return found

    @tool(read_only=True)
    def get_customer(self, customer_id: str) -> Record:
        """A customer's name, address and payment methods.

        Args:
            customer_id: Customer number, e.g. C-0042.

        Raises:
            no_such_customer: There is no such number.
        """
        customer = self._customer(customer_id)
        methods = [{"method_id": key, **method} for key, method in customer["payment_methods"].items()]
        return {"customer_id": customer_id, **customer, "payment_methods": methods}

    @tool(read_only=True)
    def list_orders(self, customer_id: str, status: Status | None = None) -> list[Record]:
        """A customer's orders, newest first.

        Args:
            customer_id: Customer number.
            status: Only orders in this state.

        Raises:
            no_such_customer: There is no such number.
        """
        self._customer(customer_id)
        found = [(key, order) for key, order in self.orders.items() if order["customer_id"] == customer_id and status in (None, order["status"])]
        found.sort(key=lambda pair: (pair[1]["placed_on"], pair[0]), reverse=True)
        return [
            {
                "order_id": key,
                "placed_on": order["placed_on"],
                "status": order["status"],
                "total": order["total"],
                "names": [line["name"] for line in order["lines"].values()],
            }
            for key, order in found
        ]

    @tool(read_only=True)
    def get_order(self, order_id: str) -> Record:
        """Everything about one order: lines by number, address, payment, total in cents.

        Args:
            order_id: Order number, e.g. O-40123.

        Raises:
            no_such_order: There is no such number.
        """
        return {"order_id": order_id, **self._order(order_id)}

    @tool(read_only=True)
    def search_products(self, words: str, category: Category | None = None) -> list[Record]:
        """Find products whose name holds all of these words.

        Args:
            words: One word or several.
            category: Only products of this department.
        """
        wanted = words.lower().split()
        return [
            {"product_id": key, **product}
            for key, product in self.products.items()
            if all(word in product["name"] for word in wanted) and category in (None, product["category"])
        ]

    @tool(read_only=True)
    def list_variants(self, product_id: str, in_stock: bool = False) -> list[Record]:
        """The variants of a product with options, price in cents and stock, cheapest first.

        Args:
            product_id: Product number, e.g. P-012.
            in_stock: Leave out what is sold out.

        Raises:
            no_such_product: There is no such number.
        """
        if product_id not in self.products:
            raise Refused("no_such_product", f"There is no product {product_id}.")
        found = [
            {"sku": key, **variant}
            for key, variant in self.variants.items()
            if variant["product_id"] == product_id and (variant["stock"] > 0 or not in_stock)
        ]
        return sorted(found, key=lambda variant: (variant["price"], variant["sku"]))

    @tool(read_only=True)
    def calculate(self, expression: str) -> float:
        """Work out a sum of plain numbers.

        Args:
            expression: Numbers with + - * / and brackets, e.g. (1290 + 450) * 2.

        Raises:
            not_a_sum: It is something else, or has no value.
        """
        if len(expression) > 200:
            raise Refused("not_a_sum", "That is too long.")
        try:
            return round(_value(ast.parse(expression.strip(), mode="eval").body), 6)
        except (SyntaxError, ValueError, ZeroDivisionError, OverflowError, RecursionError, MemoryError):
            raise Refused("not_a_sum", "Only numbers with + - * / and brackets have a value here.") from None

    @tool
    def cancel_order(self, order_id: str, reason: Reason) -> Record:
        """Cancel a pending order: its goods go back on the shelf, and the money to where it came from.

        Args:
            order_id: Order number.
            reason: Why.

        Raises:
            no_such_order: There is no such number.
            not_pending: The order is being packed, has left, or is over.
        """
        order = self._pending(order_id)
        for line in order["lines"].values():
            self.variants[line["sku"]]["stock"] += 1
            line["status"] = "cancelled"
        self._pay(order["customer_id"], order["paid_with"], -order["total"])
        order["status"], order["cancel_reason"] = "cancelled", reason
        return {"order_id": order_id, "status": "cancelled", "refund": order["total"], "refunded_to": order["paid_with"]}

    @tool
    def change_order_lines(self, order_id: str, lines: list[str], skus: list[str], payment_method_id: str) -> Record:
        """Swap lines of a pending order for other variants of the same products. Possible once for each order.

        Args:
            order_id: Order number.
            lines: Line numbers, e.g. ["1", "3"].
            skus: The new variant of each line, in the same order.
            payment_method_id: Where a difference is charged or paid back.

        Raises:
            no_such_order: There is no such number.
            not_pending: The order is being packed, has left, or is over.
            already_changed: Its lines were changed before.
            lines_do_not_match: Not one new variant for each line, or a line twice.
            no_such_line: The order has no such line.
            not_a_variant: The new variant is of another product, or is none.
            sold_out: The new variant is not in stock.
            no_such_method: The customer has no such payment method.
            balance_too_low: The gift card does not cover the difference.
        """
        order = self._pending(order_id)
        if order["changed"]:
            raise Refused("already_changed", f"The lines of {order_id} were changed before; that is possible once.")
        difference = self._swap_cost(order, lines, skus)
        self._pay(order["customer_id"], payment_method_id, difference)
        for number, sku in zip(lines, skus, strict=True):
            line = order["lines"][number]
            self.variants[line["sku"]]["stock"] += 1
            self.variants[sku]["stock"] -= 1
            line["sku"], line["price"] = sku, self.variants[sku]["price"]
        order["total"] += difference
        order["changed"] = True
        return {"order_id": order_id, "difference": difference, "total": order["total"]}

    @tool
    def change_order_address(self, order_id: str, street: str, city: str, postcode: str) -> Record:
        """Send a pending order to another address.

        Args:
            order_id: Order number.
            street: House number and street.
            city: City.
            postcode: Postcode.

        Raises:
            no_such_order: There is no such number.
            not_pending: The order is being packed, has left, or is over.
        """
        order = self._pending(order_id)
        order["address"] = {"street": street, "city": city, "postcode": postcode}
        return {"order_id": order_id, "address": order["address"]}

    @tool
    def change_order_payment(self, order_id: str, payment_method_id: str) -> Record:
        """Pay a pending order with another of the customer's payment methods.

        Args:
            order_id: Order number.
            payment_method_id: The method to charge instead.

        Raises:
            no_such_order: There is no such number.
            not_pending: The order is being packed, has left, or is over.
            no_such_method: The customer has no such payment method.
            same_method: It is paid with that already.
            balance_too_low: The gift card does not cover the total.
        """
        order = self._pending(order_id)
        if order["paid_with"] == payment_method_id:
            raise Refused("same_method", f"{order_id} is paid with {payment_method_id} already.")
        self._pay(order["customer_id"], payment_method_id, order["total"])
        self._pay(order["customer_id"], order["paid_with"], -order["total"])
        order["paid_with"] = payment_method_id
        return {"order_id": order_id, "paid_with": payment_method_id, "total": order["total"]}

    @tool
    def change_customer_address(self, customer_id: str, street: str, city: str, postcode: str) -> Record:
        """Change the address of an account; orders that are under way keep theirs.

        Args:
            customer_id: Customer number.
            street: House number and street.
            city: City.
            postcode: Postcode.

        Raises:
            no_such_customer: There is no such number.
        """
        customer = self._customer(customer_id)
        customer["address"] = {"street": street, "city": city, "postcode": postcode}
        return {"customer_id": customer_id, "address": customer["address"]}

    @tool
    def return_lines(self, order_id: str, lines: list[str], refund_to: str) -> Record:
        """Take back lines of a delivered order and pay them back.

        Args:
            order_id: Order number.
            lines: Line numbers, e.g. ["2"].
            refund_to: The payment method of the order, or a gift card of the customer.

        Raises:
            no_such_order: There is no such number.
            not_delivered: The order has not arrived.
            too_late: It arrived more than 30 days ago.
            lines_do_not_match: No line is given, or one twice.
            no_such_line: The order has no such line.
            line_is_over: The line was returned or exchanged before.
            no_such_method: The customer has no such payment method.
            refund_elsewhere: Neither the order's payment method nor a gift card.
        """
        order = self._delivered(order_id, lines)
        method = self._method(order["customer_id"], refund_to)
        if refund_to != order["paid_with"] and method["kind"] != "gift_card":
            raise Refused("refund_elsewhere", f"Money goes back to {order['paid_with']} or to a gift card.")
        amount = sum(order["lines"][number]["price"] for number in lines)
        return self._record("return", order_id, lines, -amount, refund_to)

    @tool
    def exchange_lines(self, order_id: str, lines: list[str], skus: list[str], payment_method_id: str) -> Record:
        """Exchange lines of a delivered order for other variants of the same products.

        Args:
            order_id: Order number.
            lines: Line numbers.
            skus: The new variant of each line, in the same order.
            payment_method_id: Where a difference is charged or paid back.

        Raises:
            no_such_order: There is no such number.
            not_delivered: The order has not arrived.
            too_late: It arrived more than 30 days ago.
            lines_do_not_match: Not one new variant for each line, or a line twice.
            no_such_line: The order has no such line.
            line_is_over: The line was returned or exchanged before.
            not_a_variant: The new variant is of another product, or is none.
            sold_out: The new variant is not in stock.
            no_such_method: The customer has no such payment method.
            balance_too_low: The gift card does not cover the difference.
        """
        order = self._delivered(order_id, lines)
        difference = self._swap_cost(order, lines, skus)
        self._method(order["customer_id"], payment_method_id, difference)
        for sku in skus:
            self.variants[sku]["stock"] -= 1
        record = self._record("exchange", order_id, lines, difference, payment_method_id)
        self.returns[record["return_id"]]["skus"] = list(skus)
        return record

    def _customer(self, customer_id: str) -> Record:
        if customer_id not in self.customers:
            raise Refused("no_such_customer", f"There is no customer {customer_id}.")
        return self.customers[customer_id]

    def _order(self, order_id: str) -> Record:
        if order_id not in self.orders:
            raise Refused("no_such_order", f"There is no order {order_id}.")
        return self.orders[order_id]

    def _pending(self, order_id: str) -> Record:
        order = self._order(order_id)
        if order["status"] != "pending":
            raise Refused("not_pending", f"{order_id} is {order['status']}.")
        return order

    def _delivered(self, order_id: str, lines: list[str]) -> Record:
        """A delivered order that is not too old, with these lines still to be had back."""
        order = self._order(order_id)
        if order["status"] != "delivered":
            raise Refused("not_delivered", f"{order_id} is {order['status']}.")
        days = (datetime.date.fromisoformat(self.today) - datetime.date.fromisoformat(order["delivered_on"])).days
        if days > RETURN_DAYS:
            raise Refused("too_late", f"{order_id} arrived {days} days ago.")
        if not lines or len(set(lines)) != len(lines):
            raise Refused("lines_do_not_match", "Give each line once, and at least one.")
        for number in lines:
            if number not in order["lines"]:
                raise Refused("no_such_line", f"{order_id} has no line {number}.")
            if order["lines"][number]["status"] != "ordered":
                raise Refused("line_is_over", f"Line {number} is {order['lines'][number]['status']}.")
        return order

    def _swap_cost(self, order: Record, lines: list[str], skus: list[str]) -> int:
        """What it costs to have other variants in these lines; refuses what cannot be had."""
        if not lines or len(lines) != len(skus) or len(set(lines)) != len(lines):
            raise Refused("lines_do_not_match", "Give one new variant for each line, and each line once.")
        cost = 0
        for number, sku in zip(lines, skus, strict=True):
            line = order["lines"].get(number)
            if line is None:
                raise Refused("no_such_line", f"The order has no line {number}.")
            variant = self.variants.get(sku)
            if variant is None or sku == line["sku"] or variant["product_id"] != self.variants[line["sku"]]["product_id"]:
                raise Refused("not_a_variant", f"{sku} is no other variant of the {line['name']}.")
            if variant["stock"] < skus.count(sku):
                raise Refused("sold_out", f"{sku} is sold out.")
            cost += variant["price"] - line["price"]
        return cost

    def _method(self, customer_id: str, method_id: str, amount: int = 0) -> Record:
        """A customer's payment method that can bear an amount."""
        method = self.customers[customer_id]["payment_methods"].get(method_id)
        if method is None:
            raise Refused("no_such_method", f"{customer_id} has no payment method {method_id}.")
        if method["kind"] == "gift_card" and method["balance"] < amount:
            raise Refused("balance_too_low", f"{method_id} holds {method['balance']}, and {amount} are due.")
        found: Record = method
        return found

    def _pay(self, customer_id: str, method_id: str, amount: int) -> None:
        """Charge an amount, or pay it back where it is below zero; only gift cards are kept here."""
        method = self._method(customer_id, method_id, amount)
        if method["kind"] == "gift_card":
            method["balance"] -= amount

    def _record(self, kind: Literal["return", "exchange"], order_id: str, lines: list[str], amount: int, method_id: str) -> Record:
        """Settle a return or an exchange and keep it."""
        order = self.orders[order_id]
        self._pay(order["customer_id"], method_id, amount)
        for number in lines:
            order["lines"][number]["status"] = "returned" if kind == "return" else "exchanged"
        return_id = f"RT-{len(self.returns) + 1:04d}"
        self.returns[return_id] = {"kind": kind, "order_id": order_id, "lines": list(lines), "amount": amount, "payment_method_id": method_id}
        return {"return_id": return_id, "order_id": order_id, "amount": amount, "payment_method_id": method_id}


def _value(node: ast.expr) -> float:
    """The value of a sum. Raises ValueError for anything else."""
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return float(node.value)  # type: ignore[arg-type]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        value: float = _OPERATORS[type(node.op)](_value(node.left), _value(node.right))
        return value
    raise ValueError("no sum")
