/** The worker that runs users' scripts. */
import { globals } from "../../globals/index.ts";
import { startLuaWorker } from "./start.ts";

startLuaWorker(globals);
