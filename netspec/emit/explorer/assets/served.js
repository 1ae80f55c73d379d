"use strict";

// The way to `netspec serve`, which tells of news by an event and gives the page anew when it is loaded again.

const AGAIN = 1000;
const GONE = "netspec serve no longer answers. This page tries again every second.";
const OPENS_FAULTS = true;
const memory = {
  read: () => JSON.parse(sessionStorage.getItem("netspec") ?? "null"),
  write: (kept) => sessionStorage.setItem("netspec", JSON.stringify(kept)),
};

function showNext() {
  location.reload();
}

/** Listen to the server; where it does not answer, try again until it does. */
function listen() {
  const stream = new EventSource("/events");
  stream.addEventListener("message", (event) => take(JSON.parse(event.data)));
  stream.addEventListener("error", () => {
    stream.close();
    miss();
    setTimeout(listen, AGAIN);
  });
}
