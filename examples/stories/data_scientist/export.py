"""Write customers.csv, last_month.csv and new.csv as an office exports tables: semicolons, commas, gaps, remarks.

The customers are made up: who has many calls leaves, who uses much upgrades, and some do neither for no reason.
"""

import csv
import random
from datetime import date, timedelta

HEAD = ["customer", "joined", "plan", "postcode", "monthly fee", "usage gb", "paperless", "support calls", "remark",
        "outcome"]  # fmt: skip
FEES = {"basic": 9.9, "plus": 19.9, "family": 34.9}
REMARKS = ["", "", "", "moved; new address", 'says "too slow"', "rückt im Mai um"]


def customer(number: int, chance: random.Random) -> dict[str, str]:
    plan = chance.choices(list(FEES), [5, 3, 2])[0]
    postcode = chance.choice(["10115", "20095", "50667", "80331"])
    years, fee = chance.uniform(0, 8), FEES[plan] * chance.uniform(0.9, 1.2)
    usage, calls = chance.gammavariate(2, 8), min(int(chance.expovariate(0.6)), 9)
    paperless = chance.random() < 0.6
    wishes = {
        "stays": 1.4 + 0.25 * years + 0.6 * paperless,
        "leaves": 1.1 * calls - 0.2 * years + 0.06 * (fee - 20) + 1.2 * (postcode == "80331"),
        "upgrades": 0.17 * usage - 1.8 * (plan == "family"),
    }
    row = {
        "customer": f"C{number:05}",
        "joined": (date(2026, 6, 30) - timedelta(days=int(365 * years))).isoformat(),
        "plan": plan if chance.random() > 0.03 else "",
        "postcode": postcode,
        "monthly fee": f"{fee:.2f}".replace(".", ","),
        "usage gb": f"{usage:.1f}".replace(".", ",") if chance.random() > 0.08 else "",
        "paperless": "yes" if paperless else "no",
        "support calls": str(calls) if chance.random() > 0.05 else "",
        "remark": chance.choice(REMARKS),
    }
    return row | {"outcome": max(wishes, key=lambda wish: wishes[wish] + chance.gauss(0, 0.3))}


def write(name: str, head: list[str], rows: list[dict[str, str]]) -> None:
    with open(name, "w", newline="", encoding="utf-8-sig") as file:
        table = csv.DictWriter(file, head, delimiter=";", extrasaction="ignore")
        table.writeheader()
        table.writerows(rows)


chance = random.Random(1)
write("customers.csv", HEAD, [customer(number, chance) for number in range(2000)])
write("last_month.csv", HEAD, [customer(number, chance) for number in range(2000, 2500)])
new = [customer(number, chance) for number in range(2500, 2520)]
new[3]["plan"] = "student"  # a plan that there was not before
write("new.csv", ["plan", *(name for name in HEAD if name not in ("plan", "outcome"))], new)
