/** A script thread with the globals of these tests. */
import { startLuaWorker } from "../../../src/engine/lua/start.ts";
import { globals } from "./globals.ts";

startLuaWorker(globals);
