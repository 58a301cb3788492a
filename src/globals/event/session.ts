/** How publishing crosses: what the script thread and the kernel each remember of it. */
import { SpellError } from "../../core/errors.ts";
import type { EventService } from "../../events/service.ts";
import type { Services } from "../../kernel/services.ts";
import type { CallContext, LocalContext, LocalEnvironment } from "../declare.ts";

/** Of a VM: whether its publishers must wait for the kernel, because a queue may block or refuse. */
interface PublishMode {
  waits: boolean;
}

const modes = new WeakMap<LocalEnvironment, PublishMode>();

/** The kernel is asked once, which also makes its bus: posts then find it. */
export function publishMode(ctx: LocalContext<unknown>): PublishMode {
  const known = modes.get(ctx.env);
  if (known !== undefined) return known;
  const mode = ctx.wait("Event", "open") as unknown as PublishMode;
  modes.set(ctx.env, mode);
  return mode;
}

const buses = new WeakMap<Services, EventService>();

export async function openBus(services: Services): Promise<EventService> {
  const bus = await services.events();
  buses.set(services, bus);
  return bus;
}

/** @throws SpellError internal before `openBus` */
export function openedBus({ services }: CallContext): EventService {
  const bus = buses.get(services);
  if (bus === undefined) throw new SpellError("internal", "Cannot publish: the event bus was not opened");
  return bus;
}
