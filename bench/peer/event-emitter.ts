/** Prints how many events a second an EventEmitter with one listener passes on. */
import { EventEmitter } from "node:events";

const COUNT = 1_000_000;

const emitter = new EventEmitter();
let heard = 0;
emitter.on("user.login", ({ n }: { n: number }) => {
  heard += n;
});
const emit = () => {
  for (let n = 0; n < COUNT; n++) emitter.emit("user.login", { n });
};
emit();
const startedMs = performance.now();
emit();
const seconds = (performance.now() - startedMs) / 1000;
if (heard !== COUNT * (COUNT - 1)) throw new Error("Not every event was heard");
console.log(Math.round(COUNT / seconds));
