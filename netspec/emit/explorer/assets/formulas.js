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

const PREFIXES = "kMGTPE";

/** A count to three significant digits: `847`, `9.41k`, `118M`, `1.81G`. The same as `netspec/text/quantities.py`. */
function short(count) {
  count = BigInt(count);
  if (count < 1000n) return String(count);
  for (let power = 1; power <= PREFIXES.length; power++) {
    const unit = 1000n ** BigInt(power);
    for (const scale of [100n, 10n, 1n]) {
      const digits = (2n * count * scale + unit) / (2n * unit);
      if (digits < 1000n) return Number(digits) / Number(scale) + PREFIXES[power - 1];
    }
  }
  return Number(count).toExponential(2);
}

/** `46.8 MB`; megabytes are 10⁶ bytes. */
function shortBytes(count) {
  const text = short(count);
  return PREFIXES.includes(text.slice(-1)) ? `${text.slice(0, -1)} ${text.slice(-1)}B` : `${text} B`;
}

/** `2.37 µs`, `96.5 ms`, `1.54 s` of a number of nanoseconds. The same as `netspec/text/quantities.py`. */
function shortTime(nanoseconds) {
  for (const [unit, scale] of [["µs", 1e3], ["ms", 1e6], ["s", 1e9]]) {
    const digits = (Number(nanoseconds) / scale).toPrecision(3);
    if (Number(digits) < 1000) return `${digits} ${unit}`;
  }
  return `${Math.round(Number(nanoseconds) / 1e9).toLocaleString("en-US")} s`;
}

/** `9,408`; nothing for zero. */
function exact(number) {
  return number ? number.toLocaleString("en-US") : "";
}
