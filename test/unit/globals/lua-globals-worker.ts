/** The script thread of `debug-lua.test.ts` and `streaming.test.ts`. */
import { startLuaWorker } from "../../../src/engine/lua/start.ts";
import { DebugGlobal } from "../../../src/globals/debug.ts";
import { StreamingGlobal } from "../../../src/globals/streaming.ts";

startLuaWorker([DebugGlobal, StreamingGlobal]);
