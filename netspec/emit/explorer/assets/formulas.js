"use strict";

// Sizes are formulas over the symbolic dimensions. They are worked out in whole numbers of any length (BigInt), so that
// what the page says is what `netspec shapes --dim` says.

/** The value of a formula: a number, or terms of `[coefficient, [atom, power], …]`. `sizes` is a Map from names. */
function evaluate(formula, sizes) {
  if (!Array.isArray(formula)) return BigInt(formula);
  let total = 0n;
  for (const [coefficient, ...factors] of formula) {
    let value = BigInt(coefficient);
    for (const [atom, power] of factors) value *= evaluateAtom(atom, sizes) ** BigInt(power);
    total += value;
  }
  return total;
}

/** An atom is a dimension's name, or `[formula, divisor]`: a division rounded down, below zero too. */
function evaluateAtom(atom, sizes) {
  if (typeof atom === "string") return sizes.get(atom);
  const numerator = evaluate(atom[0], sizes);
  const divisor = BigInt(atom[1]);
  const quotient = numerator / divisor;
  return numerator < 0n && quotient * divisor !== numerator ? quotient - 1n : quotient;
}

const UNITS = [[10n ** 12n, "T"], [10n ** 9n, "G"], [10n ** 6n, "M"], [10n ** 3n, "K"]];

/** `9.4K`, `118.0M`, `1.8G`. */
function short(number, digits = 1) {
  const found = UNITS.find(([limit]) => number >= limit);
  if (!found) return String(number);
  return (Number(number) / Number(found[0])).toFixed(digits) + found[1];
}

/** `3.2 MB`; megabytes are 10⁶ bytes. */
function shortBytes(number) {
  if (number < 1000n) return `${number} B`;
  const text = short(number);
  return `${text.slice(0, -1)} ${text.slice(-1).replace("K", "k")}B`;
}

/** `9,408`; nothing for zero. */
function exact(number) {
  return number ? number.toLocaleString("en-US") : "";
}
