"""A tiny toolkit for tests, and the same with one thing wrong."""

from __future__ import annotations

from pathlib import Path

SHOP = '''\
from __future__ import annotations
from typing import Literal
from synthtools.toolkit import Refused, tool

class Shop:
    """A tiny shop."""
    field = "Retail"
    today = "2026-03-02"
    policies = {"small": "Nobody buys more than three."}

    def __init__(self) -> None:
        self.stock = {"P-01": {"name": "lamp", "left": 3}, "P-02": {"name": "chair", "left": 0}}
        self.sales = {"S-001": {"sale_id": "S-001", "product": "P-01", "count": 1}}

    @tool(read_only=True)
    def find(self, name: str) -> list[str]:
        """Products by name.

        Args:
            name: What it is called.
        """
        return [key for key, held in self.stock.items() if held["name"] == name]

    @tool
    def sell(self, product: str, count: int = 1, how: Literal["cash", "card"] = "card") -> dict[str, object]:
        """Sell a product.

        Args:
            product: Its number.
            count: How many.
            how: How it is paid.

        Raises:
            no_such_product: There is none.
            sold_out: None is left.
        """
        if product not in self.stock:
            raise Refused("no_such_product", f"No {product}.")
        self.stock[product]["left"] -= count
        if self.stock[product]["left"] < 0:
            raise Refused("sold_out", "None left.")
        key = f"S-{len(self.sales) + 1:03d}"
        self.sales[key] = {"sale_id": key, "product": product, "count": count}
        return self.sales[key]

    @tool(errors={"no_such_sale": "There is none."})
    def take_back(self, sale: str) -> None:
        """Undo a sale.

        Args:
            sale: Its number.
        """
        if sale not in self.sales:
            raise Refused("no_such_sale", f"No {sale}.")
        gone = self.sales.pop(sale)
        self.stock[gone["product"]]["left"] += gone["count"]

    @tool
    def break_down(self) -> None:
        """Fail."""
        self.stock.clear()
        print(1 // 0)

    @tool
    def shout(self, times: int) -> str:
        """Say a long word.

        Args:
            times: How long.
        """
        self.loud = times
        answer = "a" * times
        del self.loud
        return answer
'''


def written(folder: Path, text: str = SHOP) -> Path:
    """The toolkit's file in a folder of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "shop.py"
    path.write_text(text, encoding="utf-8")
    return path
