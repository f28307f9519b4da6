"""Writes shop.json.gz, the shop's database: the same bytes each time. `python examples/retail/make_data.py`."""

from __future__ import annotations

import datetime
import gzip
import json
import random
from pathlib import Path
from typing import Any

CUSTOMERS, ORDERS, TODAY = 900, 2600, datetime.date(2026, 6, 12)
FIRST = "Ada Alma Amir Anouk Aoife Bela Bruno Carla Cem Chidi Clara Dario Dilan Edda Emre Esra Femi Flora Gita Hanna Hugo Ines Ivo Jana Jonas Kaya Lea Lars Leila Luka Mai Marek Mila Nadia Nils Noor Olga Oskar Petra Rafi Rosa Samir Selma Sven Tara Theo Uma Vera Wim Yara Zeno".split()  # noqa: E501
LAST = "Abel Adeyemi Albers Alvarez Bakker Bauer Becker Benali Berg Blom Braun Caruso Castro Dahl Demir Dietz Duarte Eriksen Faber Ferrari Fischer Fontana Fuchs Gallo Garcia Haddad Hansen Horvat Ivanov Jansen Kaya Keller Kowalski Kruger Lang Lindgren Maes Marino Meyer Moreau Nagy Nowak Okafor Olsen Peeters Petrov Rossi Sato Schmid Silva Sorensen Tanaka Urban Varga Vidal Visser Weber Winter Yilmaz Zeman".split()  # noqa: E501
STREETS = "Mill Lane,Station Road,Harbour Street,Linden Avenue,Church Walk,Bridge Street,Orchard Close,Castle Hill,Meadow Way,Quay Street".split(",")
CITIES = {"Northaven": "NH", "Eastbridge": "EB", "Southmere": "SM", "Westford": "WF", "Midlow": "ML", "Highmoor": "HM"}
CATALOGUE = {
    "bedroom": ["duvet cover", "pillow", "mattress topper", "bedside lamp", "wool blanket", "alarm clock"],
    "kitchen": ["kettle", "toaster", "stock pot", "chef knife", "cutting board", "espresso maker", "food scale", "mixing bowl"],
    "garden": ["hose reel", "bird feeder", "deck chair", "parasol", "watering can", "rake", "plant stand"],
    "office": ["desk lamp", "monitor arm", "office chair", "notebook set", "keyboard", "desk mat", "paper shredder"],
    "outdoor": ["two-person tent", "sleeping bag", "headlamp", "camp stove", "rucksack", "water bottle", "trekking poles"],
    "bath": ["bath towel", "shower caddy", "bath mat", "soap dispenser", "mirror"],
}
OPTIONS = {
    "colour": ["black", "white", "green", "red", "blue", "grey"],
    "size": ["small", "medium", "large"],
    "material": ["cotton", "steel", "oak", "linen", "aluminium"],
}
STATES = ["pending"] * 6 + ["packed"] * 2 + ["shipped"] * 3 + ["delivered"] * 9 + ["cancelled"]


def products(rng: random.Random) -> tuple[dict[str, Any], dict[str, Any]]:
    """Products, and the variants in which each is sold."""
    made: dict[str, Any] = {}
    variants: dict[str, Any] = {}
    for category, names in CATALOGUE.items():
        for name in names:
            product_id = f"P-{len(made) + 1:03d}"
            made[product_id] = {"name": name, "category": category}
            axes = sorted(rng.sample(sorted(OPTIONS), 2))
            pairs = [{axes[0]: a, axes[1]: b} for a in OPTIONS[axes[0]] for b in OPTIONS[axes[1]]]
            base = rng.randrange(800, 24000, 50)
            for options in sorted(rng.sample(pairs, min(len(pairs), rng.randint(6, 12))), key=str):
                sku = f"V-{len(variants) + 1:04d}"
                price = base + rng.randrange(0, 3000, 10)
                variants[sku] = {"product_id": product_id, "options": options, "price": price, "stock": rng.choice([0, 0, 1, 2, 4, 9, 25])}
    return made, variants


def address(rng: random.Random) -> dict[str, str]:
    """A place to send things to."""
    city = rng.choice(sorted(CITIES))
    street, postcode = f"{rng.randint(1, 140)} {rng.choice(STREETS)}", f"{CITIES[city]}{rng.randint(1, 20)} {rng.randint(1, 9)}XD"
    return {"street": street, "city": city, "postcode": postcode}


def customers(rng: random.Random) -> dict[str, Any]:
    """People with an address and one to three ways to pay."""
    made: dict[str, Any] = {}
    emails: set[str] = set()
    for number in range(1, CUSTOMERS + 1):
        first, last = rng.choice(FIRST), rng.choice(LAST)
        email = f"{first}.{last}@example.org".lower()
        while email in emails:
            email = f"{first}.{last}{rng.randint(2, 9999)}@example.org".lower()
        emails.add(email)
        methods: dict[str, Any] = {}
        for kind in rng.sample(["card", "card", "wallet", "gift_card"], rng.randint(1, 3)):
            method = {"kind": kind, "last4": f"{rng.randint(0, 9999):04d}"} if kind == "card" else {"kind": kind}
            if kind == "gift_card":
                method["balance"] = rng.randrange(0, 20000, 500)
            methods[f"{kind}-{number:04d}-{len(methods) + 1}"] = method
        made[f"C-{number:04d}"] = {"first_name": first, "last_name": last, "email": email, "address": address(rng), "payment_methods": methods}
    return made


def orders(rng: random.Random, people: dict[str, Any], goods: dict[str, Any], variants: dict[str, Any]) -> dict[str, Any]:
    """Orders of the last ninety days, in every state."""
    made: dict[str, Any] = {}
    for number in range(1, ORDERS + 1):
        customer_id = rng.choice(sorted(people))
        customer = people[customer_id]
        status = rng.choice(STATES)
        age = rng.randint(0, 6) if status in ("pending", "packed") else rng.randint(3, 90)
        lines: dict[str, Any] = {}
        for sku in sorted(rng.sample(sorted(variants), rng.choice([1, 1, 2, 2, 3, 4]))):
            variant = variants[sku]
            lines[str(len(lines) + 1)] = {"sku": sku, "name": goods[variant["product_id"]]["name"], "price": variant["price"], "status": "ordered"}
        methods = [m for m, held in customer["payment_methods"].items() if held["kind"] != "gift_card"] or sorted(customer["payment_methods"])
        made[f"O-{number + 40000}"] = {
            "customer_id": customer_id,
            "placed_on": (TODAY - datetime.timedelta(days=age)).isoformat(),
            "delivered_on": (TODAY - datetime.timedelta(days=max(0, age - 3))).isoformat() if status == "delivered" else None,
            "status": status,
            "changed": False,
            "lines": lines,
            "address": dict(customer["address"]),
            "paid_with": rng.choice(methods),
            "total": sum(line["price"] for line in lines.values()),
        }
    return made


def database() -> dict[str, Any]:
    """The whole shop."""
    rng = random.Random("a shop for examples")
    goods, variants = products(rng)
    people = customers(rng)
    return {"customers": people, "products": goods, "variants": variants, "orders": orders(rng, people, goods, variants), "returns": {}}


def packed() -> bytes:
    """The database as it is written."""
    return gzip.compress(json.dumps(database(), separators=(",", ":")).encode(), mtime=0)


if __name__ == "__main__":
    Path(__file__).with_name("shop.json.gz").write_bytes(packed())
