"use strict";

// What is written anew when sizes or heat change. In a long network most of it is out of sight: what is seen is written
// at once, so that a slider moves smoothly, and the rest when nothing has changed for a while.

const QUIET = 300;
const FEW = 200;

class Fresh {
  /** `sight` gives a function that says of a place whether it is in sight now. */
  constructor(sight) {
    this.sight = sight;
    this.later = 0;
    this.clear();
  }

  clear() {
    clearTimeout(this.later);
    this.parts = [];
  }

  add(place, write) {
    this.parts.push({ place, write });
  }

  writeAll() {
    clearTimeout(this.later);
    for (const { write } of this.parts) write();
  }

  refresh() {
    if (this.parts.length < FEW) return this.writeAll();
    const seen = this.sight();
    for (const { place, write } of this.parts) if (seen(place)) write();
    clearTimeout(this.later);
    this.later = setTimeout(() => this.writeAll(), QUIET);
  }
}
